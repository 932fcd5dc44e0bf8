// One vector type over the compiler's vector extensions: the same source at every width.
//
// Included only by `*.kernel.cpp`, which is compiled once per instruction set with
// -DCR_ISA=<baseline|v3|v4> -DCR_VEC_BYTES=<16|32|64>. No STL here and no weak symbols: everything
// is `static inline` or in an anonymous namespace (a std:: template built with -mavx2 could be
// handed by the linker to baseline code and kill an old processor).
#pragma once

#include <cstdint>
#include <cstring>

#define CR_INLINE __attribute__((always_inline)) static inline

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
struct VecOf {
  typedef T type __attribute__((vector_size(CR_VEC_BYTES)));
  // Unaligned, aliasing view of memory as a vector.
  typedef T memory __attribute__((vector_size(CR_VEC_BYTES), aligned(alignof(T)), may_alias));
};
template <class T>
using Vec = typename VecOf<T>::type;

template <class T>
constexpr int kLanes = CR_VEC_BYTES / static_cast<int>(sizeof(T));

// The integer type as wide as T: the lanes of comparison masks.
template <int Bytes>
struct IntOfSize;
template <> struct IntOfSize<1> { using type = int8_t; };
template <> struct IntOfSize<2> { using type = int16_t; };
template <> struct IntOfSize<4> { using type = int32_t; };
template <> struct IntOfSize<8> { using type = int64_t; };
template <class T>
using MaskLane = typename IntOfSize<sizeof(T)>::type;
template <class T>
using Mask = Vec<MaskLane<T>>;

template <class T>
CR_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VecOf<T>::memory*>(p);
}

template <class T>
CR_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VecOf<T>::memory*>(p) = v;
}

// `x - zero` folds to a pure broadcast; `zero + x` would not (it must turn -0.0 into +0.0).
template <class T>
CR_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};
}

// The first n lanes (0 <= n <= lanes); the others are zero.
template <class T>
CR_INLINE Vec<T> load_partial(const T* p, int n) {
  T buffer[kLanes<T>] = {};
  memcpy(buffer, p, static_cast<size_t>(n) * sizeof(T));
  return load(buffer);
}

template <class T>
CR_INLINE void store_partial(T* p, Vec<T> v, int n) {
  T buffer[kLanes<T>];
  store(buffer, v);
  memcpy(p, buffer, static_cast<size_t>(n) * sizeof(T));
}

template <class T>
CR_INLINE Vec<T> select(Mask<T> mask, Vec<T> a, Vec<T> b) {
  return mask ? a : b;
}

template <class To, class From>
CR_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr

// One vector type over the compiler's vector extensions: the same source at every width.
//
// Included only by `*.kernel.cpp`, which is compiled once per instruction set with
// -DCR_ISA=<baseline|v3|v4> -DCR_VEC_BYTES=<16|32|64>. No STL here and no weak symbols: everything
// is `static inline` or in an anonymous namespace (a std:: template built with -mavx2 could be
// handed by the linker to baseline code and kill an old processor).
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define CR_INLINE __attribute__((always_inline)) static inline
// CR_NOINLINE: one copy of a function, not even cut up for its constants. CR_INDEPENDENT: no pass
// of the loop that follows reads what another one writes.
#ifdef __clang__
#define CR_NOINLINE __attribute__((noinline))
#define CR_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define CR_NOINLINE __attribute__((noinline, noclone))
#define CR_INDEPENDENT _Pragma("GCC ivdep")
#endif

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
template <>
struct IntOfSize<1> {
  using type = int8_t;
};
template <>
struct IntOfSize<2> {
  using type = int16_t;
};
template <>
struct IntOfSize<4> {
  using type = int32_t;
};
template <>
struct IntOfSize<8> {
  using type = int64_t;
};
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

// The first n lanes (0 <= n <= lanes); the others are zero. Memory beyond them is not touched.
#if defined(__AVX512F__)
template <class T>
CR_INLINE Vec<T> load_partial(const T* p, int n) {
  if constexpr (sizeof(T) == 4) {
    return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_epi32(_bzhi_u32(0xffff, n), p));
  } else if constexpr (sizeof(T) == 8) {
    return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_epi64(_bzhi_u32(0xff, n), p));
  } else if constexpr (sizeof(T) == 2) {
    return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_epi16(_bzhi_u32(~0u, n), p));
  } else {
    return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_epi8(_bzhi_u64(~uint64_t(0), n), p));
  }
}

template <class T>
CR_INLINE void store_partial(T* p, Vec<T> v, int n) {
  const __m512i x = reinterpret_cast<__m512i>(v);
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(p, _bzhi_u32(0xffff, n), x);
  } else if constexpr (sizeof(T) == 8) {
    _mm512_mask_storeu_epi64(p, _bzhi_u32(0xff, n), x);
  } else if constexpr (sizeof(T) == 2) {
    _mm512_mask_storeu_epi16(p, _bzhi_u32(~0u, n), x);
  } else {
    _mm512_mask_storeu_epi8(p, _bzhi_u64(~uint64_t(0), n), x);
  }
}
#else
// memcpy of n * sizeof(T) < CR_VEC_BYTES bytes in pieces of constant size: no call.
CR_INLINE void copy_partial(char* to, const char* from, int bytes) {
#pragma GCC unroll 8
  for (int piece = CR_VEC_BYTES; piece > 0; piece /= 2) {
    if (bytes & piece) {
      memcpy(to, from, static_cast<size_t>(piece));
      to += piece;
      from += piece;
    }
  }
}

template <class T>
CR_INLINE Vec<T> load_partial(const T* p, int n) {
#if defined(__AVX2__)
  if constexpr (sizeof(T) >= 4) {  // a masked load reads nothing outside the mask
    Mask<T> lane{};
#pragma GCC unroll 8
    for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
    const __m256i mask = reinterpret_cast<__m256i>(lane < static_cast<MaskLane<T>>(n));
    if constexpr (sizeof(T) == 4) {
      return reinterpret_cast<Vec<T>>(_mm256_maskload_epi32(reinterpret_cast<const int*>(p), mask));
    } else {
      return reinterpret_cast<Vec<T>>(
          _mm256_maskload_epi64(reinterpret_cast<const long long*>(p), mask));
    }
  }
#endif
  T buffer[kLanes<T>] = {};
  copy_partial(reinterpret_cast<char*>(buffer), reinterpret_cast<const char*>(p),
               n * static_cast<int>(sizeof(T)));
  return load(buffer);
}

template <class T>
CR_INLINE void store_partial(T* p, Vec<T> v, int n) {
  T buffer[kLanes<T>];
  store(buffer, v);
  copy_partial(reinterpret_cast<char*>(p), reinterpret_cast<const char*>(buffer),
               n * static_cast<int>(sizeof(T)));
}
#endif

template <class T>
CR_INLINE Vec<T> select(Mask<T> mask, Vec<T> a, Vec<T> b) {
  return mask ? a : b;
}

// The first n lanes; the others hold `fill`.
template <class T>
CR_INLINE Vec<T> load_partial(const T* p, int n, T fill) {
  Mask<T> lane{};
#pragma GCC unroll 64
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = static_cast<MaskLane<T>>(i);
  return select<T>(lane < static_cast<MaskLane<T>>(n), load_partial(p, n), splat(fill));
}

// A list of numbers; FirstNumbers<N> is 0, 1, ..., N - 1.
template <int... I>
struct Sequence {};
#ifdef __clang__
template <class, int... I>
using SequenceOf = Sequence<I...>;
template <int N>
using FirstNumbers = __make_integer_seq<SequenceOf, int, N>;
#else
template <int N>
using FirstNumbers = Sequence<__integer_pack(N)...>;
#endif

// Every other lane of a and b together: from the first on (Odd = 0) or from the second (1).
template <int Odd, class V, int... I>
CR_INLINE V every_other(V a, V b, Sequence<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + Odd)...);
}
template <class T>
CR_INLINE Vec<T> even_lanes(Vec<T> a, Vec<T> b) {
  return every_other<0>(a, b, FirstNumbers<kLanes<T>>{});
}
template <class T>
CR_INLINE Vec<T> odd_lanes(Vec<T> a, Vec<T> b) {
  return every_other<1>(a, b, FirstNumbers<kLanes<T>>{});
}

template <int Width, class V, class F, int... I>
CR_INLINE V fold_halves(V v, F&& f, Sequence<I...> order) {
  if constexpr (Width == 0) {
    return v;
  } else {
    return fold_halves<Width / 2>(f(v, __builtin_shufflevector(v, v, (I ^ Width)...)), f, order);
  }
}

// All lanes joined by a commutative f(vector, vector): the halves, their halves, and so on.
template <class T, class F>
CR_INLINE T fold_lanes(Vec<T> v, F&& f) {
  return fold_halves<kLanes<T> / 2>(v, f, FirstNumbers<kLanes<T>>{})[0];
}

template <class T>
CR_INLINE T sum_lanes(Vec<T> v) {
  return fold_lanes<T>(v, [](Vec<T> a, Vec<T> b) { return a + b; });
}

template <class To, class From>
CR_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

// --- Functions of float vectors, V = Vec<float> or Vec<double>
// ------------------------------------

// The element of a float vector, and the integer vectors of the same shape.
template <class V>
struct LaneOf;
template <>
struct LaneOf<Vec<float>> {
  using type = float;
};
template <>
struct LaneOf<Vec<double>> {
  using type = double;
};
template <class V>
using Lane = typename LaneOf<V>::type;
template <class V>
using MaskOf = Mask<Lane<V>>;
template <int Bytes>
struct BitsOfSize;
template <>
struct BitsOfSize<1> {
  using type = uint8_t;
};
template <>
struct BitsOfSize<2> {
  using type = uint16_t;
};
template <>
struct BitsOfSize<4> {
  using type = uint32_t;
};
template <>
struct BitsOfSize<8> {
  using type = uint64_t;
};
template <class V>
using BitsLane = typename BitsOfSize<sizeof(Lane<V>)>::type;
template <class V>
using BitsOf = Vec<BitsLane<V>>;

// IEEE 754 layout.
template <class T>
struct Ieee;
template <>
struct Ieee<float> {
  static constexpr int kMantissaBits = 23, kBias = 127;
  static constexpr uint32_t kSign = uint32_t(1) << 31;
};
template <>
struct Ieee<double> {
  static constexpr int kMantissaBits = 52, kBias = 1023;
  static constexpr uint64_t kSign = uint64_t(1) << 63;
};

template <class V>
CR_INLINE BitsOf<V> bits(V x) {
  return reinterpret_cast<BitsOf<V>>(x);
}

template <class V>
CR_INLINE V from_bits(BitsOf<V> x) {
  return reinterpret_cast<V>(x);
}

template <class V>
CR_INLINE BitsOf<V> sign_bit(V x) {
  return bits(x) & Ieee<Lane<V>>::kSign;
}

template <class V>
CR_INLINE V abs(V x) {
  return from_bits<V>(bits(x) & ~Ieee<Lane<V>>::kSign);
}

template <class V>
CR_INLINE V copysign(V magnitude, V sign) {
  return from_bits<V>(bits(abs(magnitude)) | sign_bit(sign));
}

// Smaller or larger of two numbers; b where one of them is NaN (one instruction on x86).
template <class V>
CR_INLINE V min_or_b(V a, V b) {
  return a < b ? a : b;
}

template <class V>
CR_INLINE V max_or_b(V a, V b) {
  return a > b ? a : b;
}

// True when any lane of a comparison's result is.
template <class M>
CR_INLINE bool any(M mask) {
#if defined(__AVX512F__)
  const __m512i lanes = reinterpret_cast<__m512i>(mask);
  return _mm512_test_epi32_mask(lanes, lanes) != 0;
#elif defined(__AVX2__)
  return __builtin_ia32_pmovmskb256(reinterpret_cast<Vec<char>>(mask)) != 0;
#elif defined(__SSE2__)
  return __builtin_ia32_pmovmskb128(reinterpret_cast<Vec<char>>(mask)) != 0;
#else
  const Vec<int64_t> words = reinterpret_cast<Vec<int64_t>>(mask);
  int64_t found = 0;
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<int64_t>; i++) found |= words[i];
  return found != 0;
#endif
}

// A set of lanes that is only asked whether it is empty: | joins two.
CR_INLINE bool any(bool some) { return some; }
#if defined(__AVX512F__)
CR_INLINE bool any(uint32_t lanes) { return lanes != 0; }
CR_INLINE uint32_t lanes_beyond(Vec<float> x, float limit) {
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(abs(x)), _mm512_set1_ps(limit), _CMP_NLE_UQ);
}
CR_INLINE uint32_t lanes_beyond(Vec<double> x, double limit) {
  return _mm512_cmp_pd_mask(reinterpret_cast<__m512d>(abs(x)), _mm512_set1_pd(limit), _CMP_NLE_UQ);
}
#else
// Where |x| > limit, or x is NaN.
template <class V>
CR_INLINE MaskOf<V> lanes_beyond(V x, Lane<V> limit) {
  return ~(abs(x) <= limit);
}
#endif

// Hides a value's origin, so that the compiler cannot fuse the product behind it into an addition.
template <class V>
CR_INLINE V opaque(V x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#elif defined(__SSE2__)
  asm("" : "+x"(x));
#else
  asm("" : "+w"(x));
#endif
  return x;
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define CR_HAVE_FMA 1
// a * b + c rounded once. gcc joins the lanes into one instruction.
CR_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  Vec<float> r;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<float>; i++) r[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return r;
}

CR_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  Vec<double> r;
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<double>; i++) r[i] = __builtin_fma(a[i], b[i], c[i]);
  return r;
}
#endif

CR_INLINE Vec<float> sqrt(Vec<float> x) {
  Vec<float> r;
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<float>; i++) r[i] = __builtin_sqrtf(x[i]);
  return r;
}

CR_INLINE Vec<double> sqrt(Vec<double> x) {
  Vec<double> r;
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<double>; i++) r[i] = __builtin_sqrt(x[i]);
  return r;
}

#ifdef __AVX2__
// Rounding in one instruction; the mode's bit 3 keeps it from raising flags.
template <int Mode>
CR_INLINE Vec<float> round_to(Vec<float> x) {
#ifdef __AVX512F__
  return __builtin_ia32_rndscaleps_mask(x, Mode | 8, x, -1, 4);
#else
  return __builtin_ia32_roundps256(x, Mode | 8);
#endif
}
template <int Mode>
CR_INLINE Vec<double> round_to(Vec<double> x) {
#ifdef __AVX512F__
  return __builtin_ia32_rndscalepd_mask(x, Mode | 8, x, -1, 4);
#else
  return __builtin_ia32_roundpd256(x, Mode | 8);
#endif
}
template <class V>
CR_INLINE V round_even(V x) {
  return round_to<0>(x);
}
template <class V>
CR_INLINE V floor(V x) {
  return round_to<1>(x);
}
template <class V>
CR_INLINE V ceil(V x) {
  return round_to<2>(x);
}
template <class V>
CR_INLINE V trunc(V x) {
  return round_to<3>(x);
}
#else
// Adding and subtracting 2^mantissa_bits rounds to an integer, ties to even; larger numbers are
// integers already. The sign is kept, also that of zero, and NaN passes.
template <class V>
CR_INLINE V round_even(V x) {
  using T = Lane<V>;
  const V big = V{} + T(uint64_t(1) << Ieee<T>::kMantissaBits);
  const V a = abs(x);
  const V rounded = (a + big) - big;
  return a < big ? copysign(rounded, x) : x;
}

template <class V>
CR_INLINE V floor(V x) {
  const V r = round_even(x);
  return copysign(r > x ? r - Lane<V>(1) : r, x);
}

template <class V>
CR_INLINE V ceil(V x) {
  const V r = round_even(x);
  return copysign(r < x ? r + Lane<V>(1) : r, x);
}

template <class V>
CR_INLINE V trunc(V x) {
  return copysign(floor(abs(x)), x);
}
#endif

}  // namespace
}  // namespace CR_ISA
}  // namespace cr

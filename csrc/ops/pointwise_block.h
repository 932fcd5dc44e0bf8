// From functors to table entries: unary<F, kFloats>("name") is the row of an op whose functor F
// maps one element (or one vector of them) to one. Included by the pointwise kernel units.
//
// A functor is called on float vectors where that gives a float vector, else on scalars in a loop
// that the compiler vectorises (integers, bools, results that are bools). One with parameters has a
// constructor from `const double*`. Every element goes through the same instructions wherever it
// stands, so results do not depend on how the work was split.
#pragma once

#include "ops/pointwise.kernel.h"
#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

// Sets of dtypes a functor is instantiated for.
constexpr int kBools = 1, kInts = 2, kFloats = 4;
constexpr int kNumbers = kInts | kFloats, kAll = kBools | kNumbers;
// Added for a functor of two or three vectors: a block of rows as well. It pays where a few
// instructions do an element's work; `pow` of short rows took 1.7 times as long with one.
constexpr int kRows = 8;

template <class F>
CR_INLINE F make_functor(const double* params) {
  if constexpr (__is_empty(F)) {
    (void)params;
    return F{};
  } else {
    return F(params);
  }
}

// f of the first N of three arguments.
template <int N>
struct Arity {};
template <class F, class X>
CR_INLINE auto apply(Arity<1>, const F& f, X a, X, X) -> decltype(f(a)) {
  return f(a);
}
template <class F, class X>
CR_INLINE auto apply(Arity<2>, const F& f, X a, X b, X) -> decltype(f(a, b)) {
  return f(a, b);
}
template <class F, class X>
CR_INLINE auto apply(Arity<3>, const F& f, X a, X b, X c) -> decltype(f(a, b, c)) {
  return f(a, b, c);
}

template <int N, class F, class X>
using ResultOf = decltype(apply(Arity<N>{}, *static_cast<const F*>(nullptr), X{}, X{}, X{}));

// Does the functor turn float vectors into float vectors?
template <int N, class F, class T, class Result = void>
constexpr bool kMapsVectors = false;
template <int N, class F>
constexpr bool kMapsVectors<N, F, float, decltype(void(ResultOf<N, F, Vec<float>>{}))> =
    kSame<ResultOf<N, F, Vec<float>>, Vec<float>>;
template <int N, class F>
constexpr bool kMapsVectors<N, F, double, decltype(void(ResultOf<N, F, Vec<double>>{}))> =
    kSame<ResultOf<N, F, Vec<double>>, Vec<double>>;

template <class T>
CR_INLINE Vec<T> load_up_to(const T* p, int64_t left) {
  return left >= kLanes<T> ? load(p) : load_partial(p, static_cast<int>(left));
}

// Vectors that are computed side by side. A chain of dependent operations fills the processor's
// scheduler with waiting ones, unless those of other vectors come between (the compiler mixes
// them).
constexpr int kSideBySide = CR_VEC_BYTES >= 32 ? 4 : 2;

// Does the functor of one vector have a short form `usual`, and `rare` to tell the lanes where that
// is wrong? It is computed side by side without a branch; the long form, the functor itself, gives
// the same bits in the other lanes.
template <class F, class V, class Result = void>
constexpr bool kHasUsual = false;
template <class F, class V>
constexpr bool kHasUsual<F, V, decltype(void(&F::template usual<V>))> = true;

// The index of a contiguous input's element is masked with all ones, which costs nothing; that of
// a spread input with 0: it is one group of vectors, read again and again.
constexpr int64_t kContiguous = -1, kSpread = 0;

template <class F, class T>
__attribute__((noinline, cold)) void map_rare(const F& f, Vec<T>* y, const T* x) {
  for (int k = 0; k < kSideBySide; k++) y[k] = f(load(x + k * kLanes<T>));
}

template <int N, class F, class T>
CR_INLINE void map_row(const F& f, T* out, const T* const (&in)[3], const int64_t (&mask)[3],
                       int64_t n) {
  constexpr int kLanesOf = kLanes<T>;
  int64_t i = 0;
  for (; i + kSideBySide * kLanesOf <= n; i += kSideBySide * kLanesOf) {
    Vec<T> y[kSideBySide];
    if constexpr (N == 1 && kHasUsual<F, Vec<T>>) {
      y[0] = f.usual(load(in[0] + i));
      auto rare = f.rare(load(in[0] + i));
#pragma GCC unroll 8
      for (int k = 1; k < kSideBySide; k++) {
        const Vec<T> x = load(in[0] + i + k * kLanesOf);
        y[k] = f.usual(x);
        rare |= f.rare(x);
      }
      if (__builtin_expect(any(rare), 0)) map_rare(f, y, in[0] + i);
    } else {
#pragma GCC unroll 8
      for (int k = 0; k < kSideBySide; k++) {
        const int64_t j = k * kLanesOf;
        y[k] = apply(Arity<N>{}, f, load(in[0] + (i & mask[0]) + j),
                     load(in[1] + (i & mask[1]) + j), load(in[2] + (i & mask[2]) + j));
      }
    }
#pragma GCC unroll 8
    for (int k = 0; k < kSideBySide; k++) store(out + i + k * kLanesOf, y[k]);
  }
  // The last, partial vector shares the loop's code.
  for (; i < n; i += kLanesOf) {
    const int64_t left = n - i;
    Vec<T> x[3];
    x[0] = load_up_to(in[0] + (i & mask[0]), left);
    x[1] = N > 1 ? load_up_to(in[1] + (i & mask[1]), left) : x[0];
    x[2] = N > 2 ? load_up_to(in[2] + (i & mask[2]), left) : x[0];
    const Vec<T> y = apply(Arity<N>{}, f, x[0], x[1], x[2]);
    if (left >= kLanesOf) {
      store(out + i, y);
    } else {
      store_partial(out + i, y, static_cast<int>(left));
    }
  }
}

template <int N, class F, class T>
__attribute__((noinline, flatten)) void map_vectors(const F& f, T* out, const T* a, const T* b,
                                                    const T* c, int64_t n) {
  const F own = f;  // its parameters stay in registers: no store to `out` can change them
  map_row<N, F, T>(own, out, {a, b, c}, {kContiguous, kContiguous, kContiguous}, n);
}

template <int N, class F, class T>
__attribute__((flatten)) void map_rows(void* out, const void* const* in, const Rows& rows,
                                       const double* params) {
  const F f = make_functor<F>(params);
  constexpr int kGroup = kSideBySide * kLanes<T>;
  alignas(64) T groups[N][kGroup];
  const T* x[3];
  int64_t mask[3];
  for (int64_t r = 0; r < rows.count; r++) {
#pragma GCC unroll 3
    for (int k = 0; k < N; k++) {
      x[k] = reinterpret_cast<const T*>(static_cast<const char*>(in[k]) + r * rows.strides[k + 1]);
      mask[k] = rows.spread[k] ? kSpread : kContiguous;
      if (!rows.spread[k]) continue;
      const Vec<T> one = splat(*x[k]);
#pragma GCC unroll 8
      for (int j = 0; j < kGroup; j += kLanes<T>) store(groups[k] + j, one);
      x[k] = groups[k];
    }
    for (int k = N; k < 3; k++) {
      x[k] = x[0];
      mask[k] = mask[0];
    }
    T* to = reinterpret_cast<T*>(static_cast<char*>(out) + r * rows.strides[0]);
    map_row<N, F, T>(f, to, x, mask, rows.length);
  }
}

template <int N, class F, class T, class Out>
CR_NOINLINE __attribute__((flatten)) void map_scalars(const F& f, Out* out, const T* a, const T* b,
                                                      const T* c, int64_t n) {
  // `out` may be one of the inputs.
  CR_INDEPENDENT
  for (int64_t i = 0; i < n; i++) out[i] = apply(Arity<N>{}, f, a[i], b[i], c[i]);
}

template <int N, class F, class T>
void block(void* out, const void* const* in, int64_t n, const double* params) {
  const F f = make_functor<F>(params);
  const T* x[3];
  for (int k = 0; k < 3; k++) x[k] = static_cast<const T*>(in[k < N ? k : 0]);
  if constexpr (kMapsVectors<N, F, T>) {
    map_vectors<N>(f, static_cast<T*>(out), x[0], x[1], x[2], n);
  } else {
    using Out = ResultOf<N, F, T>;
    map_scalars<N>(f, static_cast<Out*>(out), x[0], x[1], x[2], n);
  }
}

// Two functors of one op: the second where its first parameter is not zero.
template <class Zero, class Other>
struct Either {};

template <int N, class F, class T>
struct BlockOf {
  static constexpr Block value = block<N, F, T>;
};
template <int N, class Zero, class Other, class T>
struct BlockOf<N, Either<Zero, Other>, T> {
  static void value(void* out, const void* const* in, int64_t n, const double* params) {
    (params[0] == 0 ? block<N, Zero, T> : block<N, Other, T>)(out, in, n, params);
  }
};

// A row of the table: the functor for every dtype of the set.
template <int N, class F, int Dtypes>
constexpr PointwiseEntry entry(const char* name) {
  PointwiseEntry e = {name, {}, {}};
  const auto set = [&e](DType dtype, Block function) {
    e.block[static_cast<int>(dtype)] = function;
  };
  if constexpr ((Dtypes & kBools) != 0) set(DType::kBool, BlockOf<N, F, bool>::value);
  if constexpr ((Dtypes & kInts) != 0) {
    set(DType::kUInt8, BlockOf<N, F, uint8_t>::value);
    set(DType::kUInt16, BlockOf<N, F, uint16_t>::value);
    set(DType::kUInt32, BlockOf<N, F, uint32_t>::value);
    set(DType::kUInt64, BlockOf<N, F, uint64_t>::value);
    set(DType::kInt8, BlockOf<N, F, int8_t>::value);
    set(DType::kInt16, BlockOf<N, F, int16_t>::value);
    set(DType::kInt32, BlockOf<N, F, int32_t>::value);
    set(DType::kInt64, BlockOf<N, F, int64_t>::value);
  }
  if constexpr ((Dtypes & kFloats) != 0) {
    set(DType::kFloat32, BlockOf<N, F, float>::value);
    set(DType::kFloat64, BlockOf<N, F, double>::value);
  }
  if constexpr ((Dtypes & kRows) != 0) {
    e.rows[static_cast<int>(DType::kFloat32)] = map_rows<N, F, float>;
    e.rows[static_cast<int>(DType::kFloat64)] = map_rows<N, F, double>;
  }
  return e;
}

template <class F, int Dtypes>
constexpr PointwiseEntry unary(const char* name) {
  return entry<1, F, Dtypes>(name);
}

template <class F, int Dtypes>
constexpr PointwiseEntry binary(const char* name) {
  return entry<2, F, Dtypes>(name);
}

template <class F, int Dtypes>
constexpr PointwiseEntry ternary(const char* name) {
  return entry<3, F, Dtypes>(name);
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr

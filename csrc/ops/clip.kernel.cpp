// Kernels of gradient clipping: what a norm adds up, and the two ways to make numbers smaller.
//
// Sums run in double, four vectors side by side: squares of large float32 numbers do not overflow,
// and a million small ones do not get lost beside a large one.
#include "ops/clip.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

typedef float HalfFloats __attribute__((vector_size(CR_VEC_BYTES / 2)));
typedef float HalfMemory
    __attribute__((vector_size(CR_VEC_BYTES / 2), aligned(alignof(float)), may_alias));

CR_INLINE Vec<double> load_wide(const float* p) {
  const HalfFloats narrow = *reinterpret_cast<const HalfMemory*>(p);
  return __builtin_convertvector(narrow, Vec<double>);
}
CR_INLINE Vec<double> load_wide(const double* p) { return load(p); }

// term(x) is what an element adds.
template <class T, class F>
CR_INLINE double sum_of(const void* data, int64_t n, F term) {
  constexpr int kWide = kLanes<double>;
  const T* const x = static_cast<const T*>(data);
  Vec<double> sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * kWide <= n; i += 4 * kWide) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sums[k] += term(load_wide(x + i + k * kWide));
  }
  const Vec<double> together = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double sum = 0;
  for (int lane = 0; lane < kWide; ++lane) sum += together[lane];
  for (; i < n; ++i) sum += term(splat<double>(x[i]))[0];
  return sum;
}

template <class T>
double magnitudes(const void* x, int64_t n) {
  return sum_of<T>(x, n, [](Vec<double> v) __attribute__((always_inline)) { return abs(v); });
}

template <class T>
double squares(const void* x, int64_t n) {
  return sum_of<T>(x, n, [](Vec<double> v) __attribute__((always_inline)) { return v * v; });
}

template <class T>
double largest(const void* data, int64_t n) {
  const T* const x = static_cast<const T*>(data);
  Vec<T> most{};
  int64_t i = 0;
  // The comparison is false for NaN on either side: one that came stays, one that comes is taken.
  const auto take = [&](Vec<T> v) __attribute__((always_inline)) {
    most = most >= v || most != most ? most : v;
  };
  for (; i + kLanes<T> <= n; i += kLanes<T>) take(abs(load(x + i)));
  if (i < n) take(abs(load_partial(x + i, static_cast<int>(n - i))));
  T result = 0;
  for (int lane = 0; lane < kLanes<T>; ++lane) {
    if (!(result >= most[lane]) && result == result) result = most[lane];
  }
  return static_cast<double>(result);
}

template <class T, class F>
CR_INLINE void map(void* data, int64_t n, F f) {
  T* const x = static_cast<T*>(data);
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) store(x + i, f(load(x + i)));
  if (const int rest = static_cast<int>(n - i)) {
    store_partial(x + i, f(load_partial(x + i, rest)), rest);
  }
}

template <class T>
void scale(void* x, int64_t n, double factor) {
  const Vec<T> by = splat<T>(static_cast<T>(factor));
  map<T>(x, n, [&](Vec<T> v) __attribute__((always_inline)) { return v * by; });
}

template <class T>
void clamp(void* x, int64_t n, double bound) {
  const Vec<T> top = splat<T>(static_cast<T>(bound));
  map<T>(x, n,
         [&](Vec<T> v) __attribute__((always_inline)) { return min_or_b(top, max_or_b(-top, v)); });
}

}  // namespace

extern const ClipTable clip_table;
const ClipTable clip_table = {{magnitudes<float>, magnitudes<double>},
                              {squares<float>, squares<double>},
                              {largest<float>, largest<double>},
                              {scale<float>, scale<double>},
                              {clamp<float>, clamp<double>}};

}  // namespace CR_ISA
}  // namespace cr

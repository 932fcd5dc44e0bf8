// Softmax and its relatives along rows of contiguous elements.
//
// Each row is read three times while it is in cache: largest element, exponentials and their sum,
// result. Subtracting the largest element first keeps every exponential in [0, 1].
#include "ops/softmax.kernel.h"

#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

// The last n < lanes elements; the lanes beyond hold `fill`.
template <class T>
CR_INLINE Vec<T> load_tail(const T* p, int64_t n, T fill) {
  T buffer[kLanes<T>];
  for (int i = 0; i < kLanes<T>; ++i) buffer[i] = fill;
  memcpy(buffer, p, static_cast<size_t>(n) * sizeof(T));
  return load(buffer);
}

// Calls f(vector, place, lanes) over a row; the tail is filled with `fill`.
template <class T, class F>
CR_INLINE void over_row(const T* x, int64_t n, T fill, F&& f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) f(load(x + i), i, kLanes<T>);
  if (i < n) f(load_tail(x + i, n - i, fill), i, static_cast<int>(n - i));
}

template <class T>
CR_INLINE void put(T* p, Vec<T> v, int lanes) {
  lanes == kLanes<T> ? store(p, v) : store_partial(p, v, lanes);
}

template <class T>
CR_INLINE T sum_lanes(Vec<T> v) {
  T lanes[kLanes<T>];
  store(lanes, v);
  for (int width = kLanes<T> / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  }
  return lanes[0];
}

template <class T>
CR_INLINE T row_max(const T* x, int64_t n) {
  Vec<T> best = splat(-kInfinity<T>);
  over_row(x, n, -kInfinity<T>, [&](Vec<T> v, int64_t, int) { best = v > best ? v : best; });
  T lanes[kLanes<T>];
  store(lanes, best);
  T result = lanes[0];
  for (int j = 1; j < kLanes<T>; ++j) result = lanes[j] > result ? lanes[j] : result;
  return result;
}

// Sum of exp(x - shift), optionally keeping the terms.
template <class T>
CR_INLINE T sum_exp(const T* x, int64_t n, T shift, T* terms) {
  Vec<T> sum = {};
  const Vec<T> offset = splat(shift);
  over_row(x, n, -kInfinity<T>, [&](Vec<T> v, int64_t i, int lanes) {
    const Vec<T> e = exp(v - offset);
    sum += e;
    if (terms) put(terms + i, e, lanes);
  });
  return sum_lanes<T>(sum);
}

template <class T>
CR_INLINE T scalar_log(T x) {
  return log(splat(x))[0];
}

template <class T>
void softmax(const void* input, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = static_cast<const T*>(input) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    const T total = sum_exp(x, n, row_max(x, n), out);
    const Vec<T> scale = splat(T(1) / total);
    over_row(out, n, T(0), [&](Vec<T> v, int64_t i, int lanes) { put(out + i, v * scale, lanes); });
  }
}

template <class T>
void log_softmax(const void* input, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = static_cast<const T*>(input) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    const T largest = row_max(x, n);
    const T log_total = scalar_log(sum_exp<T>(x, n, largest, nullptr));
    // Two subtractions: exact for the largest element, whatever its size.
    const Vec<T> shift = splat(largest), scale = splat(log_total);
    over_row(x, n, T(0),
             [&](Vec<T> v, int64_t i, int lanes) { put(out + i, (v - shift) - scale, lanes); });
  }
}

template <class T>
void logsumexp(const void* input, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* x = static_cast<const T*>(input) + row * n;
    T largest = row_max(x, n);
    if (largest == kInfinity<T> || largest == -kInfinity<T>) largest = 0;
    static_cast<T*>(output)[row] = largest + scalar_log(sum_exp<T>(x, n, largest, nullptr));
  }
}

template <class T>
void softmax_grad(const void* grad, const void* result, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* g = static_cast<const T*>(grad) + row * n;
    const T* y = static_cast<const T*>(result) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    Vec<T> sum = {};
    over_row(g, n, T(0), [&](Vec<T> v, int64_t i, int lanes) {
      sum += v * (lanes == kLanes<T> ? load(y + i) : load_tail(y + i, lanes, T(0)));
    });
    const Vec<T> total = splat(sum_lanes<T>(sum));
    over_row(g, n, T(0), [&](Vec<T> v, int64_t i, int lanes) {
      const Vec<T> p = lanes == kLanes<T> ? load(y + i) : load_tail(y + i, lanes, T(0));
      put(out + i, p * (v - total), lanes);
    });
  }
}

template <class T>
void log_softmax_grad(const void* grad, const void* result, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* g = static_cast<const T*>(grad) + row * n;
    const T* y = static_cast<const T*>(result) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    Vec<T> sum = {};
    over_row(g, n, T(0), [&](Vec<T> v, int64_t, int) { sum += v; });
    const Vec<T> total = splat(sum_lanes<T>(sum));
    over_row(g, n, T(0), [&](Vec<T> v, int64_t i, int lanes) {
      const Vec<T> p = exp(lanes == kLanes<T> ? load(y + i) : load_tail(y + i, lanes, T(0)));
      put(out + i, v - p * total, lanes);
    });
  }
}

template <class T>
void cross_entropy_grad(const void* result, const int64_t* labels, const void* scales,
                        int64_t stride, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* y = static_cast<const T*>(result) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    const T scale = labels[row] < 0 ? T(0) : static_cast<const T*>(scales)[row * stride];
    const Vec<T> factor = splat(scale);
    over_row(y, n, T(0),
             [&](Vec<T> v, int64_t i, int lanes) { put(out + i, exp(v) * factor, lanes); });
    if (labels[row] >= 0) out[labels[row]] -= scale;
  }
}

}  // namespace

#define CR_FLOATS(f) {f<float>, f<double>}
extern const SoftmaxTable softmax_table;
const SoftmaxTable softmax_table = {CR_FLOATS(softmax),          CR_FLOATS(log_softmax),
                                    CR_FLOATS(logsumexp),        CR_FLOATS(softmax_grad),
                                    CR_FLOATS(log_softmax_grad), CR_FLOATS(cross_entropy_grad)};

}  // namespace CR_ISA
}  // namespace cr

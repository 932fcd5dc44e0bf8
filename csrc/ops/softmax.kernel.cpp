// Softmax and its relatives along rows of contiguous elements, and across a stretch of columns.
//
// Each row is read three times while it is in cache: largest element, exponentials and their sum,
// result. Subtracting the largest element first keeps every exponential in [0, 1]. Short rows go in
// groups, whose logarithms are one vector.
#include "ops/softmax.kernel.h"

#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

// Rows of a group, and how much of the L1 cache it may take.
constexpr int kGroup = 16;
constexpr int64_t kGroupBytes = 16384;

// Calls f(vector, place, lanes) over a row; the tail is filled with `fill`.
template <class T, class F>
CR_INLINE void over_row(const T* x, int64_t n, T fill, F&& f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) f(load(x + i), i, kLanes<T>);
  if (i < n) f(load_partial(x + i, static_cast<int>(n - i), fill), i, static_cast<int>(n - i));
}

template <class T>
CR_INLINE void put(T* p, Vec<T> v, int lanes) {
  lanes == kLanes<T> ? store(p, v) : store_partial(p, v, lanes);
}

template <class T>
CR_INLINE T row_max(const T* x, int64_t n) {
  Vec<T> best = splat(-kInfinity<T>);
  over_row(x, n, -kInfinity<T>, [&](Vec<T> v, int64_t, int) { best = v > best ? v : best; });
  return fold_lanes<T>(best, [](Vec<T> a, Vec<T> b) { return a > b ? a : b; });
}

// e^x for x <= 0, a term of a sum that is at least 1: what is no normal number counts as zero.
template <class V>
CR_INLINE V exp_term(V x) {
#ifdef __AVX512F__
  return exp_nonpositive(x);
#else
  constexpr Lane<V> kMin = sizeof(Lane<V>) == 4 ? -88.0 : -709.1;  // from there on the factor is 0
  const ExpReduced<V> e = reduce_exp(max_or_b(opaque(V{} + kMin), x));
  return (expm1_poly(e.r) + Lane<V>(1)) * power_of_two<V>(e.n);
#endif
}

// Vectors of exponentials that are computed side by side: each is a chain of dependent operations.
constexpr int kSideBySide = CR_VEC_BYTES == 64 ? 4 : 2;

// Sum of exp(x - shift), optionally keeping the terms; with no x above the shift it is shorter.
template <class T, bool kBelowShift = true>
CR_INLINE T sum_exp(const T* x, int64_t n, T shift, T* terms) {
  constexpr int kLane = kLanes<T>;
  const Vec<T> offset = splat(shift);
  const auto term = [&](Vec<T> v) { return kBelowShift ? exp_term(v - offset) : exp(v - offset); };
  Vec<T> sums[kSideBySide] = {};
  int64_t i = 0;
  for (; i + kSideBySide * kLane <= n; i += kSideBySide * kLane) {
    Vec<T> e[kSideBySide];
#pragma GCC unroll 4
    for (int k = 0; k < kSideBySide; ++k) e[k] = term(load(x + i + k * kLane));
#pragma GCC unroll 4
    for (int k = 0; k < kSideBySide; ++k) {
      sums[k] += e[k];
      if (terms) store(terms + i + k * kLane, e[k]);
    }
  }
  Vec<T> sum = sums[0];
#pragma GCC unroll 4
  for (int k = 1; k < kSideBySide; ++k) sum += sums[k];
  over_row(x + i, n - i, -kInfinity<T>, [&](Vec<T> v, int64_t j, int lanes) {
    const Vec<T> e = term(v);
    sum += e;
    if (terms) put(terms + i + j, e, lanes);
  });
  return sum_lanes<T>(sum);
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

// Largest element and logarithm of the sum of exponentials (the largest taken off), of some rows.
template <class T>
struct GroupSums {
  T largest[kGroup], log_total[kGroup];

  // An infinite largest element stays, or gives way to 0.
  void compute(const T* x, int64_t rows, int64_t n, bool finite) {
    for (int j = 0; j < kGroup; ++j) log_total[j] = 1;
    for (int64_t j = 0; j < rows; ++j, x += n) {
      largest[j] = row_max(x, n);
      if (finite && __builtin_fabs(largest[j]) == kInfinity<T>) {
        largest[j] = 0;
        log_total[j] = sum_exp<T, false>(x, n, 0, nullptr);
      } else {
        log_total[j] = sum_exp<T>(x, n, largest[j], nullptr);
      }
    }
    for (int64_t j = 0; j < rows; j += kLanes<T>) store(log_total + j, log(load(log_total + j)));
  }
};

// f(first row, rows) over groups of rows of n elements.
template <class T, class F>
CR_INLINE void over_groups(int64_t rows, int64_t n, F&& f) {
  const int64_t fitting = kGroupBytes / (n * static_cast<int64_t>(sizeof(T)));
  const int64_t group = fitting < 1 ? 1 : fitting > kGroup ? kGroup : fitting;
  for (int64_t row = 0; row < rows; row += group) f(row, rows - row < group ? rows - row : group);
}

template <class T>
void log_softmax(const void* input, void* output, int64_t rows, int64_t n) {
  over_groups<T>(rows, n, [&](int64_t row, int64_t count) {
    const T* x = static_cast<const T*>(input) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    GroupSums<T> sums;
    sums.compute(x, count, n, false);
    for (int64_t j = 0; j < count; ++j, x += n, out += n) {
      // Two subtractions: exact for the largest element, whatever its size.
      const Vec<T> shift = splat(sums.largest[j]), scale = splat(sums.log_total[j]);
      over_row(x, n, T(0),
               [&](Vec<T> v, int64_t i, int lanes) { put(out + i, (v - shift) - scale, lanes); });
    }
  });
}

template <class T>
void logsumexp(const void* input, void* output, int64_t rows, int64_t n) {
  over_groups<T>(rows, n, [&](int64_t row, int64_t count) {
    GroupSums<T> sums;
    sums.compute(static_cast<const T*>(input) + row * n, count, n, true);
    T* out = static_cast<T*>(output) + row;
    for (int64_t j = 0; j < count; ++j) out[j] = sums.largest[j] + sums.log_total[j];
  });
}

template <class T>
void softmax_grad(const void* grad, const void* result, void* output, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* g = static_cast<const T*>(grad) + row * n;
    const T* y = static_cast<const T*>(result) + row * n;
    T* out = static_cast<T*>(output) + row * n;
    Vec<T> sum = {};
    over_row(g, n, T(0), [&](Vec<T> v, int64_t i, int lanes) {
      sum += v * (lanes == kLanes<T> ? load(y + i) : load_partial(y + i, lanes));
    });
    const Vec<T> total = splat(sum_lanes<T>(sum));
    over_row(g, n, T(0), [&](Vec<T> v, int64_t i, int lanes) {
      const Vec<T> p = lanes == kLanes<T> ? load(y + i) : load_partial(y + i, lanes);
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
      const Vec<T> p = exp(lanes == kLanes<T> ? load(y + i) : load_partial(y + i, lanes));
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

// ---------------------------------------------------------------- columns

// One number per column. Sums are formed over blocks of lines, so that long ones stay accurate.
constexpr int64_t kBlockLines = 128;
template <class T>
using Line = T[kSoftmaxColumns];

// total[j] = the sum over n lines of f(vector of the line, place in x, j, lanes).
template <class T, class F>
CR_INLINE void sum_columns(const T* x, int64_t n, int64_t inner, int64_t width, T fill,
                           Line<T>& total, F&& f) {
  for (T& t : total) t = 0;
  for (int64_t begin = 0; begin < n; begin += kBlockLines) {
    const int64_t end = n - begin < kBlockLines ? n : begin + kBlockLines;
    Line<T> part = {};
    for (int64_t i = begin; i < end; ++i) {
      over_row(x + i * inner, width, fill, [&](Vec<T> v, int64_t j, int lanes) {
        store(part + j, load(part + j) + f(v, i * inner + j, j, lanes));
      });
    }
    for (int64_t j = 0; j < width; j += kLanes<T>) {
      store(total + j, load(total + j) + load(part + j));
    }
  }
}

template <class T>
CR_INLINE void largest_of_columns(const T* x, int64_t n, int64_t inner, int64_t width,
                                  Line<T>& largest) {
  for (T& best : largest) best = -kInfinity<T>;
  for (int64_t i = 0; i < n; ++i) {
    over_row(x + i * inner, width, -kInfinity<T>, [&](Vec<T> v, int64_t j, int) {
      const Vec<T> best = load(largest + j);
      store(largest + j, v > best ? v : best);
    });
  }
}

template <class T>
void logsumexp_columns(const void* input, void* output, int64_t n, int64_t inner, int64_t width) {
  const T* x = static_cast<const T*>(input);
  Line<T> largest, total;
  largest_of_columns(x, n, inner, width, largest);
  bool finite = true;
  for (int64_t j = 0; j < width; ++j) {
    if (__builtin_fabs(largest[j]) != kInfinity<T>) continue;
    largest[j] = 0;
    finite = false;
  }
  const auto shifted = [&](Vec<T> v, int64_t j) { return v - load(largest + j); };
  if (finite) {
    sum_columns(x, n, inner, width, -kInfinity<T>, total,
                [&](Vec<T> v, int64_t, int64_t j, int) { return exp_term(shifted(v, j)); });
  } else {
    sum_columns(x, n, inner, width, -kInfinity<T>, total,
                [&](Vec<T> v, int64_t, int64_t j, int) { return exp(shifted(v, j)); });
  }
  for (int64_t j = 0; j < width; j += kLanes<T>) {
    const Vec<T> sum = load(largest + j) + log(load(total + j));
    const int lanes = static_cast<int>(width - j < kLanes<T> ? width - j : kLanes<T>);
    put(static_cast<T*>(output) + j, sum, lanes);
  }
}

template <class T, bool Log>
void columns(const void* input, void* output, int64_t n, int64_t inner, int64_t width) {
  const T* x = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  Line<T> largest, total;
  largest_of_columns(x, n, inner, width, largest);
  sum_columns(x, n, inner, width, -kInfinity<T>, total,
              [&](Vec<T> v, int64_t at, int64_t j, int lanes) {
                const Vec<T> e = exp_term(v - load(largest + j));
                if constexpr (!Log) put(out + at, e, lanes);
                return e;
              });
  for (int64_t j = 0; j < width; j += kLanes<T>) {
    const Vec<T> sum = load(total + j);
    store(total + j, Log ? log(sum) : splat(T(1)) / sum);
  }
  for (int64_t i = 0; i < n; ++i) {
    over_row((Log ? x : out) + i * inner, width, T(0), [&](Vec<T> v, int64_t j, int lanes) {
      const Vec<T> scale = load(total + j);
      put(out + i * inner + j, Log ? (v - load(largest + j)) - scale : v * scale, lanes);
    });
  }
}

template <class T, bool Log>
void grad_columns(const void* grad, const void* result, void* output, int64_t n, int64_t inner,
                  int64_t width) {
  const T *g = static_cast<const T*>(grad), *y = static_cast<const T*>(result);
  T* out = static_cast<T*>(output);
  const auto result_at = [&](int64_t at, int lanes) {
    return lanes == kLanes<T> ? load(y + at) : load_partial(y + at, lanes);
  };
  Line<T> total;
  sum_columns(g, n, inner, width, T(0), total, [&](Vec<T> v, int64_t at, int64_t, int lanes) {
    return Log ? v : v * result_at(at, lanes);
  });
  for (int64_t i = 0; i < n; ++i) {
    over_row(g + i * inner, width, T(0), [&](Vec<T> v, int64_t j, int lanes) {
      const int64_t at = i * inner + j;
      const Vec<T> p = result_at(at, lanes), sum = load(total + j);
      put(out + at, Log ? v - exp(p) * sum : p * (v - sum), lanes);
    });
  }
}

}  // namespace

#define CR_FLOATS(f) {f<float>, f<double>}
#define CR_COLUMNS(f, log) {f<float, log>, f<double, log>}
extern const SoftmaxTable softmax_table;
const SoftmaxTable softmax_table = {CR_FLOATS(softmax),
                                    CR_FLOATS(log_softmax),
                                    CR_FLOATS(logsumexp),
                                    CR_FLOATS(softmax_grad),
                                    CR_FLOATS(log_softmax_grad),
                                    CR_FLOATS(cross_entropy_grad),
                                    CR_COLUMNS(columns, false),
                                    CR_COLUMNS(columns, true),
                                    CR_FLOATS(logsumexp_columns),
                                    CR_COLUMNS(grad_columns, false),
                                    CR_COLUMNS(grad_columns, true)};

}  // namespace CR_ISA
}  // namespace cr

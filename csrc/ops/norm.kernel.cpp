// Normalization of planes, columns and rows.
//
// Sums run over blocks of 4,096 elements: in vectors of T within a block, in double across blocks.
// The variance is the corrected two-pass one (Chan, Golub and LeVeque 1983): distances from the
// block's mean, read again from L1, and the blocks combined by the formula of parallel variance.
// No difference of large squares occurs, so a mean far from zero costs no digits. Columns are taken
// four vectors wide, with the same sums over blocks of 128 rows.
#include "ops/norm.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kBlock = 4096;
constexpr int kUnroll = 4;

// The first `lanes` elements; the others hold `fill`.
template <class T>
CR_INLINE Vec<T> get(const T* p, int lanes, T fill = 0) {
  return lanes == kLanes<T> ? load(p) : load_partial(p, lanes, fill);
}

template <class T>
CR_INLINE void put(T* p, Vec<T> v, int lanes) {
  lanes == kLanes<T> ? store(p, v) : store_partial(p, v, lanes);
}

// Calls f(place, lanes) for every vector of n elements.
template <class T, class F>
CR_INLINE void over(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) f(i, kLanes<T>);
  if (i < n) f(i, static_cast<int>(n - i));
}

// Adds K sums over [begin, end) to `sums`: add(place, lanes, acc) adds a vector to each acc[k].
template <class T, int K, class F>
CR_INLINE void sum_block(int64_t begin, int64_t end, double* sums, F&& add) {
  Vec<T> acc[kUnroll][K] = {};
  int64_t i = begin;
  for (; i + kUnroll * kLanes<T> <= end; i += kUnroll * kLanes<T>) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) add(i + u * kLanes<T>, kLanes<T>, acc[u]);
  }
  for (; i + kLanes<T> <= end; i += kLanes<T>) add(i, kLanes<T>, acc[0]);
  if (i < end) add(i, static_cast<int>(end - i), acc[1]);
#pragma GCC unroll 2
  for (int k = 0; k < K; ++k) {
    sums[k] += sum_lanes<T>((acc[0][k] + acc[1][k]) + (acc[2][k] + acc[3][k]));
  }
}

template <class T, int K, class F>
CR_INLINE void sum_all(int64_t n, double* sums, F&& add) {
  for (int k = 0; k < K; ++k) sums[k] = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    sum_block<T, K>(begin, begin + kBlock < n ? begin + kBlock : n, sums, add);
  }
}

template <class T>
void moments(const T* x, int64_t n, double* mean, double* squares) {
  double total_mean = 0, total_squares = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    double sum = 0, around[2] = {};
    sum_block<T, 1>(begin, end, &sum,
                    [&](int64_t i, int lanes, Vec<T>* acc) { acc[0] += get(x + i, lanes); });
    const double count = static_cast<double>(end - begin);
    const T center = static_cast<T>(sum / count);
    sum_block<T, 2>(begin, end, around, [&](int64_t i, int lanes, Vec<T>* acc) {
      const Vec<T> d = get(x + i, lanes, center) - splat(center);
      acc[0] += d;
      acc[1] += d * d;
    });
    const double rest = around[0] / count;  // what rounding left out of the center
    const double block_mean = static_cast<double>(center) + rest;
    const double block_squares = around[1] - around[0] * rest;
    const double before = static_cast<double>(begin), after = static_cast<double>(end);
    const double step = block_mean - total_mean;
    total_mean += step * (count / after);
    total_squares += block_squares + step * step * (before * count / after);
  }
  *mean = total_mean;
  *squares = total_squares > 0 || total_squares != total_squares ? total_squares : 0;
}

template <class T>
void affine(const T* x, int64_t n, T mean, T scale, T shift, T* out) {
  const Vec<T> m = splat(mean), a = splat(scale), b = splat(shift);
  over<T>(n, [&](int64_t i, int lanes) { put(out + i, (get(x + i, lanes) - m) * a + b, lanes); });
}

template <class T>
void grad_sums(const T* g, const T* x, int64_t n, T mean, double* sums) {
  const Vec<T> m = splat(mean);
  sum_all<T, 2>(n, sums, [&](int64_t i, int lanes, Vec<T>* acc) {
    const Vec<T> grad = get(g + i, lanes);
    acc[0] += grad;
    acc[1] += grad * (get(x + i, lanes, mean) - m);
  });
}

template <class T>
void grad_input(const T* g, const T* x, int64_t n, T mean, T a, T b, T c, T* dx) {
  const Vec<T> m = splat(mean), va = splat(a), vb = splat(b), vc = splat(c);
  over<T>(n, [&](int64_t i, int lanes) {
    put(dx + i, va * get(g + i, lanes) + (vb * (get(x + i, lanes) - m) + vc), lanes);
  });
}

template <class T>
void rows(const T* x, const T* weight, const T* bias, int64_t rows, int64_t n, double eps,
          bool centered, T* out, T* mean, T* var) {
  for (int64_t row = 0; row < rows; ++row, x += n, out += n) {
    double center = 0, squares;
    if (centered) {
      moments(x, n, &center, &squares);
    } else {
      sum_all<T, 1>(n, &squares, [&](int64_t i, int lanes, Vec<T>* acc) {
        const Vec<T> v = get(x + i, lanes);
        acc[0] += v * v;
      });
    }
    mean[row] = static_cast<T>(center);
    var[row] = static_cast<T>(squares / static_cast<double>(n));
    const Vec<T> m = splat(mean[row]);
    const Vec<T> scale =
        splat(static_cast<T>(1 / __builtin_sqrt(static_cast<double>(var[row]) + eps)));
    over<T>(n, [&](int64_t i, int lanes) {
      Vec<T> v = (get(x + i, lanes) - m) * scale;
      if (weight) v *= get(weight + i, lanes);
      if (bias) v += get(bias + i, lanes);
      put(out + i, v, lanes);
    });
  }
}

template <class T>
void rows_grad(const T* g, const T* x, const T* weight, const T* mean, const T* var, int64_t rows,
               int64_t n, double eps, bool centered, T* dx, T* dweight, T* dbias) {
  for (int64_t row = 0; row < rows; ++row, g += n, x += n, dx += n) {
    const double inverse = 1 / __builtin_sqrt(static_cast<double>(var[row]) + eps);
    const Vec<T> m = splat(mean[row]), scale = splat(static_cast<T>(inverse));
    const auto scaled = [&](int64_t i, int lanes) {
      const Vec<T> grad = get(g + i, lanes);
      return weight ? grad * get(weight + i, lanes) : grad;
    };
    double sums[2];
    sum_all<T, 2>(n, sums, [&](int64_t i, int lanes, Vec<T>* acc) {
      const Vec<T> h = scaled(i, lanes), d = get(x + i, lanes, mean[row]) - m;
      acc[0] += h;
      acc[1] += h * d;
      if (dweight) {
        const Vec<T> grad = get(g + i, lanes);
        put(dweight + i, get(dweight + i, lanes) + grad * (d * scale), lanes);
        put(dbias + i, get(dbias + i, lanes) + grad, lanes);
      }
    });
    const double count = static_cast<double>(n);
    const Vec<T> b = splat(static_cast<T>(-sums[1] * inverse * inverse * inverse / count));
    const Vec<T> c = splat(static_cast<T>(centered ? -sums[0] * inverse / count : 0));
    over<T>(n, [&](int64_t i, int lanes) {
      put(dx + i, scale * scaled(i, lanes) + (b * (get(x + i, lanes) - m) + c), lanes);
    });
  }
}

// ---------------------------------------------------------------- columns

// V vectors of columns; `lanes` of the last are in use.
template <class T, int V>
struct Strip {
  static constexpr int kWidth = V * kLanes<T>;
  int64_t rows, stride;
  int lanes;

  int width() const { return kWidth - kLanes<T> + lanes; }
  Vec<T> at(const T* row, int v) const {
    return v + 1 < V ? load(row + v * kLanes<T>) : get(row + v * kLanes<T>, lanes);
  }
};

// sums[k][j]: the sum over the rows of what add(row offset, v, acc) adds to acc[k] in column j.
template <class T, int V, int K, class F>
CR_INLINE void sum_columns(const Strip<T, V>& strip, double (&sums)[K][V * kLanes<T>], F&& add) {
  constexpr int64_t kRows = 128;
  memset(sums, 0, sizeof(sums));
  for (int64_t begin = 0; begin < strip.rows; begin += kRows) {
    const int64_t end = begin + kRows < strip.rows ? begin + kRows : strip.rows;
    Vec<T> acc[V][K] = {};
    for (int64_t row = begin; row < end; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) add(row * strip.stride, v, acc[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
#pragma GCC unroll 2
      for (int k = 0; k < K; ++k) {
        T lanes[kLanes<T>];
        store(lanes, acc[v][k]);
        for (int j = 0; j < kLanes<T>; ++j) sums[k][v * kLanes<T> + j] += lanes[j];
      }
    }
  }
}

template <class T, int V>
CR_INLINE void norm_strip(const Strip<T, V>& strip, const T* x, const T* weight, const T* bias,
                          double eps, T* out, T* mean, T* var) {
  constexpr int L = kLanes<T>;
  const double count = static_cast<double>(strip.rows);
  double sum[1][V * L], around[2][V * L];
  T center[V * L] = {}, scale[V * L] = {}, shift[V * L] = {};
  sum_columns<T, V, 1>(strip, sum,
                       [&](int64_t row, int v, Vec<T>* acc) { acc[0] += strip.at(x + row, v); });
  for (int j = 0; j < V * L; ++j) center[j] = static_cast<T>(sum[0][j] / count);
  sum_columns<T, V, 2>(strip, around, [&](int64_t row, int v, Vec<T>* acc) {
    const Vec<T> d = strip.at(x + row, v) - load(center + v * L);
    acc[0] += d;
    acc[1] += d * d;
  });
  for (int j = 0; j < strip.width(); ++j) {
    const double rest = around[0][j] / count;
    const double squares = around[1][j] - around[0][j] * rest;
    mean[j] = center[j] = static_cast<T>(static_cast<double>(center[j]) + rest);
    var[j] = static_cast<T>((squares < 0 ? 0 : squares) / count);
    const double inverse = 1 / __builtin_sqrt(static_cast<double>(var[j]) + eps);
    scale[j] = static_cast<T>(weight ? inverse * static_cast<double>(weight[j]) : inverse);
    shift[j] = bias ? bias[j] : T(0);
  }
  for (int64_t row = 0; row < strip.rows; ++row) {
    const int64_t at = row * strip.stride;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec<T> d = strip.at(x + at, v) - load(center + v * L);
      put(out + at + v * L, d * load(scale + v * L) + load(shift + v * L),
          v + 1 < V ? L : strip.lanes);
    }
  }
}

template <class T, int V>
CR_INLINE void grad_strip(const Strip<T, V>& strip, const T* g, const T* x, const T* weight,
                          const T* mean, const T* var, double eps, T* dx, T* dweight, T* dbias) {
  constexpr int L = kLanes<T>;
  const double count = static_cast<double>(strip.rows);
  double sums[2][V * L];
  T a[V * L] = {}, b[V * L] = {}, c[V * L] = {}, center[V * L] = {};
  for (int j = 0; j < strip.width(); ++j) center[j] = mean[j];
  sum_columns<T, V, 2>(strip, sums, [&](int64_t row, int v, Vec<T>* acc) {
    const Vec<T> grad = strip.at(g + row, v);
    acc[0] += grad;
    acc[1] += grad * (strip.at(x + row, v) - load(center + v * L));
  });
  for (int j = 0; j < strip.width(); ++j) {
    const double inverse = 1 / __builtin_sqrt(static_cast<double>(var[j]) + eps);
    const double scale = weight ? inverse * static_cast<double>(weight[j]) : inverse;
    a[j] = static_cast<T>(scale);
    b[j] = static_cast<T>(-scale * inverse * inverse * sums[1][j] / count);
    c[j] = static_cast<T>(-scale * sums[0][j] / count);
    dweight[j] = static_cast<T>(sums[1][j] * inverse);
    dbias[j] = static_cast<T>(sums[0][j]);
  }
  for (int64_t row = 0; row < strip.rows; ++row) {
    const int64_t at = row * strip.stride;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const Vec<T> d = strip.at(x + at, v) - load(center + v * L);
      put(dx + at + v * L,
          load(a + v * L) * strip.at(g + at, v) + (load(b + v * L) * d + load(c + v * L)),
          v + 1 < V ? L : strip.lanes);
    }
  }
}

// Calls f(strip, first column) for strips of four vectors, then of one.
template <class T, class F>
CR_INLINE void over_strips(int64_t rows, int64_t stride, int64_t width, F&& f) {
  constexpr int L = kLanes<T>;
  int64_t j = 0;
  for (; j + 4 * L <= width; j += 4 * L) f(Strip<T, 4>{rows, stride, L}, j);
  for (; j < width; j += L) {
    f(Strip<T, 1>{rows, stride, static_cast<int>(width - j < L ? width - j : L)}, j);
  }
}

template <class T>
void columns(const T* x, const T* weight, const T* bias, int64_t rows, int64_t stride,
             int64_t width, double eps, T* out, T* mean, T* var) {
  over_strips<T>(rows, stride, width, [&](const auto& strip, int64_t j) {
    norm_strip(strip, x + j, weight ? weight + j : nullptr, bias ? bias + j : nullptr, eps, out + j,
               mean + j, var + j);
  });
}

template <class T>
void columns_grad(const T* g, const T* x, const T* weight, const T* mean, const T* var,
                  int64_t rows, int64_t stride, int64_t width, double eps, T* dx, T* dweight,
                  T* dbias) {
  over_strips<T>(rows, stride, width, [&](const auto& strip, int64_t j) {
    grad_strip(strip, g + j, x + j, weight ? weight + j : nullptr, mean + j, var + j, eps, dx + j,
               dweight + j, dbias + j);
  });
}

template <class T>
constexpr NormKernels<T> kKernels = {moments<T>, affine<T>,       grad_sums<T>, grad_input<T>,
                                     columns<T>, columns_grad<T>, rows<T>,      rows_grad<T>};

}  // namespace

extern const NormTable norm_table;
const NormTable norm_table = {kKernels<float>, kKernels<double>};

}  // namespace CR_ISA
}  // namespace cr

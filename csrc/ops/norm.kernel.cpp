// Normalization of planes, columns and rows.
//
// Sums run over blocks of 4,096 elements: in vectors of T within a block, in double across blocks.
// The variance is the corrected two-pass one (Chan, Golub and LeVeque 1983): distances from the
// block's mean, read again from L1, and the blocks combined by the formula of parallel variance.
// No difference of large squares occurs, so a mean far from zero costs no digits. Short rows go in
// groups, one row a lane once their sums are down to a vector each: to finish a sum takes as long
// as to read several hundred elements. Columns are taken four vectors wide, with the same sums over
// blocks of 128 rows.
#include "ops/norm.kernel.h"

#include "simd/rectify.h"
#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kBlock = 4096;
constexpr int kUnroll = 4;
constexpr int64_t kGroupBytes = 1 << 15;

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

// K sums over [begin, end), lane by lane: add(place, lanes, acc) adds a vector to each acc[k].
template <class T, int K, class F>
CR_INLINE void add_up(int64_t begin, int64_t end, Vec<T> (&sums)[K], F&& add) {
  Vec<T> acc[kUnroll][K] = {};
  int64_t i = begin;
  for (; i + kUnroll * kLanes<T> <= end; i += kUnroll * kLanes<T>) {
#pragma GCC unroll 4
    for (int u = 0; u < kUnroll; ++u) add(i + u * kLanes<T>, kLanes<T>, acc[u]);
  }
  for (; i + kLanes<T> <= end; i += kLanes<T>) add(i, kLanes<T>, acc[0]);
  if (i < end) add(i, static_cast<int>(end - i), acc[1]);
#pragma GCC unroll 2
  for (int k = 0; k < K; ++k) sums[k] = (acc[0][k] + acc[1][k]) + (acc[2][k] + acc[3][k]);
}

// The same, added to `sums`.
template <class T, int K, class F>
CR_INLINE void sum_block(int64_t begin, int64_t end, double* sums, F&& add) {
  Vec<T> lanes[K];
  add_up<T, K>(begin, end, lanes, add);
#pragma GCC unroll 2
  for (int k = 0; k < K; ++k) sums[k] += sum_lanes<T>(lanes[k]);
}

// Lane r of sums[k]: the sum over row r of n elements, of `count` rows: add(row, place, lanes,
// acc).
template <class T, int K, class F>
CR_INLINE void sum_rows(int64_t count, int64_t n, Vec<T> (&sums)[K], F&& add) {
  if (count == 1) {  // the same numbers, sooner
    add_up<T, K>(0, n, sums, [&](int64_t i, int width, Vec<T>* acc) { add(0, i, width, acc); });
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k) sums[k] = splat(sum_lanes<T>(sums[k]));
    return;
  }
  Vec<T> lanes[K][kLanes<T>] = {};
  for (int64_t r = 0; r < count; ++r) {
    Vec<T> row[K];
    add_up<T, K>(0, n, row, [&](int64_t i, int width, Vec<T>* acc) { add(r, i, width, acc); });
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k) lanes[k][r] = row[k];
  }
#pragma GCC unroll 2
  for (int k = 0; k < K; ++k) sums[k] = sums_of_lanes<T>(lanes[k]);
}

// f(first row, rows) over groups of rows that stay in L1 while they are read again.
template <class T, class F>
CR_INLINE void over_groups(int64_t rows, int64_t n, F&& f) {
  const int64_t fitting = kGroupBytes / (static_cast<int64_t>(sizeof(T)) * n);
  const int64_t group = fitting < 1 ? 1 : fitting > kLanes<T> ? kLanes<T> : fitting;
  for (int64_t row = 0; row < rows; row += group) f(row, rows - row < group ? rows - row : group);
}

// ---------------------------------------------------------------- moments

// Of up to kLanes rows, `stride` apart, of at most kBlock elements.
template <class T>
CR_INLINE void moments_of_group(const T* x, int64_t count, int64_t stride, int64_t n, bool centered,
                                double* mean, double* squares) {
  const Vec<T> number = splat(static_cast<T>(n));
  Vec<T> center = {}, sum[1], around[2];
  if (centered) {
    sum_rows<T, 1>(count, n, sum, [&](int64_t r, int64_t i, int lanes, Vec<T>* acc) {
      acc[0] += get(x + r * stride + i, lanes);
    });
    center = sum[0] / number;
  }
  T centers[kLanes<T>], rests[kLanes<T>], totals[kLanes<T>];
  store(centers, center);
  sum_rows<T, 2>(count, n, around, [&](int64_t r, int64_t i, int lanes, Vec<T>* acc) {
    const Vec<T> d = get(x + r * stride + i, lanes, centers[r]) - splat(centers[r]);
    acc[0] += d;
    acc[1] += d * d;
  });
  const Vec<T> rest = centered ? around[0] / number : Vec<T>{};  // what rounding left out
  const Vec<T> total = around[1] - around[0] * rest;
  store(rests, rest);
  store(totals, total < T(0) ? Vec<T>{} : total);
  for (int64_t r = 0; r < count; ++r) {
    mean[r] = static_cast<double>(centers[r]) + static_cast<double>(rests[r]);
    squares[r] = static_cast<double>(totals[r]);
  }
}

// Of a row of any length.
template <class T>
void moments_of_row(const T* x, int64_t n, bool centered, double* mean, double* squares) {
  double total_mean = 0, total_squares = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    double block_mean, block_squares;
    moments_of_group(x + begin, 1, 0, end - begin, centered, &block_mean, &block_squares);
    const double before = static_cast<double>(begin), after = static_cast<double>(end);
    const double count = after - before, step = block_mean - total_mean;
    total_mean += step * (count / after);
    total_squares += block_squares + step * step * (before * count / after);
  }
  *mean = total_mean;
  *squares = total_squares;
}

template <class T>
void moments(const T* x, int64_t rows, int64_t stride, int64_t n, bool centered, double* mean,
             double* squares) {
  if (n > kBlock) {
    for (int64_t r = 0; r < rows; ++r) {
      moments_of_row(x + r * stride, n, centered, mean + r, squares + r);
    }
    return;
  }
  over_groups<T>(rows, n, [&](int64_t row, int64_t count) {
    moments_of_group(x + row * stride, count, stride, n, centered, mean + row, squares + row);
  });
}

// ---------------------------------------------------------------- planes

template <class T>
void affine(const PlaneRows<T>& p, const T* scale, const T* shift, T* out) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const Vec<T> m = splat(p.mean[r * p.mean_step]), a = splat(scale[r * p.step]);
    const Vec<T> b = splat(shift ? shift[r * p.step] : T(0));
    const Vec<T> least = splat(p.rectify ? T(0) : static_cast<T>(-__builtin_inf()));
    const T* from = p.x + r * p.stride;
    T* to = out + r * p.stride;
    over<T>(p.n, [&](int64_t i, int lanes) {
      const Vec<T> v = (get(from + i, lanes) - m) * a + b;
      put(to + i, at_least(least, v), lanes);
    });
  }
}

template <class T>
void grad_sums(const PlaneRows<T>& p, const T* g, double* sums) {
  const auto add = [&](int64_t r, int64_t i, int lanes, Vec<T>* acc) {
    const T mean = p.mean[r * p.mean_step];
    const Vec<T> grad = get(g + r * p.stride + i, lanes);
    acc[0] += grad;
    acc[1] += grad * (get(p.x + r * p.stride + i, lanes, mean) - splat(mean));
  };
  if (p.n > kBlock) {
    for (int64_t r = 0; r < p.rows; ++r) {
      double* total = sums + 2 * r;
      total[0] = total[1] = 0;
      for (int64_t begin = 0; begin < p.n; begin += kBlock) {
        sum_block<T, 2>(begin, begin + kBlock < p.n ? begin + kBlock : p.n, total,
                        [&](int64_t i, int lanes, Vec<T>* acc) { add(r, i, lanes, acc); });
      }
    }
    return;
  }
  for (int64_t row = 0; row < p.rows; row += kLanes<T>) {
    const int64_t count = p.rows - row < kLanes<T> ? p.rows - row : kLanes<T>;
    Vec<T> lanes[2];
    sum_rows<T, 2>(count, p.n, lanes, [&](int64_t r, int64_t i, int width, Vec<T>* acc) {
      add(row + r, i, width, acc);
    });
    T values[2][kLanes<T>];
    store(values[0], lanes[0]);
    store(values[1], lanes[1]);
    for (int64_t r = 0; r < count; ++r) {
      sums[2 * (row + r)] = static_cast<double>(values[0][r]);
      sums[2 * (row + r) + 1] = static_cast<double>(values[1][r]);
    }
  }
}

template <class T>
void grad_input(const PlaneRows<T>& p, const T* g, const T* scale, const T* slope, const T* level,
                T* dx) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const Vec<T> m = splat(p.mean[r * p.mean_step]), a = splat(scale[r * p.step]);
    const Vec<T> b = splat(slope[r * p.mean_step]), c = splat(level[r * p.mean_step]);
    const T *grad = g + r * p.stride, *from = p.x + r * p.stride;
    T* to = dx + r * p.stride;
    over<T>(p.n, [&](int64_t i, int lanes) {
      put(to + i, a * get(grad + i, lanes) + (b * (get(from + i, lanes) - m) + c), lanes);
    });
  }
}

// ---------------------------------------------------------------- rows

template <class T>
void rows(const T* x, const T* weight, const T* bias, int64_t rows, int64_t n, double eps,
          bool centered, T* out, T* mean, T* var) {
  over_groups<T>(rows, n, [&](int64_t first, int64_t count) {
    double center[kLanes<T>], squares[kLanes<T>];
    moments(x + first * n, count, n, n, centered, center, squares);
    for (int64_t row = first; row < first + count; ++row) {
      mean[row] = static_cast<T>(center[row - first]);
      var[row] = static_cast<T>(squares[row - first] / static_cast<double>(n));
      const Vec<T> m = splat(mean[row]);
      const Vec<T> scale =
          splat(static_cast<T>(1 / __builtin_sqrt(static_cast<double>(var[row]) + eps)));
      const T* from = x + row * n;
      T* to = out + row * n;
      over<T>(n, [&](int64_t i, int lanes) {
        Vec<T> v = (get(from + i, lanes) - m) * scale;
        if (weight) v *= get(weight + i, lanes);
        if (bias) v += get(bias + i, lanes);
        put(to + i, v, lanes);
      });
    }
  });
}

// R rows at a time, so that the sums of weight and bias are read and written once for all of them.
// A row's numbers do not depend on R.
template <class T, int R, bool kWeight, bool kSums>
CR_INLINE void grad_of_rows(const T* g, const T* x, const T* weight, const T* mean, const T* var,
                            int64_t n, double eps, bool centered, T* dx, T* dweight, T* dbias) {
  constexpr int64_t kPart = 64 * kLanes<T>;
  double inverse[R], sums[R][2] = {};
  Vec<T> center[R], scale[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    inverse[r] = 1 / __builtin_sqrt(static_cast<double>(var[r]) + eps);
    center[r] = splat(mean[r]);
    scale[r] = splat(static_cast<T>(inverse[r]));
  }
  for (int64_t begin = 0; begin < n; begin += kPart) {
    Vec<T> acc[R][2] = {};
    over<T>(n - begin < kPart ? n - begin : kPart, [&](int64_t place, int lanes) {
      const int64_t i = begin + place;
      const Vec<T> w = kWeight ? get(weight + i, lanes) : splat(T(1));
      Vec<T> dw = {}, db = {};
      if (kSums) {
        dw = get(dweight + i, lanes);
        db = get(dbias + i, lanes);
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const Vec<T> grad = opaque(get(g + r * n + i, lanes));  // read once
        const Vec<T> normal = (get(x + r * n + i, lanes, mean[r]) - center[r]) * scale[r];
        const Vec<T> h = kWeight ? grad * w : grad;
        acc[r][0] += h;
        acc[r][1] += h * normal;
        if (kSums) {
          dw += grad * normal;
          db += grad;
        }
      }
      if (kSums) {
        put(dweight + i, dw, lanes);
        put(dbias + i, db, lanes);
      }
    });
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      sums[r][0] += sum_lanes<T>(acc[r][0]);
      sums[r][1] += sum_lanes<T>(acc[r][1]);
    }
  }
  const double count = static_cast<double>(n);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const Vec<T> b = splat(static_cast<T>(-sums[r][1] * inverse[r] * inverse[r] / count));
    const Vec<T> c = splat(static_cast<T>(centered ? -sums[r][0] * inverse[r] / count : 0));
    over<T>(n, [&](int64_t i, int lanes) {
      __builtin_prefetch(g + (r + R) * n + i);  // while nothing else asks for memory
      __builtin_prefetch(x + (r + R) * n + i);
      const Vec<T> grad = get(g + r * n + i, lanes);
      const Vec<T> h = kWeight ? grad * get(weight + i, lanes) : grad;
      const Vec<T> d = get(x + r * n + i, lanes) - center[r];
      put(dx + r * n + i, scale[r] * h + (b * d + c), lanes);
    });
  }
}

template <class T, bool kWeight, bool kSums>
void rows_grad_loop(const T* g, const T* x, const T* weight, const T* mean, const T* var,
                    int64_t rows, int64_t n, double eps, bool centered, T* dx, T* dweight,
                    T* dbias) {
  constexpr int R = 4;
  int64_t row = 0;
  for (; row + R <= rows; row += R) {
    grad_of_rows<T, R, kWeight, kSums>(g + row * n, x + row * n, weight, mean + row, var + row, n,
                                       eps, centered, dx + row * n, dweight, dbias);
  }
  for (; row < rows; ++row) {
    grad_of_rows<T, 1, kWeight, kSums>(g + row * n, x + row * n, weight, mean + row, var + row, n,
                                       eps, centered, dx + row * n, dweight, dbias);
  }
}

template <class T>
void rows_grad(const T* g, const T* x, const T* weight, const T* mean, const T* var, int64_t rows,
               int64_t n, double eps, bool centered, T* dx, T* dweight, T* dbias) {
  const auto loop = weight
                        ? dweight ? rows_grad_loop<T, true, true> : rows_grad_loop<T, true, false>
                    : dweight ? rows_grad_loop<T, false, true>
                              : rows_grad_loop<T, false, false>;
  loop(g, x, weight, mean, var, rows, n, eps, centered, dx, dweight, dbias);
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

// Sums of g and of g * (x - mean) per column; dx = g * scale on the way.
template <class T, int V>
CR_INLINE void scaled_strip(const Strip<T, V>& strip, const T* g, const T* x, const T* mean,
                            const T* scale, T* dx, double* out) {
  constexpr int L = kLanes<T>;
  T center[V * L] = {}, by[V * L] = {};
  for (int j = 0; j < strip.width(); ++j) {
    center[j] = mean[j];
    by[j] = scale[j];
  }
  double sums[2][V * L];
  sum_columns<T, V, 2>(strip, sums, [&](int64_t row, int v, Vec<T>* acc) {
    const Vec<T> grad = strip.at(g + row, v);
    acc[0] += grad;
    acc[1] += grad * (strip.at(x + row, v) - load(center + v * L));
    put(dx + row + v * L, grad * load(by + v * L), v + 1 < V ? L : strip.lanes);
  });
  for (int j = 0; j < strip.width(); ++j) {
    out[2 * j] = sums[0][j];
    out[2 * j + 1] = sums[1][j];
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
void columns_affine(const T* x, const T* mean, const T* scale, const T* shift, int64_t rows,
                    int64_t stride, int64_t width, T* out) {
  for (int64_t row = 0; row < rows; ++row, x += stride, out += stride) {
    over<T>(width, [&](int64_t j, int lanes) {
      Vec<T> v = (get(x + j, lanes) - get(mean + j, lanes)) * get(scale + j, lanes);
      if (shift) v += get(shift + j, lanes);
      put(out + j, v, lanes);
    });
  }
}

template <class T>
void columns_affine_grad(const T* g, const T* x, const T* mean, const T* scale, int64_t rows,
                         int64_t stride, int64_t width, T* dx, double* sums) {
  over_strips<T>(rows, stride, width, [&](const auto& strip, int64_t j) {
    scaled_strip(strip, g + j, x + j, mean + j, scale + j, dx + j, sums + 2 * j);
  });
}

template <class T>
constexpr NormKernels<T> kKernels = {
    moments<T>,      affine<T>,         grad_sums<T>,           grad_input<T>, columns<T>,
    columns_grad<T>, columns_affine<T>, columns_affine_grad<T>, rows<T>,       rows_grad<T>};

}  // namespace

extern const NormTable norm_table;
const NormTable norm_table = {kKernels<float>, kKernels<double>};

}  // namespace CR_ISA
}  // namespace cr

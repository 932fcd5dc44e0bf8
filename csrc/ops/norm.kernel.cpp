// Normalization of planes and rows.
//
// Sums run over blocks of 4,096 elements: in vectors of T within a block, in double across blocks.
// The variance is the corrected two-pass one (Chan, Golub and LeVeque 1983): distances from the
// block's mean, read again from L1, and the blocks combined by the formula of parallel variance.
// No difference of large squares occurs, so a mean far from zero costs no digits.
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
  if (lanes == kLanes<T>) return load(p);
  Mask<T> lane{};
#pragma GCC unroll 16
  for (int j = 0; j < kLanes<T>; ++j) lane[j] = j;
  return select<T>(lane < static_cast<MaskLane<T>>(lanes), load_partial(p, lanes), splat(fill));
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

template <class T>
constexpr NormKernels<T> kKernels = {moments<T>,    affine<T>, grad_sums<T>,
                                     grad_input<T>, rows<T>,   rows_grad<T>};

}  // namespace

extern const NormTable norm_table;
const NormTable norm_table = {kKernels<float>, kKernels<double>};

}  // namespace CR_ISA
}  // namespace cr

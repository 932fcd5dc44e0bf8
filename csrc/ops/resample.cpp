// Resampling of one dimension: nearest, linear, cubic and antialiased interpolation are banded
// matrices, and so are their transposes, which are their gradients.
#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/table.h"
#include "ops/resample.kernel.h"

namespace cr {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 30;  // so that coordinates are far from overflow

enum Mode : int64_t { kNearest, kNearestExact, kLinear, kCubic };

// A map from `from` to `to` elements.
struct Resampling {
  int64_t from, to;
  Mode mode;
  bool align_corners, antialias;
  double scale;  // input elements per output element

  // Attributes from `first` on: from, to, mode, align_corners, antialias, scale (0: none given).
  Resampling(const Attrs& attrs, int first)
      : from(attrs.i(first)),
        to(attrs.i(first + 1)),
        mode(static_cast<Mode>(attrs.i(first + 2))),
        align_corners(attrs.b(first + 3)),
        antialias(attrs.b(first + 4)) {
    const double factor = attrs.f(first + 5);
    if (align_corners) {
      scale = to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0.0;
    } else {
      scale = factor > 0 ? 1 / factor : static_cast<double>(from) / static_cast<double>(to);
      // Beyond this every output lies behind the input.
      scale = std::min(scale, 4.0 * static_cast<double>(from) + 8.0);
    }
  }
  double source(int64_t i) const {
    return align_corners ? scale * static_cast<double>(i)
                         : scale * (static_cast<double>(i) + 0.5) - 0.5;
  }
};

// Cubic convolution with slope a at 1 (Keys, 1981).
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

template <class T>
class BandTable {
 public:
  explicit BandTable(const Resampling& r) : columns_(r.from) {
    for (int64_t i = 0; i < r.to; ++i) {
      const size_t before = values_.size();
      r.antialias ? antialiased(r, i) : interpolated(r, i);
      counts_.push_back(static_cast<int64_t>(values_.size() - before));
    }
    spread();
  }

  // Row j of the transpose has the weights of the rows that reach column j: as these rows begin
  // and end in order, they are neighbours.
  BandTable(const BandTable& other, bool transposed) : columns_(other.rows()) {
    if (!transposed) {
      *this = other;
      return;
    }
    first_.assign(other.columns_, 0);
    counts_.assign(other.columns_, 0);
    other.for_each([&](int64_t i, int64_t j, T) {
      if (counts_[j] == 0) first_[j] = i;
      counts_[j] = i - first_[j] + 1;
    });
    width_ = widest();
    weights_.assign(rows() * width_, T(0));
    other.for_each([&](int64_t i, int64_t j, T w) { weights_[j * width_ + i - first_[j]] = w; });
  }

  Band<T> band() const {
    return {first_.data(), counts_.data(), weights_.data(), width_, rows(), columns_};
  }

 private:
  int64_t rows() const { return static_cast<int64_t>(counts_.size()); }
  int64_t widest() const {
    int64_t most = 1;
    for (int64_t count : counts_) most = std::max(most, count);
    return most;
  }

  template <class F>
  void for_each(F&& f) const {
    for (int64_t i = 0; i < rows(); ++i) {
      for (int64_t k = 0; k < counts_[i]; ++k) f(i, first_[i] + k, weights_[i * width_ + k]);
    }
  }

  // Taps outside the input count for its border.
  void interpolated(const Resampling& r, int64_t i) {
    if (r.mode == kNearest || r.mode == kNearestExact) {
      first_.push_back(nearest(r, i));
      values_.push_back(1);
      return;
    }
    double at = r.source(i);
    if (r.mode == kLinear) at = std::max(at, 0.0);
    const auto cell = static_cast<int64_t>(std::floor(at));
    const double t = at - static_cast<double>(cell);
    const double a = -0.75;
    const double linear[] = {1 - t, t};
    const double keys[] = {cubic(1 + t, a), cubic(t, a), cubic(1 - t, a), cubic(2 - t, a)};
    const bool is_linear = r.mode == kLinear;
    const int64_t begin = is_linear ? cell : cell - 1, taps = is_linear ? 2 : 4;
    const int64_t last = r.from - 1;
    const int64_t low = std::clamp<int64_t>(begin, 0, last);
    const int64_t high = std::clamp<int64_t>(begin + taps - 1, 0, last);
    const size_t start = values_.size();
    first_.push_back(low);
    values_.resize(start + static_cast<size_t>(high - low + 1), 0.0);
    for (int64_t k = 0; k < taps; ++k) {
      const int64_t column = std::clamp<int64_t>(begin + k, 0, last);
      values_[start + static_cast<size_t>(column - low)] += is_linear ? linear[k] : keys[k];
    }
  }

  // In the element's own precision, as elsewhere: which neighbour is nearest depends on it.
  static int64_t nearest(const Resampling& r, int64_t i) {
    const T scale = static_cast<T>(r.scale);
    const T at = r.mode == kNearest ? static_cast<T>(i) * scale
                                    : (static_cast<T>(i) + static_cast<T>(0.5)) * scale;
    return std::clamp<int64_t>(static_cast<int64_t>(std::floor(static_cast<float>(at))), 0,
                               r.from - 1);
  }

  // A tent or cubic filter as wide as an output element, so that nothing of the input is skipped.
  void antialiased(const Resampling& r, int64_t i) {
    const double stretch = std::max(r.scale, 1.0);
    const double support = (r.mode == kLinear ? 1 : 2) * stretch;
    const double center = r.scale * (static_cast<double>(i) + 0.5);
    const auto low = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const auto high = std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), r.from);
    const size_t start = values_.size();
    double total = 0;
    first_.push_back(std::min(low, r.from - 1));
    for (int64_t j = low; j < high; ++j) {
      const double x = (static_cast<double>(j) - center + 0.5) / stretch;
      const double w = r.mode == kLinear ? std::max(1 - std::fabs(x), 0.0) : cubic(x, -0.5);
      values_.push_back(w);
      total += w;
    }
    if (total == 0) return;
    for (size_t k = start; k < values_.size(); ++k) values_[k] /= total;
  }

  // From rows of their own lengths to rows of one width.
  void spread() {
    width_ = widest();
    weights_.assign(rows() * width_, T(0));
    size_t at = 0;
    for (int64_t i = 0; i < rows(); ++i) {
      for (int64_t k = 0; k < counts_[i]; ++k) {
        weights_[i * width_ + k] = static_cast<T>(values_[at++]);
      }
    }
    values_.clear();
  }

  int64_t columns_, width_ = 1;
  std::vector<int64_t> first_, counts_;
  std::vector<double> values_;  // while rows are made
  std::vector<T> weights_;
};

template <class T>
void run_resample(const Resampling& r, bool transposed, int64_t inner, const Tensor& in,
                  const Tensor& out) {
  const BandTable<T> table(BandTable<T>(r), transposed);
  const Band<T> band = table.band();
  const ResampleKernels<T>& kernels = part_for<T>(resample_table());
  const int64_t rows = out.numel() / inner;
  const double per_row = 2 + 0.3 * static_cast<double>(inner * band.width);
  parallel(rows, grain_for(per_row), [&](int64_t begin, int64_t end, int) {
    kernels.apply(band, inner, begin, end, in.data<T>(), out.data<T>());
  });
}

const Row resample_row =
    Row("_resample(Tensor input, int dim, int from_size, int to_size, "
        "{nearest|nearest_exact|linear|cubic} mode, bool align_corners, bool antialias, "
        "float scale, bool transposed)")
        .doc("Interpolate along one dimension, or the transpose of that.")
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          CR_CHECK_TYPE(is_floating(x.dtype()), "interpolate: got input of dtype ", x.dtype(),
                        "; expected float32 or float64; use .to(dtype)");
          const int dim = normalize_dim("interpolate", call.attrs.i(0), x.rank());
          const int64_t from = call.attrs.i(1), to = call.attrs.i(2);
          const bool transposed = call.attrs.b(7);
          CR_CHECK(from >= 1 && to >= 1 && from < kMaxSize && to < kMaxSize,
                   "interpolate: sizes must be at least 1 and below 2**30 (got ", from, " to ", to,
                   " in dimension ", dim, ")");
          CR_CHECK(x.shape()[dim] == (transposed ? to : from), "interpolate: dimension ", dim,
                   " of shape ", x.shape(), " does not have ", transposed ? to : from, " elements");
          CR_CHECK(std::isfinite(call.attrs.f(6)), "interpolate: scale_factor must be finite (got ",
                   call.attrs.f(6), ")");
          Dims shape = x.shape();
          shape[dim] = transposed ? from : to;
          checked_numel(shape);
          call.contiguous = true;
          call.set_output(0, shape, x.dtype());
        })
        .launch([](Call& call) {
          const Tensor &in = call.in[0], &out = call.out[0];
          if (out.numel() == 0) return;
          const int dim = normalize_dim("interpolate", call.attrs.i(0), in.rank());
          int64_t inner = 1;
          for (int d = dim + 1; d < in.rank(); ++d) inner *= in.shape()[d];
          const Resampling r(call.attrs, 1);
          dispatch_floating(in.dtype(), [&](auto tag) {
            run_resample<typename decltype(tag)::type>(r, call.attrs.b(7), inner, in, out);
          });
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] {
            Attrs attrs;
            for (int k = 0; k < 7; ++k) attrs.push_from(a, k);
            attrs.push_bool(!a.b(7));
            return run(OP(_resample), {v.grad()}, attrs);
          });
        });

}  // namespace
}  // namespace cr

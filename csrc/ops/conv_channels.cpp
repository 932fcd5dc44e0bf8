// Depthwise convolution and its gradients with channels as lanes: planning, and the entries of the
// algorithm lists.
#include <algorithm>

#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/carver.h"
#include "ops/conv_algorithms.h"
#include "ops/conv_channels.kernel.h"

namespace cr {
namespace {

template <class T>
const ConvChannelKernels<T>& kernels() {
  return part_for<T>(conv_channel_table());
}

// Along an axis, output pixel phase + i * out_step sees the taps of its phase at source pixels
// i * step + shift(tap).
struct ForwardAxis : ConvAxis {
  int64_t source_extent() const { return extent; }
  int64_t result_extent() const { return out_extent; }
  int64_t step() const { return stride; }
  int64_t out_step() const { return 1; }
  int64_t phases() const { return 1; }
  int64_t phase(int64_t) const { return 0; }
  int64_t shift(int64_t tap) const { return tap * dilation - padding; }
  int64_t pixels(int64_t) const { return out_extent; }
};

struct BackwardAxis : GradAxis {
  int64_t source_extent() const { return out_extent; }
  int64_t result_extent() const { return extent; }
  int64_t step() const { return 1; }
  int64_t out_step() const { return stride; }
};

// The first source pixel of the buffer (at most 0) and how far the taps reach from there.
template <class Axis>
struct Reach {
  int64_t first = 0, span = 0;
  explicit Reach(const Axis& axis) {
    for (int64_t tap = 0; tap < axis.kernel; ++tap) first = std::min(first, axis.shift(tap));
    for (int64_t tap = 0; tap < axis.kernel; ++tap) span = std::max(span, axis.shift(tap) - first);
  }
};

// Source pixels and results of a unit. Much less than L2 holds: a unit's rows must not be evicted
// by the planes that stream through.
constexpr int64_t kUnitBytes = 256 * 1024;
constexpr int64_t kLeastChannels = 12;      // fewer are left to the other ways, on every level
constexpr double kUnitNanoseconds = 20000;  // worth a partial sum of the weight gradient,
constexpr int64_t kUnits = 8;               // up to so many units

double nanoseconds(const ConvShape& s) {  // 10 multiply-adds a nanosecond, transpositions included
  return static_cast<double>(s.batch) * s.channels * s.kernel_area() * s.out_plane() / 10;
}

template <class Axis, class T>
struct ChannelWork {
  ChannelCorrelation p;
  ConvTap* taps;
  ConvPhase* phases;
  int64_t* places;
  T* weights;
  T* biases;
  int64_t per_worker;
  T* workers;
  size_t bytes;

  ChannelWork(const ConvShape& s, char* base) : ChannelWork(s, Carver(base)) {}

  void fill(const ConvShape& s) {
    const int64_t lanes = kernels<T>().lanes;
    const Axis h{rows_of(s)}, w{columns_of(s)};
    int64_t count = 0;
    ConvPhase* phase = phases;
    for (int64_t a = 0; a < h.phases(); ++a) {
      for (int64_t b = 0; b < w.phases(); ++b, ++phase) {
        const int64_t first = count;
        for (int64_t r = 0; r < s.kernel_h; ++r) {
          if (h.phase(r) != a) continue;
          for (int64_t t = 0; t < s.kernel_w; ++t) {
            if (w.phase(t) != b) continue;
            const int64_t y = h.shift(r) - p.buffer.top, x = w.shift(t) - p.buffer.left;
            taps[count++] = {(y * p.buffer.pitch + x) * lanes, (r * s.kernel_w + t) * lanes};
          }
        }
        *phase = {first, count - first, a, b, h.pixels(a), w.pixels(b), 0};
      }
    }
    int64_t* place = places;
    for (int64_t y = 0; y < std::min(p.buffer.rows, p.buffer.height); ++y) {
      for (int64_t x = 0; x < p.buffer.width; ++x) {
        *place++ = (y * p.buffer.pitch + x - p.buffer.left) * lanes;
      }
    }
    p.taps = taps;
    p.phases = phases;
    p.buffer.places = places;
  }

  static bool fits(const ChannelCorrelation& p) {
    return elements(p) * static_cast<int64_t>(sizeof(T)) <= kUnitBytes;
  }

  // As many rows as fit, at least one of each phase.
  static ChannelCorrelation plan(const ConvShape& s) {
    const Axis h{rows_of(s)}, w{columns_of(s)};
    const Reach<Axis> reach_h(h), reach_w(w);
    const int64_t height = h.pixels(0), width = w.pixels(0);
    ChannelCorrelation p{};
    p.images = s.batch;
    p.channels = s.channels;
    p.blocks = ceil_div(s.channels, kernels<T>().lanes);
    p.area = s.kernel_area();
    p.buffer.height = h.source_extent();
    p.buffer.width = w.source_extent();
    p.buffer.top = reach_h.first;
    p.buffer.left = reach_w.first;
    p.buffer.pitch =
        std::max(p.buffer.width - reach_w.first, (width - 1) * w.step() + 1 + reach_w.span);
    p.step_h = h.step();
    p.step_w = w.step();
    p.out_height = h.result_extent();
    p.out_width = w.result_extent();
    p.out_step_h = h.out_step();
    p.out_step_w = w.out_step();
    p.phase_count = h.phases() * w.phases();
    for (p.bands = 1;; p.bands *= 2) {
      p.band_rows = ceil_div(height, p.bands);
      p.buffer.rows = (p.band_rows - 1) * p.step_h + 1 + reach_h.span;
      if (fits(p) || p.band_rows <= 1) break;
    }
    p.bands = ceil_div(height, std::max<int64_t>(p.band_rows, 1));
    return p;
  }

 private:
  // What a worker takes.
  static int64_t elements(const ChannelCorrelation& p) {
    return (p.buffer.rows * p.buffer.pitch + p.band_rows * p.out_step_h * p.out_width + p.area) *
           kernels<T>().lanes;
  }

  ChannelWork(const ConvShape& s, Carver carver) : p(plan(s)) {
    const int64_t lanes = kernels<T>().lanes;
    taps = carver.take<ConvTap>(p.area);
    phases = carver.take<ConvPhase>(p.phase_count);
    places = carver.take<int64_t>(std::min(p.buffer.rows, p.buffer.height) * p.buffer.width);
    weights = carver.take<T>(p.blocks * lanes * p.area);
    biases = carver.take<T>(p.blocks * lanes);
    per_worker = round_up(elements(p), 16);
    workers = carver.take<T>(max_workers() * per_worker);
    bytes = carver.used();
  }
};

// What unit u = (image, channel block, band) of a forward pass has written.
ConvPart part_of(const ChannelCorrelation& p, int64_t u, int64_t lanes) {
  const int64_t channel = u / p.bands % p.blocks * lanes, row = u % p.bands * p.band_rows;
  return {.image = u / p.bands / p.blocks,
          .images = 1,
          .channel = channel,
          .channels = std::min(lanes, p.channels - channel),
          .row = row,
          .rows = std::min(p.band_rows, p.out_height - row),
          .column = 0,
          .columns = p.out_width};
}

template <class Axis, class T>
void run(const ConvShape& s, const ConvArrays& arrays) {
  ChannelWork<Axis, T> work(s, arrays.workspace);
  work.fill(s);
  const ChannelCorrelation& p = work.p;
  const ConvChannelKernels<T>& k = kernels<T>();
  const T* source = static_cast<const T*>(arrays.a);
  const T* weight = static_cast<const T*>(arrays.b);
  const T* bias = static_cast<const T*>(arrays.bias);
  T* out = static_cast<T*>(arrays.out);
  parallel(p.blocks, grain_for(static_cast<double>(k.lanes * p.area) / 4),
           [&](int64_t begin, int64_t stop, int) {
             for (int64_t u = begin; u < stop; ++u) {
               k.pack(p, u, weight, bias, work.weights, work.biases);
             }
           });
  const int64_t units = p.images * p.blocks * p.bands;
  parallel(units, grain_for(nanoseconds(s) / units), [&](int64_t begin, int64_t stop, int worker) {
    T* workspace = work.workers + worker * work.per_worker;
    for (int64_t u = begin; u < stop; ++u) {
      k.correlate(p, u, source, work.weights, work.biases, out, workspace);
      finish_part<T>(s, arrays, part_of(p, u, k.lanes));
    }
  });
}

template <class T>
struct ChannelWeightWork {
  ChannelWork<ForwardAxis, T> forward;
  int64_t weights, splits;
  T* partial;
  size_t bytes;

  ChannelWeightWork(const ConvShape& s, char* base)
      : forward(s, base), weights(s.channels * s.kernel_area()) {
    const ChannelCorrelation& p = forward.p;
    const int64_t units =
        static_cast<int64_t>(std::min(nanoseconds(s) / kUnitNanoseconds, kUnits - 1.0)) + 1;
    splits = std::min(ceil_div(units, p.blocks), p.images * p.bands);
    Carver carver(base ? base + forward.bytes : nullptr);
    partial = carver.take<T>(splits > 1 ? splits * weights : 0);
    bytes = forward.bytes + carver.used();
  }
};

template <class T>
void run_weight_grad(const ConvShape& s, const ConvArrays& arrays) {
  ChannelWeightWork<T> work(s, arrays.workspace);
  work.forward.fill(s);
  const ChannelWeightGradient g{work.forward.p, work.splits};
  const T* input = static_cast<const T*>(arrays.a);
  const T* grad = static_cast<const T*>(arrays.b);
  T* out = static_cast<T*>(arrays.out);
  T* partial = g.splits > 1 ? work.partial : out;
  const int64_t units = g.forward.blocks * g.splits;
  parallel(units, grain_for(nanoseconds(s) / units), [&](int64_t begin, int64_t stop, int worker) {
    T* workspace = work.forward.workers + worker * work.forward.per_worker;
    for (int64_t u = begin; u < stop; ++u) {
      kernels<T>().weight_grad(g, u, input, grad, partial, workspace);
    }
  });
  combine_splits(partial, g.splits, work.weights, out);
}

// ---------------------------------------------------------------- entries of the lists

bool is_depthwise(const ConvShape& s, DType) {
  return s.kernel_d == 1 && s.depth == 1 && s.out_depth == 1 && s.group_channels() == 1 &&
         s.group_rows() == 1;
}

// The lanes are filled, there are taps to pay for two transpositions, and rows are not so long that
// one of them leaves the cache.
template <class Axis>
bool suits(const ConvShape& s, DType dtype) {
  return dispatch_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t lanes = kernels<T>().lanes;
    return s.channels >= kLeastChannels && s.channels * 4 >= round_up(s.channels, lanes) * 3 &&
           s.kernel_area() > 1 && ChannelWork<Axis, T>::fits(ChannelWork<Axis, T>::plan(s));
  });
}

template <class Axis>
ConvAlgorithm channels() {
  return {"channels", is_depthwise, suits<Axis>,
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return ChannelWork<Axis, typename decltype(tag)::type>(s, nullptr).bytes;
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(
                dtype, [&](auto tag) { run<Axis, typename decltype(tag)::type>(s, arrays); });
          }};
}

}  // namespace

ConvAlgorithm channels_forward() { return channels<ForwardAxis>(); }
ConvAlgorithm channels_input_grad() { return channels<BackwardAxis>(); }

ConvAlgorithm channels_weight_grad() {
  return {"channels", is_depthwise, suits<ForwardAxis>,
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return ChannelWeightWork<typename decltype(tag)::type>(s, nullptr).bytes;
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(
                dtype, [&](auto tag) { run_weight_grad<typename decltype(tag)::type>(s, arrays); });
          }};
}

}  // namespace cr

// Convolution and its gradients of a batch with images as lanes: planning, and the entries of the
// algorithm lists.
#include <algorithm>

#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/carver.h"
#include "ops/conv_algorithms.h"
#include "ops/conv_images.kernel.h"

namespace cr {
namespace {

template <class T>
const ConvImageKernels<T>& kernels() {
  return part_for<T>(conv_image_table());
}

// What output pixel i of an axis sees: `taps` taps from `tap` on, the first at pixel `source`.
struct Sight {
  int64_t tap, taps, source;
};

struct Forward {
  static int64_t channels(const ConvShape& s) { return s.group_channels(); }
  static int64_t source_width(const ConvShape& s) { return s.width; }
  static int64_t rows(const ConvShape& s) { return s.group_rows(); }
  static int64_t row_weights(const ConvShape& s) { return s.group_channels() * s.kernel_area(); }
  static int64_t channel_weights(const ConvShape& s) { return s.kernel_area(); }

  // At most so many source rows are seen by that many output rows.
  static int64_t source_rows(const ConvAxis& a, int64_t rows) {
    return (rows - 1) * a.stride + (a.kernel - 1) * a.dilation + 1;
  }
  static ImageAxis axis(const ConvAxis& a) {
    return {a.extent, a.out_extent, a.kernel, 1, a.dilation, nullptr, nullptr, 0};
  }
  static Sight sight(const ConvAxis& a, int64_t i) {
    const int64_t start = i * a.stride - a.padding;
    const int64_t first = start < 0 ? ceil_div(-start, a.dilation) : 0;
    const int64_t end =
        start < a.extent ? std::min(ceil_div(a.extent - start, a.dilation), a.kernel) : 0;
    return end > first ? Sight{first, end - first, start + first * a.dilation} : Sight{0, 0, 0};
  }
};

struct InputGrad {
  static int64_t channels(const ConvShape& s) { return s.group_rows(); }
  static int64_t source_width(const ConvShape& s) { return s.out_width; }
  static int64_t rows(const ConvShape& s) { return s.group_channels(); }
  static int64_t row_weights(const ConvShape& s) { return s.kernel_area(); }
  static int64_t channel_weights(const ConvShape& s) {
    return s.group_channels() * s.kernel_area();
  }

  static int64_t source_rows(const ConvAxis& a, int64_t rows) {
    return (rows - 1 + (a.kernel - 1) * a.dilation) / a.stride + 1;
  }
  static ImageAxis axis(const ConvAxis& a) {
    const int64_t step = GradAxis{a}.period();
    return {a.out_extent, a.extent, a.kernel, step, -step * a.dilation / a.stride,
            nullptr,      nullptr,  0};
  }
  static Sight sight(const ConvAxis& a, int64_t i) {
    Sight seen{0, 0, 0};
    for (int64_t tap = 0; tap < a.kernel; ++tap) {
      const int64_t distance = i + a.padding - tap * a.dilation;
      if (distance < 0) break;
      if (distance % a.stride != 0 || distance / a.stride >= a.out_extent) continue;
      if (seen.taps++ == 0) seen = {tap, 1, distance / a.stride};
    }
    return seen;
  }
};

// Lists the pixels of an axis by what they see.
struct AxisTables {
  Sight* sights;
  ImageAxis::Pixel* pixels;
  ImageAxis::Run* runs;

  AxisTables(Carver& carver, int64_t extent)
      : sights(carver.take<Sight>(extent)),
        pixels(carver.take<ImageAxis::Pixel>(extent)),
        runs(carver.take<ImageAxis::Run>(extent)) {}

  template <class Direction>
  void fill(const ConvAxis& window, ImageAxis& axis) {
    axis.pixels = pixels;
    axis.runs = runs;
    axis.run_count = 0;
    const auto same = [](const Sight& sight, const ImageAxis::Run& run) {
      return run.tap == sight.tap && run.taps == sight.taps;
    };
    for (int64_t i = 0; i < axis.out_extent; ++i) {
      const Sight& sight = sights[i] = Direction::sight(window, i);
      int64_t r = 0;
      while (r < axis.run_count && !same(sight, runs[r])) ++r;
      if (r == axis.run_count) runs[axis.run_count++] = {sight.tap, sight.taps, 0, 0};
      ++runs[r].count;
    }
    ImageAxis::Pixel* next = pixels;
    for (int64_t r = 0; r < axis.run_count; ++r) {
      runs[r].first = next - pixels;
      for (int64_t i = 0; i < axis.out_extent; ++i) {
        if (same(sights[i], runs[r])) *next++ = {i, sights[i].source};
      }
    }
  }
};

constexpr int64_t kUnitBytes = 512 * 1024;  // a unit's source pixels and results: half of L2
constexpr double kUnitNanoseconds = 20000;  // worth a unit of its own,
constexpr int64_t kUnits = 8;               // up to so many

double nanoseconds(const ConvShape& s) {  // 50 multiply-adds a nanosecond
  return static_cast<double>(s.batch) * s.out_channels * s.group_channels() * s.kernel_area() *
         s.out_plane() / 50;
}

template <class Direction, class T>
struct ImageWork {
  ImageCorrelation p;
  AxisTables h, w;
  T* packed;
  int64_t per_worker;
  T* workers;
  size_t bytes;

  ImageWork(const ConvShape& s, char* base) : ImageWork(s, Carver(base)) {}

 private:
  ImageWork(const ConvShape& s, Carver carver)
      : p(plan(s)), h(carver, p.h.out_extent), w(carver, p.w.out_extent) {
    packed = carver.take<T>(p.groups * p.rows * p.channels * p.area());
    const int64_t tap_elements = 2 * static_cast<int64_t>(sizeof(int64_t) / sizeof(T));
    per_worker = round_up(elements(p) + p.area() * tap_elements, 16);
    workers = carver.take<T>(max_workers() * per_worker);
    bytes = carver.used();
  }

  static int64_t elements(const ImageCorrelation& p) {
    return (p.channels * p.source_rows * p.w.extent +
            kernels<T>().panel_rows * p.band_rows * p.w.out_extent) *
           kernels<T>().lanes;
  }

  static ImageCorrelation plan(const ConvShape& s) {
    ImageCorrelation p{};
    p.images = s.batch;
    p.groups = s.groups;
    p.channels = Direction::channels(s);
    p.rows = Direction::rows(s);
    p.h = Direction::axis(rows_of(s));
    p.w = Direction::axis(columns_of(s));
    p.row_weights = Direction::row_weights(s);
    p.channel_weights = Direction::channel_weights(s);
    p.group_weights = s.group_rows() * s.group_channels() * s.kernel_area();
    p.image_blocks = ceil_div(p.images, kernels<T>().lanes);
    const int64_t units =
        std::min(kUnits, static_cast<int64_t>(nanoseconds(s) / kUnitNanoseconds) + 1);
    p.bands = 1;
    for (;;) {
      p.band_rows = ceil_div(p.h.out_extent, p.bands);
      p.source_rows = std::min(p.h.extent, Direction::source_rows(rows_of(s), p.band_rows));
      const bool small = elements(p) * static_cast<int64_t>(sizeof(T)) <= kUnitBytes;
      const bool enough = p.bands * p.image_blocks * p.groups >= units;
      if ((small && enough) || p.band_rows == 1) break;
      p.bands *= 2;
    }
    p.bands = ceil_div(p.h.out_extent, p.band_rows);
    return p;
  }
};

// What unit u = (group, image block, band) has written.
ConvPart part_of(const ImageCorrelation& p, int64_t u, int64_t lanes) {
  const int64_t image = u / p.bands % p.image_blocks * lanes, row = u % p.bands * p.band_rows;
  return {.image = image,
          .images = std::min(lanes, p.images - image),
          .channel = u / p.bands / p.image_blocks * p.rows,
          .channels = p.rows,
          .row = row,
          .rows = std::min(p.band_rows, p.h.out_extent - row),
          .column = 0,
          .columns = p.w.out_extent};
}

template <class Direction, class T>
void run(const ConvShape& s, const ConvArrays& arrays) {
  ImageWork<Direction, T> work(s, arrays.workspace);
  ImageCorrelation& p = work.p;
  work.h.template fill<Direction>(rows_of(s), p.h);
  work.w.template fill<Direction>(columns_of(s), p.w);
  const ConvImageKernels<T>& k = kernels<T>();
  const T* source = static_cast<const T*>(arrays.a);
  const T* weight = static_cast<const T*>(arrays.b);
  const T* bias = static_cast<const T*>(arrays.bias);
  T* out = static_cast<T*>(arrays.out);
  p.rectify = arrays.activation.relu;
  const int64_t panels = p.groups * ceil_div(p.rows, k.panel_rows);
  const double per_panel = static_cast<double>(p.groups * p.rows * p.channels * p.area()) / panels;
  parallel(panels, grain_for(per_panel), [&](int64_t begin, int64_t stop, int) {
    for (int64_t u = begin; u < stop; ++u) k.pack(p, u, weight, work.packed);
  });
  const int64_t units = p.groups * p.image_blocks * p.bands;
  parallel(units, grain_for(nanoseconds(s) / units), [&](int64_t begin, int64_t stop, int worker) {
    T* workspace = work.workers + worker * work.per_worker;
    for (int64_t u = begin; u < stop; ++u) {
      k.correlate(p, u, source, work.packed, bias, out, workspace);
      if (!p.rectify) finish_part<T>(s, arrays, part_of(p, u, k.lanes));
    }
  });
}

// ---------------------------------------------------------------- weight gradient

template <class T>
struct ImageWeightWork {
  ImageWeightGradient p;
  int64_t weights;
  T* partial;
  int64_t per_worker;
  T* workers;
  size_t bytes;

  ImageWeightWork(const ConvShape& s, char* base) : p(plan(s)) {
    Carver carver(base);
    weights = s.out_channels * s.group_channels() * s.kernel_area();
    partial = carver.take<T>(p.splits > 1 ? p.splits * weights : 0);
    per_worker = round_up(elements(p), 16);
    workers = carver.take<T>(max_workers() * per_worker);
    bytes = carver.used();
  }

 private:
  static int64_t elements(const ImageWeightGradient& p) {
    return (p.channel_block * p.source_rows * p.shape.width +
            kernels<T>().panel_rows * p.band_rows * p.shape.out_width) *
           kernels<T>().lanes;
  }

  // Bands of rows until eight channels fit, then as many channels as do.
  static ImageWeightGradient plan(const ConvShape& s) {
    ImageWeightGradient p{};
    p.shape = s;
    p.image_blocks = ceil_div(s.batch, kernels<T>().lanes);
    const auto fits = [&] { return elements(p) * static_cast<int64_t>(sizeof(T)) <= kUnitBytes; };
    p.channel_block = std::min<int64_t>(s.group_channels(), 8);
    for (p.bands = 1;; p.bands *= 2) {
      p.band_rows = ceil_div(s.out_height, p.bands);
      p.source_rows = std::min(s.height, Forward::source_rows(rows_of(s), p.band_rows));
      if (fits() || p.band_rows == 1) break;
    }
    p.bands = ceil_div(s.out_height, p.band_rows);
    const int64_t least = p.channel_block;
    p.channel_block = s.group_channels();
    while (p.channel_block > least && !fits()) --p.channel_block;
    p.blocks = ceil_div(s.group_channels(), p.channel_block);
    p.channel_block = ceil_div(s.group_channels(), p.blocks);
    const int64_t weights = s.out_channels * s.group_channels() * s.kernel_area();
    const int64_t units =
        std::min(kUnits, static_cast<int64_t>(nanoseconds(s) / kUnitNanoseconds) + 1);
    p.splits = std::min({ceil_div(units, s.groups * p.blocks), p.image_blocks * p.bands, kMaxSplits,
                         std::max<int64_t>(kMaxPartials / weights, 1)});
    return p;
  }
};

template <class T>
void run_weight_grad(const ConvShape& s, const ConvArrays& arrays) {
  const ImageWeightWork<T> work(s, arrays.workspace);
  const ImageWeightGradient& p = work.p;
  const T* input = static_cast<const T*>(arrays.a);
  const T* grad = static_cast<const T*>(arrays.b);
  T* out = static_cast<T*>(arrays.out);
  T* partial = p.splits > 1 ? work.partial : out;
  const int64_t units = s.groups * p.blocks * p.splits;
  parallel(units, grain_for(nanoseconds(s) / units), [&](int64_t begin, int64_t stop, int worker) {
    T* workspace = work.workers + worker * work.per_worker;
    for (int64_t u = begin; u < stop; ++u) {
      kernels<T>().weight_grad(p, u, input, grad, partial, workspace);
    }
  });
  combine_splits(partial, p.splits, work.weights, out);
}

// ---------------------------------------------------------------- entries of the lists

bool is_flat(const ConvShape& s, DType) {
  return s.kernel_d == 1 && s.depth == 1 && s.out_depth == 1;
}

bool fills_lanes(const ConvShape& s) {
  const int64_t lanes = kernels<float>().lanes;
  return s.batch * 8 >= round_up(s.batch, lanes) * 7;
}

// The lanes are filled, one row of all channels stays near the cache (bands are whole rows), and
// the sums are long enough to pay for two transpositions. Many rows of few terms are better written
// where they belong, tile by tile.
template <class Direction>
bool suits(const ConvShape& s, DType) {
  const int64_t row_bytes = Direction::channels(s) * Direction::source_width(s) *
                            kernels<float>().lanes * static_cast<int64_t>(sizeof(float));
  return fills_lanes(s) && s.kernel_area() > 1 && row_bytes <= 4 * kUnitBytes &&
         (Direction::channels(s) * s.kernel_area() >= 32 || Direction::rows(s) < 16);
}

template <class Direction>
ConvAlgorithm images() {
  return {"images", is_flat, suits<Direction>,
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return ImageWork<Direction, typename decltype(tag)::type>(s, nullptr).bytes;
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(
                dtype, [&](auto tag) { run<Direction, typename decltype(tag)::type>(s, arrays); });
          }};
}

}  // namespace

ConvAlgorithm images_forward() { return images<Forward>(); }
ConvAlgorithm images_input_grad() { return images<InputGrad>(); }

ConvAlgorithm images_weight_grad() {
  return {"images", is_flat,
          [](const ConvShape& s, DType) {
            // Sums over lanes are paid for by some pixels; on large planes with channels to fill
            // the lanes outer products need fewer transpositions.
            return fills_lanes(s) && s.kernel_area() > 1 && s.out_plane() >= 16 &&
                   (s.out_plane() <= 256 || s.group_rows() <= 16);
          },
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return ImageWeightWork<typename decltype(tag)::type>(s, nullptr).bytes;
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(
                dtype, [&](auto tag) { run_weight_grad<typename decltype(tag)::type>(s, arrays); });
          }};
}

}  // namespace cr

// Convolution and input gradient of a batch with images as lanes: planning, and the entries of the
// algorithm lists.
#include <algorithm>

#include "core/parallel.h"
#include "ops/carver.h"
#include "ops/conv_algorithms.h"
#include "ops/conv_images.kernel.h"

namespace cr {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const ConvImageKernels<T>& kernels() {
  if constexpr (sizeof(T) == 4)
    return conv_image_table().f32;
  else
    return conv_image_table().f64;
}

// An axis of a convolution as the user states it.
struct WindowAxis {
  int64_t extent, out_extent, kernel, stride, padding, dilation;
};
WindowAxis rows_of(const ConvShape& s) {
  return {s.height, s.out_height, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h};
}
WindowAxis columns_of(const ConvShape& s) {
  return {s.width, s.out_width, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w};
}

// What output pixel i of an axis sees: `taps` taps from `tap` on, the first at pixel `source`.
struct Sight {
  int64_t tap, taps, source;
};

struct Forward {
  static int64_t channels(const ConvShape& s) { return s.group_channels(); }
  static int64_t rows(const ConvShape& s) { return s.group_rows(); }
  static int64_t row_weights(const ConvShape& s) { return s.group_channels() * s.kernel_area(); }
  static int64_t channel_weights(const ConvShape& s) { return s.kernel_area(); }

  // At most so many source rows are seen by that many output rows.
  static int64_t source_rows(const WindowAxis& a, int64_t rows) {
    return (rows - 1) * a.stride + (a.kernel - 1) * a.dilation + 1;
  }
  static ImageAxis axis(const WindowAxis& a) {
    return {a.extent, a.out_extent, a.kernel, 1, a.dilation, nullptr, nullptr, 0};
  }
  static Sight sight(const WindowAxis& a, int64_t i) {
    const int64_t start = i * a.stride - a.padding;
    const int64_t first = start < 0 ? ceil_div(-start, a.dilation) : 0;
    const int64_t end =
        start < a.extent ? std::min(ceil_div(a.extent - start, a.dilation), a.kernel) : 0;
    return end > first ? Sight{first, end - first, start + first * a.dilation} : Sight{0, 0, 0};
  }
};

struct InputGrad {
  static int64_t channels(const ConvShape& s) { return s.group_rows(); }
  static int64_t rows(const ConvShape& s) { return s.group_channels(); }
  static int64_t row_weights(const ConvShape& s) { return s.kernel_area(); }
  static int64_t channel_weights(const ConvShape& s) {
    return s.group_channels() * s.kernel_area();
  }

  static int64_t period(const WindowAxis& a) {
    return split_axis(1, 1, a.stride, 0, a.dilation).period();
  }
  static int64_t source_rows(const WindowAxis& a, int64_t rows) {
    return (rows - 1 + (a.kernel - 1) * a.dilation) / a.stride + 1;
  }
  static ImageAxis axis(const WindowAxis& a) {
    const int64_t step = period(a);
    return {a.out_extent, a.extent, a.kernel, step, -step * a.dilation / a.stride,
            nullptr,      nullptr,  0};
  }
  static Sight sight(const WindowAxis& a, int64_t i) {
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
  void fill(const WindowAxis& window, ImageAxis& axis) {
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
    per_worker = ceil_div(elements(p) + p.area() * tap_elements, 16) * 16;
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
    }
  });
}

bool is_flat(const ConvShape& s, DType) {
  return s.kernel_d == 1 && s.depth == 1 && s.out_depth == 1;
}

// The lanes are filled, and the sums are long enough to pay for two transpositions. Many rows of
// few terms are better written where they belong, tile by tile.
template <class Direction>
bool suits(const ConvShape& s, DType) {
  const int64_t lanes = kernels<float>().lanes;
  return s.batch * 8 >= ceil_div(s.batch, lanes) * lanes * 7 && s.kernel_area() > 1 &&
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

}  // namespace cr

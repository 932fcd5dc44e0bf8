#include "ops/conv_algorithms.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/carver.h"
#include "ops/winograd.h"

namespace cr {
namespace {

template <class T>
const ConvKernels<T>& kernels() {
  return part_for<T>(conv_table());
}

// ---------------------------------------------------------------- correlations

// Output pixels of a unit: enough to use a block of packed weights many times, few enough to keep
// its inputs and results in L2 and to give threads something to share.
constexpr int64_t kUnitPixels = 512;

constexpr double kSharedWork = 2e6;  // multiply-adds worth two units

// Units of about kUnitPixels: bands of a large image or several small images. A few of them are an
// even number, for two threads to share.
void cut_into_units(Correlation& p, int64_t height, int64_t width) {
  height = std::max<int64_t>(height, 1);
  width = std::max<int64_t>(width, 1);
  const int64_t pixels = std::max<int64_t>(p.images, 1) * height * width;
  const int64_t units = ceil_div(pixels, kUnitPixels);
  const double work = static_cast<double>(pixels) * p.rows * p.channels * p.area;
  const bool uneven = p.groups == 1 && units % 2 == 1 && units < 8 && work > kSharedWork;
  const int64_t wanted = uneven ? ceil_div(pixels, units + 1) : kUnitPixels;
  p.unit_rows = height;
  p.unit_images = 1;
  if (height * width > wanted) {
    const int64_t rows = std::max<int64_t>(ceil_div(wanted, width), 1);
    p.unit_rows = ceil_div(height, ceil_div(height, rows));
  } else {
    p.unit_images = std::min(std::max<int64_t>(p.images, 1), wanted / (height * width));
  }
  p.bands = ceil_div(height, p.unit_rows);
  p.image_blocks = ceil_div(p.images, p.unit_images);
}

void finish_buffer(Correlation& p, int64_t width) {
  p.pitch = width + p.w.halo;
  p.channel_size = p.h.slots * p.w.slots * (p.unit_rows + p.h.halo) * p.pitch;
  if (p.in_place) {
    p.pitch = p.w.extent;
    p.channel_size = p.h.extent * p.w.extent;
  }
}

// In the order of the taps: by tap in depth first.
template <class F>
void for_each_channel(const Correlation& p, F&& f) {
  for (int64_t k = 0; k < p.depth.taps; ++k) {
    for (int64_t c = k; c < p.channels; c += p.depth.taps) f(c);
  }
}

DepthAxis forward_depth(const ConvShape& s) {
  return {s.depth,     s.kernel_d, s.stride_d, s.dilation_d, -s.pad_front, s.out_depth,
          s.out_depth, 0,          1};
}

// A plan computes the output in passes, each with a Correlation of its own.
struct ForwardPlan {
  static int64_t passes(const ConvShape&) { return 1; }
  static int64_t rows(const ConvShape& s) { return s.group_rows(); }
  static double taps(const ConvShape& s) {
    return static_cast<double>(s.group_channels()) * s.kernel_size();
  }
  static double width(const ConvShape& s) { return static_cast<double>(s.out_width); }
  static int64_t source_size(const ConvShape& s) { return s.input_size(); }

  static Correlation plan(const ConvShape& s, bool in_place, int64_t) {
    Correlation p{};
    p.depth = forward_depth(s);
    p.images = s.batch * p.depth.count;
    p.groups = s.groups;
    p.channels = s.group_channels() * p.depth.taps;
    p.rows = rows(s);
    p.h = split_axis(s.height, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h);
    p.w = split_axis(s.width, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w);
    p.in_place = in_place;
    p.out_height = s.out_height;
    p.out_width = s.out_width;
    p.out_step_h = p.out_step_w = 1;
    p.row_weights = p.channels * s.kernel_area();
    p.area = s.kernel_area();
    p.group_weights = p.rows * p.row_weights;
    p.packed_group = p.group_weights;
    p.phase_count = 1;
    cut_into_units(p, s.out_height, s.out_width);
    finish_buffer(p, s.out_width);
    return p;
  }

  static void tables(const ConvShape& s, const Correlation& p, int64_t, ConvTap* taps,
                     ConvPhase* phases) {
    const int64_t slot_size = (p.unit_rows + p.h.halo) * p.pitch;
    const ConvTap* first = taps;
    for_each_channel(p, [&](int64_t c) {
      for (int64_t r = 0; r < s.kernel_h; ++r) {
        for (int64_t t = 0; t < s.kernel_w; ++t) {
          const int64_t slot = p.h.slot(r) * p.w.slots + p.w.slot(t);
          *taps++ = {c * p.channel_size + slot * slot_size + p.h.shift(r) * p.pitch + p.w.shift(t),
                     (c * s.kernel_h + r) * s.kernel_w + t};
        }
      }
    });
    phases[0] = {0, taps - first, 0, 0, s.out_height, s.out_width, 0};
  }
};

// One pass per phase in depth.
struct InputGradPlan {
  static int64_t passes(const ConvShape& s) { return GradAxis{planes_of(s)}.phases(); }
  static int64_t rows(const ConvShape& s) { return s.group_channels(); }
  static double taps(const ConvShape& s) {  // of a phase
    return static_cast<double>(s.group_rows()) * s.kernel_size() /
           static_cast<double>(s.stride_d * s.stride_h * s.stride_w);
  }
  static double width(const ConvShape& s) { return static_cast<double>(s.width) / s.stride_w; }
  static int64_t source_size(const ConvShape& s) { return s.out_size(); }

  static int64_t first_tap(const GradAxis& axis, int64_t phase) {
    int64_t tap = 0;
    while (tap < axis.kernel && axis.phase(tap) != phase) ++tap;
    return tap;
  }
  static DepthAxis depth_axis(const ConvShape& s, int64_t phase) {
    const GradAxis axis{planes_of(s)};
    const int64_t first = first_tap(axis, phase), step = axis.period();
    return {s.out_depth,
            ceil_div(axis.kernel - first, step),
            1,
            -step * axis.dilation / axis.stride,
            axis.shift(first),
            axis.pixels(phase),
            s.depth,
            phase,
            s.stride_d};
  }

  static Correlation plan(const ConvShape& s, bool in_place, int64_t pass) {
    const GradAxis h{rows_of(s)}, w{columns_of(s)};
    Correlation p{};
    p.depth = depth_axis(s, pass);
    p.images = s.batch * p.depth.count;
    p.groups = s.groups;
    p.channels = s.group_rows() * p.depth.taps;
    p.rows = rows(s);
    p.h = h.source();
    p.w = w.source();
    p.in_place = in_place;
    p.out_height = s.height;
    p.out_width = s.width;
    p.out_step_h = s.stride_h;
    p.out_step_w = s.stride_w;
    p.row_weights = s.kernel_size();
    p.area = s.kernel_area();
    p.group_weights = s.group_rows() * s.group_channels() * s.kernel_size();
    p.packed_group = p.rows * p.channels * s.kernel_area();
    p.phase_count = h.phases() * w.phases();
    cut_into_units(p, h.pixels(0), w.pixels(0));
    finish_buffer(p, w.pixels(0));
    return p;
  }

  static void tables(const ConvShape& s, const Correlation& p, int64_t pass, ConvTap* taps,
                     ConvPhase* phases) {
    const GradAxis d{planes_of(s)}, h{rows_of(s)}, w{columns_of(s)};
    const int64_t first_d = first_tap(d, pass), period_d = d.period();
    const int64_t row = s.group_channels() * s.kernel_size();
    int64_t count = 0;
    for (int64_t a = 0; a < h.phases(); ++a) {
      for (int64_t b = 0; b < w.phases(); ++b, ++phases) {
        const int64_t first = count;
        for_each_channel(p, [&](int64_t c) {
          const int64_t o = c / p.depth.taps, q = first_d + c % p.depth.taps * period_d;
          for (int64_t r = 0; r < s.kernel_h; ++r) {
            if (h.phase(r) != a) continue;
            for (int64_t t = 0; t < s.kernel_w; ++t) {
              if (w.phase(t) != b) continue;
              taps[count++] = {c * p.channel_size + (h.shift(r) - p.h.origin) * p.pitch +
                                   w.shift(t) - p.w.origin,
                               o * row + (q * s.kernel_h + r) * s.kernel_w + t};
            }
          }
        });
        *phases = {first, count - first, a, b, h.pixels(a), w.pixels(b), first * p.rows};
      }
    }
  }
};

double unit_nanoseconds(const Correlation& p, int64_t taps) {
  const double pixels = static_cast<double>(p.unit_images * p.unit_rows) * (p.pitch - p.w.halo);
  return pixels * p.rows * taps / 25 + 200;  // 25 multiply-adds a nanosecond
}

// What the lanes of an implicit GEMM are: pixels, gathered from a buffer or from the source in
// place, or rows (output channels).
enum class GemmForm { kPixels, kPixelsInPlace, kRows };

template <class Plan, GemmForm Form, class T>
struct GemmWork {  // what a pass of an implicit GEMM takes from the workspace
  Correlation p;
  ConvTap* taps;
  ConvPhase* phases;
  T* packed;
  int64_t per_worker;
  T* workers;
  size_t bytes;

  GemmWork(const ConvShape& s, int64_t pass, char* base)
      : p(Plan::plan(s, Form == GemmForm::kPixelsInPlace, pass)) {
    Carver carver(base);
    const int64_t lanes = kernels<T>().lanes, columns = kernels<T>().panel_columns;
    if (Form == GemmForm::kRows) {
      p.packed_group = p.packed_group / p.rows * round_up(p.rows, lanes);
    }
    taps = carver.take<ConvTap>(p.channels * s.kernel_area());
    phases = carver.take<ConvPhase>(p.phase_count);
    packed = carver.take<T>(p.groups * p.packed_group);
    const int64_t pixels = p.unit_images * p.unit_rows * (p.pitch - (p.in_place ? 0 : p.w.halo));
    const int64_t buffer =
        p.in_place ? 0 : p.unit_images * p.channels * p.channel_size + kSplitSlack;
    const int64_t result = Form == GemmForm::kRows
                               ? 2 * columns * pixels
                               : p.rows * (pixels + columns) + kConvTapBlock * columns;
    per_worker = round_up(buffer + result + kSplitSlack, 16);
    workers = carver.take<T>(max_workers() * per_worker);
    bytes = carver.used();
  }
};

// What unit u = (group, image block, band) has written.
ConvPart part_of(const Correlation& p, int64_t u) {
  const int64_t image = u / p.bands % p.image_blocks * p.unit_images;
  const int64_t row = u % p.bands * p.unit_rows, group = u / p.bands / p.image_blocks;
  return {.image = image,
          .images = std::min(p.unit_images, p.images - image),
          .channel = group * p.rows,
          .channels = p.rows,
          .row = row,
          .rows = std::min(p.unit_rows, p.out_height - row),
          .column = 0,
          .columns = p.out_width};
}

template <class Plan, GemmForm Form, class T>
void run_implicit_gemm(const ConvShape& s, int64_t pass, const ConvArrays& arrays) {
  GemmWork<Plan, Form, T> work(s, pass, arrays.workspace);
  Correlation& p = work.p;
  Plan::tables(s, p, pass, work.taps, work.phases);
  p.taps = work.taps;
  p.phases = work.phases;
  const ConvKernels<T>& k = kernels<T>();
  const T* source = static_cast<const T*>(arrays.a);
  const T* end = source + Plan::source_size(s);
  const T* weight = static_cast<const T*>(arrays.b);
  const T* bias = static_cast<const T*>(arrays.bias);
  T* out = static_cast<T*>(arrays.out);
  p.rectify = arrays.activation.relu;
  constexpr bool kRows = Form == GemmForm::kRows;
  const auto pack = kRows ? k.pack_lanes : k.pack;
  const auto multiply = kRows ? k.row_lanes : k.implicit_gemm;
  const int64_t panels =
      p.groups * (kRows ? ceil_div(p.rows, k.panel_columns) * ceil_div(p.channels, kPackedChannels)
                        : ceil_div(p.rows, k.panel_rows));
  parallel(panels,
           grain_for(static_cast<double>(p.groups * p.packed_group) / std::max<int64_t>(panels, 1)),
           [&](int64_t begin, int64_t stop, int) {
             for (int64_t u = begin; u < stop; ++u) pack(p, u, weight, work.packed);
           });
  parallel(p.groups * p.image_blocks * p.bands,
           grain_for(unit_nanoseconds(p, p.channels * s.kernel_area())),
           [&](int64_t begin, int64_t stop, int worker) {
             T* workspace = work.workers + worker * work.per_worker;
             for (int64_t u = begin; u < stop; ++u) {
               multiply(p, u, source, end, work.packed, bias, out, workspace);
               if (!p.rectify) finish_part<T>(s, arrays, part_of(p, u));
             }
           });
}

template <class Plan, class T>
struct DirectWork {
  Correlation p;
  ConvTap* taps;
  ConvPhase* phases;
  int64_t per_worker;
  T* workers;
  size_t bytes;

  DirectWork(const ConvShape& s, int64_t pass, char* base) : p(Plan::plan(s, false, pass)) {
    Carver carver(base);
    taps = carver.take<ConvTap>(p.channels * s.kernel_area());
    phases = carver.take<ConvPhase>(p.phase_count);
    per_worker =
        round_up(p.channels * p.channel_size + p.unit_rows * p.pitch + 2 * kSplitSlack, 16);
    workers = carver.take<T>(max_workers() * per_worker);
    bytes = carver.used();
  }
};

template <class Plan, class T>
void run_direct(const ConvShape& s, int64_t pass, const ConvArrays& arrays) {
  DirectWork<Plan, T> work(s, pass, arrays.workspace);
  Correlation& p = work.p;
  Plan::tables(s, p, pass, work.taps, work.phases);
  p.taps = work.taps;
  p.phases = work.phases;
  const ConvKernels<T>& k = kernels<T>();
  const T* source = static_cast<const T*>(arrays.a);
  const T* end = source + Plan::source_size(s);
  parallel(p.groups * p.image_blocks * p.bands,
           grain_for(4 * unit_nanoseconds(p, p.channels * s.kernel_area())),
           [&](int64_t begin, int64_t stop, int worker) {
             T* workspace = work.workers + worker * work.per_worker;
             for (int64_t u = begin; u < stop; ++u) {
               k.direct(p, u, source, end, static_cast<const T*>(arrays.b),
                        static_cast<const T*>(arrays.bias), static_cast<T*>(arrays.out), workspace);
               finish_part<T>(s, arrays, part_of(p, u));
             }
           });
}

// ---------------------------------------------------------------- weight gradient

constexpr int64_t kTileVectors = 48;        // pixels of a tile: one sum over lanes per so many
constexpr int64_t kPanelPixels = 256;       // outer products: a panel of gradients takes 32 KiB
constexpr int64_t kTileBytes = 384 * 1024;  // gathered inputs of a tile (or sums), in L2
constexpr double kUnitWork = 1e6;           // multiply-adds worth a unit of their own

template <class T>
int64_t padded_rows(const ConvShape& s) {
  const int64_t lanes = weight_kernels<T>().lanes;
  return round_up(s.group_rows(), lanes);
}

template <class T, bool Outer>
WeightGradient plan_weight_grad(const ConvShape& s) {
  const int64_t lanes = weight_kernels<T>().lanes;
  WeightGradient p{};
  p.shape = s;
  p.images = s.batch * s.out_depth;
  p.channels = s.group_channels() * s.kernel_d;
  p.depth = forward_depth(s);
  p.h = split_axis(s.height, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h);
  p.w = split_axis(s.width, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w);
  const int64_t pixels = s.out_height * s.out_width;
  const int64_t wanted = Outer ? kPanelPixels : kTileVectors * lanes;
  p.tile_images = 1;
  p.tile_rows = s.out_height;
  if (pixels > wanted) {
    const int64_t rows = std::max<int64_t>(wanted / s.out_width, 1);
    p.tile_rows = ceil_div(s.out_height, ceil_div(s.out_height, rows));
  } else {
    p.tile_images = std::min(std::max<int64_t>(p.images, 1), wanted / pixels);
  }
  p.image_blocks = ceil_div(p.images, p.tile_images);
  p.bands = ceil_div(s.out_height, p.tile_rows);
  // An odd number of vectors: rows a power of two apart would fall into the same cache sets.
  p.tile_pixels = (ceil_div(p.tile_images * p.tile_rows * s.out_width, lanes) | 1) * lanes;
  p.pitch = s.out_width + p.w.halo;
  p.channel_size = p.h.slots * p.w.slots * (p.tile_rows + p.h.halo) * p.pitch;

  // Of a channel: its taps' pixels, or its taps' sums, or its pixels in the buffer.
  const int64_t channel_elements =
      Outer ? std::max(s.kernel_area() * padded_rows<T>(s), p.tile_images * p.channel_size)
            : s.kernel_area() * p.tile_pixels;
  const int64_t most = kTileBytes / static_cast<int64_t>(sizeof(T)) / channel_elements;
  p.channel_block = std::min(std::max<int64_t>(most, 1), p.channels);
  p.channel_block = ceil_div(p.channels, ceil_div(p.channels, p.channel_block));
  p.blocks = ceil_div(p.channels, p.channel_block);

  const int64_t weights = s.out_channels * p.channels * s.kernel_area();
  const double work = static_cast<double>(p.images) * pixels * weights;
  const int64_t units = static_cast<int64_t>(std::min(work / kUnitWork, 64.0)) + 1;
  p.splits = std::min({ceil_div(units, s.groups * p.blocks), p.image_blocks * p.bands, kMaxSplits,
                       std::max<int64_t>(kMaxPartials / weights, 1)});
  p.splits = std::max<int64_t>(p.splits, 1);
  return p;
}

template <class T, bool Outer>
struct WeightWork {
  WeightGradient p;
  int64_t weights;
  ConvTap* taps;
  int64_t* pixels;
  T* partial;
  int64_t per_worker;
  T* workers;
  size_t bytes;

  WeightWork(const ConvShape& s, char* base) : p(plan_weight_grad<T, Outer>(s)) {
    Carver carver(base);
    weights = s.out_channels * s.group_channels() * s.kernel_size();
    const int64_t block_taps = p.channel_block * s.kernel_area();
    taps = carver.take<ConvTap>(block_taps);
    pixels = carver.take<int64_t>(Outer ? p.tile_images * p.tile_rows * s.out_width : 0);
    partial = carver.take<T>(p.splits > 1 ? p.splits * weights : 0);
    const int64_t operands =
        Outer ? p.tile_pixels * weight_kernels<T>().panel_columns + block_taps * padded_rows<T>(s)
              : (block_taps + s.group_rows()) * p.tile_pixels;
    const int64_t buffer = p.tile_images * p.channel_block * p.channel_size;
    per_worker = round_up(operands + buffer + 2 * kSplitSlack, 16);
    workers = carver.take<T>(max_workers() * per_worker);
    bytes = carver.used();
  }
};

template <class T, bool Outer>
void run_weight_grad(const ConvShape& s, const ConvArrays& arrays) {
  WeightWork<T, Outer> work(s, arrays.workspace);
  WeightGradient& p = work.p;
  const int64_t slot_size = (p.tile_rows + p.h.halo) * p.pitch;
  ConvTap* tap = work.taps;
  for (int64_t c = 0; c < p.channel_block; ++c) {
    for (int64_t r = 0; r < s.kernel_h; ++r) {
      for (int64_t t = 0; t < s.kernel_w; ++t) {
        *tap++ = {c * p.channel_size + (p.h.slot(r) * p.w.slots + p.w.slot(t)) * slot_size +
                      p.h.shift(r) * p.pitch + p.w.shift(t),
                  0};
      }
    }
  }
  p.taps = work.taps;
  if (Outer) {
    int64_t* pixel = work.pixels;
    for (int64_t i = 0; i < p.tile_images; ++i) {
      for (int64_t y = 0; y < p.tile_rows; ++y) {
        const int64_t line = i * p.channel_block * p.channel_size + y * p.pitch;
        for (int64_t x = 0; x < s.out_width; ++x) *pixel++ = line + x;
      }
    }
    p.pixels = work.pixels;
  }
  const ConvWeightKernels<T>& k = weight_kernels<T>();
  const auto compute = Outer ? k.outer_products : k.dot_products;
  const T* input = static_cast<const T*>(arrays.a);
  const T* grad = static_cast<const T*>(arrays.b);
  const T* input_end = input + s.input_size();
  const T* grad_end = grad + s.out_size();
  T* out = static_cast<T*>(arrays.out);
  T* partial = p.splits > 1 ? work.partial : out;
  const int64_t units = s.groups * p.blocks * p.splits;
  const double per_unit = static_cast<double>(p.images) * s.out_plane() * work.weights / 25 / units;
  parallel(units, grain_for(per_unit), [&](int64_t begin, int64_t stop, int worker) {
    T* workspace = work.workers + worker * work.per_worker;
    for (int64_t u = begin; u < stop; ++u) {
      compute(p, u, input, input_end, grad, grad_end, partial, workspace);
    }
  });
  combine_splits(partial, p.splits, work.weights, out);
}

// ---------------------------------------------------------------- reference

// f(input index, output index, weight index) for every product between two planes: those of
// output row `out_row` (of example, channel and depth) and input and weight rows alike.
template <class F>
void for_each_product_of_planes(const ConvShape& s, int64_t in_row, int64_t out_row,
                                int64_t weight_row, F&& f) {
  for (int64_t y = 0; y < s.out_height; ++y) {
    for (int64_t x = 0; x < s.out_width; ++x) {
      for (int64_t r = 0; r < s.kernel_h; ++r) {
        const int64_t iy = y * s.stride_h - s.pad_top + r * s.dilation_h;
        if (iy < 0 || iy >= s.height) continue;
        for (int64_t t = 0; t < s.kernel_w; ++t) {
          const int64_t ix = x * s.stride_w - s.pad_left + t * s.dilation_w;
          if (ix < 0 || ix >= s.width) continue;
          f((in_row * s.height + iy) * s.width + ix, (out_row * s.out_height + y) * s.out_width + x,
            (weight_row * s.kernel_h + r) * s.kernel_w + t);
        }
      }
    }
  }
}

// The same for every product of one example.
template <class F>
void for_each_product(const ConvShape& s, int64_t n, F&& f) {
  for (int64_t o = 0; o < s.out_channels; ++o) {
    const int64_t group = o / s.group_rows();
    for (int64_t z = 0; z < s.out_depth; ++z) {
      for (int64_t c = 0; c < s.group_channels(); ++c) {
        const int64_t channel = n * s.channels + group * s.group_channels() + c;
        for (int64_t q = 0; q < s.kernel_d; ++q) {
          const int64_t iz = z * s.stride_d - s.pad_front + q * s.dilation_d;
          if (iz < 0 || iz >= s.depth) continue;
          for_each_product_of_planes(s, channel * s.depth + iz,
                                     (n * s.out_channels + o) * s.out_depth + z,
                                     (o * s.group_channels() + c) * s.kernel_d + q, f);
        }
      }
    }
  }
}

template <class T>
void reference_forward(const ConvShape& s, const ConvArrays& arrays) {
  const T* input = static_cast<const T*>(arrays.a);
  const T* weight = static_cast<const T*>(arrays.b);
  const T* bias = static_cast<const T*>(arrays.bias);
  T* out = static_cast<T*>(arrays.out);
  const int64_t channel = s.out_depth * s.out_plane();
  for (int64_t i = 0; i < s.out_size(); ++i) {
    out[i] = bias ? bias[i / channel % s.out_channels] : T(0);
  }
  for (int64_t n = 0; n < s.batch; ++n) {
    for_each_product(s, n,
                     [&](int64_t i, int64_t o, int64_t w) { out[o] += weight[w] * input[i]; });
  }
  if (arrays.activation) arrays.activation(out, s.out_size());
}

template <class T>
void reference_input_grad(const ConvShape& s, const ConvArrays& arrays) {
  const T* grad = static_cast<const T*>(arrays.a);
  const T* weight = static_cast<const T*>(arrays.b);
  T* out = static_cast<T*>(arrays.out);
  const T* bias = static_cast<const T*>(arrays.bias);
  const int64_t channel = s.depth * s.input_plane();
  for (int64_t i = 0; i < s.input_size(); ++i) {
    out[i] = bias ? bias[i / channel % s.channels] : T(0);
  }
  for (int64_t n = 0; n < s.batch; ++n) {
    for_each_product(s, n, [&](int64_t i, int64_t o, int64_t w) { out[i] += weight[w] * grad[o]; });
  }
}

template <class T>
void reference_weight_grad(const ConvShape& s, const ConvArrays& arrays) {
  const T* input = static_cast<const T*>(arrays.a);
  const T* grad = static_cast<const T*>(arrays.b);
  T* out = static_cast<T*>(arrays.out);
  std::fill(out, out + s.out_channels * s.group_channels() * s.kernel_size(), T(0));
  for (int64_t n = 0; n < s.batch; ++n) {
    for_each_product(s, n, [&](int64_t i, int64_t o, int64_t w) { out[w] += input[i] * grad[o]; });
  }
}

// ---------------------------------------------------------------- the lists

bool always(const ConvShape&, DType) { return true; }
size_t no_workspace(const ConvShape&, DType) { return 0; }

// So few rows that a register tile would be mostly idle.
constexpr int64_t kDirectRows = 2;
bool few_output_rows(const ConvShape& s, DType) { return s.group_rows() <= kDirectRows; }
bool few_input_rows(const ConvShape& s, DType) { return s.group_channels() <= kDirectRows; }

// Lanes are output channels: enough of them, in vectors that are mostly whole, and enough taps to
// pay for the transposition of their gradients. The many channels of a pointwise layer would ask
// for it once per block of them.
bool fills_lanes(const ConvShape& s, DType) {
  const int64_t rows = s.group_rows();
  return rows > 16 && rows * 4 >= round_up(rows, 16) * 3 &&
         s.group_channels() * s.kernel_size() >= 9 &&
         (s.kernel_size() > 1 || s.group_channels() <= 256);
}

// Cycles for a tap of all rows at one pixel, in units of a register tile's columns. Lanes that are
// rows pay for lanes without a row and, once a pixel, for the transposition of results; lanes that
// are pixels for their gathering, by pieces of image rows. Fitted to the layers of some 15 nets on
// AVX2 and AVX-512, where it picks what is 1% slower than the faster one on average.
template <class Plan>
bool rows_suit(const ConvShape& s, DType dtype) {
  return dispatch_floating(dtype, [&](auto tag) {
    const auto& k = kernels<typename decltype(tag)::type>();
    const double rows = static_cast<double>(Plan::rows(s)), columns = k.panel_columns;
    const double taps = Plan::taps(s);
    const int64_t vectors = ceil_div(Plan::rows(s), k.lanes), vecs = k.panel_columns / k.lanes;
    const double rest = vectors % vecs == 0 ? 0 : static_cast<double>(vectors % vecs) / vecs + 0.25;
    return (taps + 16) * (vectors / vecs + rest) <
           taps * (rows + 2 + 3 * columns / Plan::width(s)) / columns;
  });
}

template <class Plan, class F>
size_t most_of_passes(const ConvShape& s, F&& bytes) {
  size_t most = 0;
  for (int64_t pass = 0; pass < Plan::passes(s); ++pass) most = std::max(most, bytes(pass));
  return most;
}

template <class Plan, GemmForm Form>
ConvAlgorithm implicit_gemm(const char* name, bool (*accepts)(const ConvShape&, DType),
                            bool (*suits)(const ConvShape&, DType) = always) {
  return {name, accepts, suits,
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return most_of_passes<Plan>(s, [&](int64_t pass) {
                return GemmWork<Plan, Form, typename decltype(tag)::type>(s, pass, nullptr).bytes;
              });
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(dtype, [&](auto tag) {
              for (int64_t pass = 0; pass < Plan::passes(s); ++pass) {
                run_implicit_gemm<Plan, Form, typename decltype(tag)::type>(s, pass, arrays);
              }
            });
          }};
}

template <class Plan>
ConvAlgorithm direct(bool (*accepts)(const ConvShape&, DType)) {
  return {"direct", accepts, always,
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return most_of_passes<Plan>(s, [&](int64_t pass) {
                return DirectWork<Plan, typename decltype(tag)::type>(s, pass, nullptr).bytes;
              });
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(dtype, [&](auto tag) {
              for (int64_t pass = 0; pass < Plan::passes(s); ++pass) {
                run_direct<Plan, typename decltype(tag)::type>(s, pass, arrays);
              }
            });
          }};
}

template <bool Outer>
ConvAlgorithm weight_grad(const char* name, bool (*suits)(const ConvShape&, DType)) {
  return {name, always, suits,
          [](const ConvShape& s, DType dtype) {
            return dispatch_floating(dtype, [&](auto tag) {
              return WeightWork<typename decltype(tag)::type, Outer>(s, nullptr).bytes;
            });
          },
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            dispatch_floating(dtype, [&](auto tag) {
              run_weight_grad<typename decltype(tag)::type, Outer>(s, arrays);
            });
          }};
}

template <void (*Float)(const ConvShape&, const ConvArrays&),
          void (*Double)(const ConvShape&, const ConvArrays&)>
ConvAlgorithm reference() {
  return {"reference", always, always, no_workspace,
          [](const ConvShape& s, DType dtype, const ConvArrays& arrays) {
            (dtype == DType::kFloat64 ? Double : Float)(s, arrays);
          }};
}

constexpr int kMaxAlgorithms = 10;
struct AlgorithmList {
  ConvAlgorithm items[kMaxAlgorithms];
  int count;
};

const AlgorithmList& algorithms(ConvDirection direction) {
  static const AlgorithmList lists[kConvDirections] = {
      {{gemm_forward(), winograd_algorithm(ConvDirection::kForward, 4),
        winograd_algorithm(ConvDirection::kForward, 2), channels_forward(), images_forward(),
        direct<ForwardPlan>(few_output_rows),
        implicit_gemm<ForwardPlan, GemmForm::kPixelsInPlace>("pointwise", is_pointwise),
        implicit_gemm<ForwardPlan, GemmForm::kRows>("row_lanes", always, rows_suit<ForwardPlan>),
        implicit_gemm<ForwardPlan, GemmForm::kPixels>("implicit_gemm", always),
        reference<reference_forward<float>, reference_forward<double>>()},
       10},
      {{gemm_input_grad(), winograd_algorithm(ConvDirection::kInputGrad, 4),
        winograd_algorithm(ConvDirection::kInputGrad, 2), channels_input_grad(),
        images_input_grad(), direct<InputGradPlan>(few_input_rows),
        implicit_gemm<InputGradPlan, GemmForm::kPixelsInPlace>("pointwise", is_pointwise),
        implicit_gemm<InputGradPlan, GemmForm::kRows>("row_lanes", always,
                                                      rows_suit<InputGradPlan>),
        implicit_gemm<InputGradPlan, GemmForm::kPixels>("implicit_gemm", always),
        reference<reference_input_grad<float>, reference_input_grad<double>>()},
       10},
      {{gemm_weight_grad(), winograd_algorithm(ConvDirection::kWeightGrad, 4),
        winograd_algorithm(ConvDirection::kWeightGrad, 2), channels_weight_grad(),
        images_weight_grad(), weight_grad<true>("outer_products", fills_lanes),
        weight_grad<false>("dot_products", always),
        reference<reference_weight_grad<float>, reference_weight_grad<double>>()},
       8},
  };
  return lists[static_cast<int>(direction)];
}

std::atomic<const char*> forced[kConvDirections];
thread_local const char* last[kConvDirections] = {"", "", ""};

ConvDirection direction_from_name(const char* name) {
  constexpr const char* kNames[kConvDirections] = {"forward", "input_grad", "weight_grad"};
  for (int d = 0; d < kConvDirections; ++d) {
    if (std::strcmp(name, kNames[d]) == 0) return static_cast<ConvDirection>(d);
  }
  fail(ErrorKind::kValue, "conv2d: no direction is named '", name, "'");
}

const ConvAlgorithm* find(ConvDirection direction, const char* name) {
  const AlgorithmList& list = algorithms(direction);
  for (int i = 0; i < list.count; ++i) {
    if (std::strcmp(list.items[i].name, name) == 0) return &list.items[i];
  }
  return nullptr;
}

}  // namespace

bool is_pointwise(const ConvShape& s, DType) {
  return s.kernel_size() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 &&
         s.pad_left == 0 && s.out_height == s.height && s.out_width == s.width && s.depth == 1 &&
         s.out_depth == 1;
}

const ConvAlgorithm& choose_conv_algorithm(ConvDirection direction, const ConvShape& shape,
                                           DType dtype) {
  const int d = static_cast<int>(direction);
  const AlgorithmList& list = algorithms(direction);
  const ConvAlgorithm* chosen = nullptr;
  if (const char* name = forced[d].load()) {
    chosen = find(direction, name);
    CR_CHECK_STATE(chosen->accepts(shape, dtype), "conv2d: the forced algorithm '", name,
                   "' does not support this problem");
  } else {
    for (int i = 0; chosen == nullptr; ++i) {
      const ConvAlgorithm& item = list.items[i];
      if (item.accepts(shape, dtype) && item.suits(shape, dtype)) chosen = &item;
    }
  }
  last[d] = chosen->name;
  return *chosen;
}

void force_conv_algorithm(const char* direction, const char* name) {
  const ConvDirection d = direction_from_name(direction);
  const char* known = nullptr;
  if (*name) {
    const ConvAlgorithm* algorithm = find(d, name);
    CR_CHECK(algorithm, "conv2d: no algorithm for ", direction, " is named '", name, "'");
    known = algorithm->name;
  }
  forced[static_cast<int>(d)] = known;
}

const char* last_conv_algorithm(const char* direction) {
  return last[static_cast<int>(direction_from_name(direction))];
}

}  // namespace cr

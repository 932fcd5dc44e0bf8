// Convolution of a batch with images as lanes.
//
// A block of as many images as a vector has lanes is transposed, so that a pixel is a vector. Then
// any tap of any pixel is one aligned load: tiles of pixels need not be neighbours, small images
// waste nothing, strides and phases cost nothing, and taps that fall on the zero border are left
// out. A register tile is some rows (output channels) times some pixels that see the same taps.
#include "ops/conv_images.kernel.h"

#include "simd/rectify.h"
#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

// Accumulators, a vector per pixel and one broadcast fill the registers. Fewer rows take more
// pixels: eight sums at least hide the latency of a multiply-add.
#if CR_VEC_BYTES == 64
constexpr int kPanelRows = 8;
constexpr int tile_pixels(int rows) { return rows <= 2 ? 8 : rows <= 4 ? 6 : rows <= 6 ? 4 : 3; }
#elif CR_VEC_BYTES == 32
constexpr int kPanelRows = 4;
constexpr int tile_pixels(int rows) { return rows <= 1 ? 8 : rows <= 2 ? 4 : 3; }
#else
constexpr int kPanelRows = 4;
constexpr int tile_pixels(int rows) { return rows <= 1 ? 8 : rows <= 2 ? 4 : 2; }
#endif
constexpr int kMostPixels = 8;

struct Tap {
  int64_t pixel, weight;  // within a channel
};

// Sums over the channels and taps that all pixels of a tile see.
template <class T>
struct Tile {
  const Tap* taps;
  int64_t tap_count, channels;
  int64_t channel_size, channel_weights;
  const T* source[kMostPixels];
  T* out[kMostPixels];
  int64_t out_row;  // distance of rows in the output
  const T* weight;
  const T* bias;  // one value a row, or null
  bool rectify;
};

template <class T, int Rows, int Pixels>
void multiply(const Tile<T>& tile) {
  Vec<T> acc[Rows][Pixels];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Pixels; ++j) {
      acc[i][j] = tile.bias ? splat(tile.bias[i]) : Vec<T>{};
    }
  }
  const T* source[Pixels];
#pragma GCC unroll 16
  for (int j = 0; j < Pixels; ++j) source[j] = tile.source[j];
  const T* weight = tile.weight;
  for (int64_t c = 0; c < tile.channels; ++c) {
    for (const Tap* tap = tile.taps; tap != tile.taps + tile.tap_count; ++tap) {
      Vec<T> x[Pixels];
#pragma GCC unroll 16
      for (int j = 0; j < Pixels; ++j) x[j] = load(source[j] + tap->pixel);
      const T* w = weight + tap->weight;
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const Vec<T> s = splat(w[i]);
#pragma GCC unroll 16
        for (int j = 0; j < Pixels; ++j) acc[i][j] += s * x[j];
      }
    }
#pragma GCC unroll 16
    for (int j = 0; j < Pixels; ++j) source[j] += tile.channel_size;
    weight += tile.channel_weights;
  }
  if (tile.rectify) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Pixels; ++j) acc[i][j] = rectified(acc[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Pixels; ++j) store(tile.out[j] + i * tile.out_row, acc[i][j]);
  }
}

template <class T>
struct MultiplyTable {
  void (*function[kPanelRows][kMostPixels])(const Tile<T>&);

  template <int Rows, int Pixels>
  constexpr void fill() {
    function[Rows - 1][Pixels - 1] = multiply<T, Rows, Pixels>;
    if constexpr (Pixels > 1) {
      fill<Rows, Pixels - 1>();
    } else if constexpr (Rows > 1) {
      fill<Rows - 1, tile_pixels(Rows - 1)>();
    }
  }
  constexpr MultiplyTable() : function{} { fill<kPanelRows, tile_pixels(kPanelRows)>(); }
};
template <class T>
constexpr MultiplyTable<T> kMultiply{};

// Rows are dealt evenly to the fewest panels.
int64_t panel_count(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
int64_t panel_begin(int64_t panel, int64_t panels, int64_t rows) { return panel * rows / panels; }

template <class T>
void pack(const ImageCorrelation& p, int64_t u, const T* weight, T* packed) {
  const int64_t panels = panel_count(p.rows), area = p.area();
  const int64_t group = u / panels, panel = u % panels;
  const int64_t begin = panel_begin(panel, panels, p.rows);
  const int64_t rows = panel_begin(panel + 1, panels, p.rows) - begin;
  T* to = packed + (group * p.rows + begin) * p.channels * area;
  const T* from = weight + group * p.group_weights + begin * p.row_weights;
  for (int64_t c = 0; c < p.channels; ++c, from += p.channel_weights, to += area * rows) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t k = 0; k < area; ++k) to[k * rows + i] = from[i * p.row_weights + k];
    }
  }
}

struct Unit {
  int64_t group, image, images;
  int64_t row, rows;                // of the output
  int64_t source_row, source_rows;  // what they see
};

Unit unit_at(const ImageCorrelation& p, int64_t u, int64_t lanes) {
  Unit unit;
  unit.row = u % p.bands * p.band_rows;
  unit.image = u / p.bands % p.image_blocks * lanes;
  unit.group = u / p.bands / p.image_blocks;
  unit.images = p.images - unit.image < lanes ? p.images - unit.image : lanes;
  const int64_t left = p.h.out_extent - unit.row;
  unit.rows = left < p.band_rows ? left : p.band_rows;
  int64_t first, last;
  p.h.reach(unit.row, unit.row + unit.rows, first, last);
  unit.source_row = first;
  unit.source_rows = last < first ? 0 : last - first + 1;
  return unit;
}

// The pixels that a run of rows and a run of columns have in common, tile by tile.
template <class T>
void correlate_runs(const ImageCorrelation& p, const Unit& unit, const ImageAxis::Run& v,
                    const ImageAxis::Run& h, int rows, const T* buffer, Tap* taps, Tile<T>& tile,
                    T* result) {
  constexpr int kL = kLanes<T>;
  const ImageAxis::Pixel* y = p.h.pixels + v.first;
  const ImageAxis::Pixel* stop = y + v.count;
  while (y < stop && y->out < unit.row) ++y;
  while (y < stop && stop[-1].out >= unit.row + unit.rows) --stop;
  const ImageAxis::Pixel* x = p.w.pixels + h.first;
  const int64_t pixels = (stop - y) * h.count;
  if (pixels == 0) return;

  tile.tap_count = v.taps * h.taps;
  for (int64_t i = 0; i < v.taps; ++i) {
    for (int64_t j = 0; j < h.taps; ++j, ++taps) {
      taps->pixel = (i * p.h.source_step * p.w.extent + j * p.w.source_step) * kL;
      taps->weight = ((v.tap + i * p.h.tap_step) * p.w.kernel + h.tap + j * p.w.tap_step) * rows;
    }
  }
  const int64_t most = tile_pixels(rows), tiles = (pixels + most - 1) / most;
  int64_t column = 0;
  for (int64_t t = 0; t < tiles; ++t) {
    const int count = static_cast<int>((t + 1) * pixels / tiles - t * pixels / tiles);
    for (int j = 0; j < count; ++j) {
      tile.source[j] =
          tile.tap_count == 0
              ? buffer
              : buffer + ((y->source - unit.source_row) * p.w.extent + x[column].source) * kL;
      tile.out[j] = result + ((y->out - unit.row) * p.w.out_extent + x[column].out) * kL;
      if (++column < h.count) continue;
      column = 0;
      ++y;
    }
    kMultiply<T>.function[rows - 1][count - 1](tile);
  }
}

template <class T>
void correlate(const ImageCorrelation& p, int64_t u, const T* source, const T* packed,
               const T* bias, T* out, T* workspace) {
  constexpr int kL = kLanes<T>;
  const Unit unit = unit_at(p, u, kL);
  const int64_t plane = p.h.extent * p.w.extent, out_plane = p.h.out_extent * p.w.out_extent;
  const int64_t pixels = unit.rows * p.w.out_extent;
  T* buffer = workspace;
  T* result = buffer + p.channels * p.source_rows * p.w.extent * kL;
  Tap* taps = reinterpret_cast<Tap*>(result + kPanelRows * p.band_rows * p.w.out_extent * kL);

  Tile<T> tile;
  tile.taps = taps;
  tile.channels = p.channels;
  tile.rectify = p.rectify;
  tile.channel_size = unit.source_rows * p.w.extent * kL;
  tile.out_row = pixels * kL;
  const int64_t from_row = p.groups * p.channels * plane;
  const T* from = source + (unit.image * p.groups + unit.group) * p.channels * plane +
                  unit.source_row * p.w.extent;
  if (unit.source_rows == p.h.extent) {
    transpose_array<T, true>(from, from_row, unit.images, p.channels * plane, buffer, kL);
  } else if (unit.source_rows > 0) {
    for (int64_t c = 0; c < p.channels; ++c) {
      transpose_array<T, true>(from + c * plane, from_row, unit.images,
                               unit.source_rows * p.w.extent, buffer + c * tile.channel_size, kL);
    }
  }

  const int64_t panels = panel_count(p.rows), to_row = p.groups * p.rows * out_plane;
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t first = unit.group * p.rows + panel_begin(panel, panels, p.rows);
    const int rows =
        static_cast<int>(unit.group * p.rows + panel_begin(panel + 1, panels, p.rows) - first);
    tile.weight = packed + first * p.channels * p.area();
    tile.channel_weights = p.area() * rows;
    tile.bias = bias ? bias + first : nullptr;
    for (int64_t v = 0; v < p.h.run_count; ++v) {
      for (int64_t h = 0; h < p.w.run_count; ++h) {
        correlate_runs(p, unit, p.h.runs[v], p.w.runs[h], rows, buffer, taps, tile, result);
      }
    }
    T* to = out + unit.image * to_row + first * out_plane + unit.row * p.w.out_extent;
    if (unit.rows == p.h.out_extent) {
      transpose_array<T, false>(result, kL, rows * pixels, unit.images, to, to_row);
    } else {
      for (int i = 0; i < rows; ++i) {
        transpose_array<T, false>(result + i * pixels * kL, kL, pixels, unit.images,
                                  to + i * out_plane, to_row);
      }
    }
  }
}

// ---------------------------------------------------------------- weight gradient

constexpr int kDotChannels = 3;
constexpr int64_t kDotPixels = 64;  // gradients of so many pixels and a panel's rows: 32 KiB, in L1

// Gradients of some rows and inputs of some channels over a rectangle of output pixels.
template <class T>
struct Dots {
  int64_t height, width;
  const T* grad;
  int64_t grad_row, grad_line;
  const T* input;
  int64_t input_channel, input_line, input_step;
  T* out;
  int64_t out_row, out_channel;
  bool accumulate;
};

template <class T, int Rows, int Channels>
void multiply_dots(const Dots<T>& d) {
  constexpr int kL = kLanes<T>;
  Vec<T> acc[Channels][kPanelRows];
#pragma GCC unroll 16
  for (int j = 0; j < Channels; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < kPanelRows; ++i) acc[j][i] = Vec<T>{};
  }
  for (int64_t y = 0; y < d.height; ++y) {
    const T* grad = d.grad + y * d.grad_line;
    const T* input = d.input + y * d.input_line;
    for (int64_t x = 0; x < d.width; ++x, grad += kL, input += d.input_step) {
      Vec<T> v[Channels];
#pragma GCC unroll 16
      for (int j = 0; j < Channels; ++j) v[j] = load(input + j * d.input_channel);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        // Opaque: gcc would fold the load into every multiply-add, and loads would be the limit.
        const Vec<T> g = opaque(load(grad + i * d.grad_row));
#pragma GCC unroll 16
        for (int j = 0; j < Channels; ++j) acc[j][i] += g * v[j];
      }
    }
  }
  constexpr int kSums = kPanelRows < kL ? kPanelRows : kL;
#pragma GCC unroll 16
  for (int j = 0; j < Channels; ++j) {
    T sums[kPanelRows < kL ? kL : kPanelRows];
#pragma GCC unroll 16
    for (int i = 0; i < kPanelRows; i += kSums) store(sums + i, sum_lanes<T, kSums>(acc[j] + i));
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      T* to = d.out + i * d.out_row + j * d.out_channel;
      *to = d.accumulate ? *to + sums[i] : sums[i];
    }
  }
}

template <class T>
struct DotsTable {
  void (*function[kPanelRows][kDotChannels])(const Dots<T>&);

  template <int Rows, int Channels>
  constexpr void fill() {
    function[Rows - 1][Channels - 1] = multiply_dots<T, Rows, Channels>;
    if constexpr (Channels > 1) {
      fill<Rows, Channels - 1>();
    } else if constexpr (Rows > 1) {
      fill<Rows - 1, kDotChannels>();
    }
  }
  constexpr DotsTable() : function{} { fill<kPanelRows, kDotChannels>(); }
};
template <class T>
constexpr DotsTable<T> kDots{};

// The output pixels [begin, end) of [first, last) that see tap `tap` inside the image.
struct Seen {
  int64_t begin, end;

  Seen(int64_t tap, int64_t extent, int64_t stride, int64_t padding, int64_t dilation,
       int64_t first, int64_t last) {
    const int64_t shift = tap * dilation - padding, left = extent - shift;
    begin = shift < 0 ? (-shift + stride - 1) / stride : 0;
    end = left > 0 ? (left + stride - 1) / stride : 0;
    if (begin < first) begin = first;
    if (end > last) end = last;
    if (end < begin) end = begin;
  }
  int64_t count() const { return end - begin; }
};

// One tile of a unit: the images of a block, the output rows [row, row + rows).
template <class T>
void add_tile(const ImageWeightGradient& p, int64_t group, int64_t channel, int64_t channels,
              int64_t tile, bool accumulate, const T* input, const T* grad, T* out, T* workspace) {
  constexpr int kL = kLanes<T>;
  const ConvShape& s = p.shape;
  const int64_t image = tile / p.bands * kL, row = tile % p.bands * p.band_rows;
  const int64_t images = s.batch - image < kL ? s.batch - image : kL;
  const int64_t rows = s.out_height - row < p.band_rows ? s.out_height - row : p.band_rows;
  const int64_t top = row * s.stride_h - s.pad_top;
  const int64_t first = top < 0 ? 0 : top < s.height ? top : s.height;
  const int64_t below = first + p.source_rows;
  const int64_t source_rows = (below < s.height ? below : s.height) - first;
  const int64_t plane = s.input_plane(), out_plane = s.out_plane();
  T* buffer = workspace;
  T* grads = buffer + p.channel_block * p.source_rows * s.width * kL;

  const T* from =
      input + (image * s.channels + group * s.group_channels() + channel) * plane + first * s.width;
  const int64_t channel_size = source_rows * s.width * kL;
  if (source_rows == s.height) {
    transpose_array<T, true>(from, s.channels * plane, images, channels * plane, buffer, kL);
  } else if (source_rows > 0) {
    for (int64_t c = 0; c < channels; ++c) {
      transpose_array<T, true>(from + c * plane, s.channels * plane, images, source_rows * s.width,
                               buffer + c * channel_size, kL);
    }
  }

  const int64_t lines = kDotPixels < s.out_width ? 1 : kDotPixels / s.out_width;
  const int64_t panels = panel_count(s.group_rows());
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t o = panel_begin(panel, panels, s.group_rows());
    const int64_t count = panel_begin(panel + 1, panels, s.group_rows()) - o;
    const T* g = grad + (image * s.out_channels + group * s.group_rows() + o) * out_plane +
                 row * s.out_width;
    Dots<T> d;
    d.accumulate = accumulate;
    d.grad_line = s.out_width * kL;
    d.grad_row = rows * d.grad_line;
    d.input_channel = channel_size;
    d.input_line = s.stride_h * s.width * kL;
    d.input_step = s.stride_w * kL;
    d.out_channel = s.kernel_area();
    d.out_row = s.group_channels() * s.kernel_area();
    for (int64_t i = 0; i < count; ++i) {
      transpose_array<T, true>(g + i * out_plane, s.out_channels * out_plane, images,
                               rows * s.out_width, grads + i * d.grad_row, kL);
    }
    for (int64_t begin = row; begin < row + rows; begin += lines) {
      const int64_t end = begin + lines < row + rows ? begin + lines : row + rows;
      for (int64_t c = 0; c < channels; c += kDotChannels) {
        const int64_t n = channels - c < kDotChannels ? channels - c : kDotChannels;
        for (int64_t r = 0; r < s.kernel_h; ++r) {
          const Seen y(r, s.height, s.stride_h, s.pad_top, s.dilation_h, begin, end);
          for (int64_t t = 0; t < s.kernel_w; ++t) {
            const Seen x(t, s.width, s.stride_w, s.pad_left, s.dilation_w, 0, s.out_width);
            const int64_t source_y = y.begin * s.stride_h - s.pad_top + r * s.dilation_h - first;
            const int64_t source_x = x.begin * s.stride_w - s.pad_left + t * s.dilation_w;
            d.height = x.count() > 0 ? y.count() : 0;
            d.width = x.count();
            d.grad = grads + ((y.begin - row) * s.out_width + x.begin) * kL;
            d.input = buffer + c * channel_size + (source_y * s.width + source_x) * kL;
            d.out = out + o * d.out_row + c * d.out_channel + r * s.kernel_w + t;
            kDots<T>.function[count - 1][n - 1](d);
          }
        }
      }
      d.accumulate = true;
    }
  }
}

template <class T>
void weight_grad(const ImageWeightGradient& p, int64_t u, const T* input, const T* grad, T* partial,
                 T* workspace) {
  const ConvShape& s = p.shape;
  const int64_t split = u % p.splits;
  const int64_t channel = u / p.splits % p.blocks * p.channel_block;
  const int64_t group = u / p.splits / p.blocks;
  const int64_t left = s.group_channels() - channel;
  const int64_t channels = left < p.channel_block ? left : p.channel_block;
  const int64_t row = split * s.out_channels + group * s.group_rows();
  T* out = partial + (row * s.group_channels() + channel) * s.kernel_area();
  const int64_t tiles = p.image_blocks * p.bands;
  const int64_t first = split * tiles / p.splits, last = (split + 1) * tiles / p.splits;
  for (int64_t t = first; t < last; ++t) {
    add_tile(p, group, channel, channels, t, t > first, input, grad, out, workspace);
  }
}

template <class T>
constexpr ConvImageKernels<T> kernels() {
  return {pack<T>, correlate<T>, weight_grad<T>, kLanes<T>, kPanelRows};
}

}  // namespace

extern const ConvImageTable conv_image_table;
const ConvImageTable conv_image_table = {kernels<float>(), kernels<double>()};

}  // namespace CR_ISA
}  // namespace cr

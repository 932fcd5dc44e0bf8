// Weight gradient of a convolution: dW[o][c,r,s] = sum over pixels of grad[o] * input[c] at the
// tap.
//
// outer_products: lanes are output channels. Per tile of pixels the output gradients are transposed
// into panels that stay in L1 or L2, and each scalar of the stride-split buffer is multiplied with
// a row of a panel by the GEMM's register tile, whose rows are taps. Nothing but gradients is
// moved, and no lanes are added up; it takes channels to fill the lanes.
//
// dot_products: a matrix of dot products over pixels. Per tile of pixels (rows of one image, or
// several small images) the inputs under each tap are gathered from the stride-split buffer into
// one row per tap, the output gradients into one row per output channel, both contiguous along
// pixels and filled up with zeros to whole vectors. A block of Rows x 3 dot products keeps its
// vector sums in registers, so an element is loaded once per 3 (or Rows) multiply-adds, whatever
// the number of channels; lanes are added up by a tree once per tile.
//
// The tiles are dealt to a number of partial sums that depends on the problem only and is combined
// in order.
#include "ops/conv.kernel.h"
#include "ops/gemm_micro.h"
#include "ops/split_image.h"
#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

#if CR_VEC_BYTES == 64
constexpr int kDotRows = 8;
#else
constexpr int kDotRows = 4;
#endif
constexpr int kDotTaps = 3;
constexpr int kSingleTaps = 9;  // of a single row (depthwise), which nothing would share

// out[i][j] (+)= the dot product of rows i of a and j of b, n a multiple of the lanes.
template <class T, int Rows, int Taps>
void dot_block(int64_t n, const T* a, const T* b, int64_t pitch, T* out, int64_t out_pitch,
               bool accumulate) {
  constexpr int kL = kLanes<T>;
  constexpr int kSums = Rows < kL ? Rows : kL;
  Vec<T> acc[Taps][Rows];
#pragma GCC unroll 16
  for (int j = 0; j < Taps; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) acc[j][i] = Vec<T>{};
  }
  for (int64_t p = 0; p < n; p += kL) {
    Vec<T> x[Taps];
#pragma GCC unroll 16
    for (int j = 0; j < Taps; ++j) x[j] = load(b + j * pitch + p);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      // Opaque: gcc would fold the load into every multiply-add, and loads would be the limit.
      const Vec<T> g = opaque(load(a + i * pitch + p));
#pragma GCC unroll 16
      for (int j = 0; j < Taps; ++j) acc[j][i] += g * x[j];
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < Taps; ++j) {
    T sums[Rows < kL ? kL : Rows];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i += kSums) store(sums + i, sum_lanes<T, kSums>(acc[j] + i));
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      T* to = out + i * out_pitch + j;
      *to = accumulate ? *to + sums[i] : sums[i];
    }
  }
}

template <class T, int Rows>
void dot_rows(int64_t rows, int64_t taps, int64_t n, const T* a, const T* b, int64_t pitch, T* out,
              int64_t out_pitch, bool accumulate) {
  for (; rows >= Rows; rows -= Rows, a += Rows * pitch, out += Rows * out_pitch) {
    int64_t j = 0;
    for (; j + kDotTaps <= taps; j += kDotTaps) {
      dot_block<T, Rows, kDotTaps>(n, a, b + j * pitch, pitch, out + j, out_pitch, accumulate);
    }
    for (; j < taps; ++j) {
      dot_block<T, Rows, 1>(n, a, b + j * pitch, pitch, out + j, out_pitch, accumulate);
    }
  }
  if constexpr (Rows > 1) {
    if (rows > 0) {
      dot_rows<T, Rows / 2>(rows, taps, n, a, b, pitch, out, out_pitch, accumulate);
    }
  }
}

// Copies `rows` rows of `length` pixels from each image, one behind the other; returns the end.
// Whole vectors, front to back: what spills over is overwritten.
template <class T>
__attribute__((noinline)) T* gather_image_rows(T* out, const T* image, int64_t images,
                                               int64_t image_size, int64_t rows, int64_t length,
                                               int64_t pitch) {
  for (int64_t i = 0; i < images; ++i, image += image_size) {
    const T* in = image;
    if (length <= kLanes<T>) {
      for (int64_t y = 0; y < rows; ++y, in += pitch, out += length) store(out, load(in));
    } else {
      for (int64_t y = 0; y < rows; ++y, in += pitch, out += length) {
        for (int64_t x = 0; x < length; x += kLanes<T>) store(out + x, load(in + x));
      }
    }
  }
  return out;
}

// A unit of a weight gradient.
struct Unit {
  int64_t group, channel, channels;  // channels [channel, channel + channels) of the group
  int64_t split, first, last;        // tiles [first, last)
};

Unit unit_at(const WeightGradient& p, int64_t u) {
  Unit unit;
  unit.split = u % p.splits;
  unit.group = u / p.splits / p.blocks;
  unit.channel = u / p.splits % p.blocks * p.channel_block;
  const int64_t left = p.channels - unit.channel;
  unit.channels = left < p.channel_block ? left : p.channel_block;
  const int64_t tiles = p.image_blocks * p.bands;
  unit.first = unit.split * tiles / p.splits;
  unit.last = (unit.split + 1) * tiles / p.splits;
  return unit;
}

// Output pixels of a tile: `height` rows, from `row` on, of `images` images.
struct Tile {
  int64_t image, images, row, height;
};

Tile tile_at(const WeightGradient& p, int64_t t) {
  Tile tile;
  tile.image = t / p.bands * p.tile_images;
  tile.row = t % p.bands * p.tile_rows;
  const int64_t images = p.images - tile.image, height = p.shape.out_height - tile.row;
  tile.images = images < p.tile_images ? images : p.tile_images;
  tile.height = height < p.tile_rows ? height : p.tile_rows;
  return tile;
}

// The inputs under a tile, stride-split: [image][channel of the block].
template <class T>
void fill_buffer(const WeightGradient& p, const Unit& unit, const Tile& tile, const T* input,
                 const T* end, T* buffer) {
  const ConvShape& s = p.shape;
  const int64_t plane = s.input_plane();
  for (int64_t i = 0; i < tile.images; ++i) {
    const int64_t example = (tile.image + i) / s.out_depth, z = (tile.image + i) % s.out_depth;
    int64_t tap = unit.channel % s.kernel_d;
    const int64_t first =
        example * s.channels + unit.group * s.group_channels() + unit.channel / s.kernel_d;
    const T* volume = input + first * s.depth * plane;
    for (int64_t k = 0; k < unit.channels; ++k, buffer += p.channel_size) {
      const int64_t depth = p.depth.plane(z, tap);
      if (p.depth.inside(depth)) {
        split_image(buffer, volume + depth * plane, end, p.h, p.w, tile.row, p.tile_rows + p.h.halo,
                    p.pitch, T(0));
      } else {
        fill_row(buffer, 0, p.channel_size, T(0));
      }
      if (++tap < s.kernel_d) continue;
      tap = 0;
      volume += s.depth * plane;
    }
    buffer += (p.channel_block - unit.channels) * p.channel_size;
  }
}

// Where the gradients of an image of a tile begin, for output channel o of the unit's group.
CR_INLINE int64_t grad_offset(const WeightGradient& p, const Unit& unit, const Tile& tile,
                              int64_t image, int64_t o) {
  const ConvShape& s = p.shape;
  const int64_t example = (tile.image + image) / s.out_depth;
  const int64_t z = (tile.image + image) % s.out_depth;
  const int64_t channel = example * s.out_channels + unit.group * s.group_rows() + o;
  return (channel * s.out_depth + z) * s.out_plane() + tile.row * s.out_width;
}

// Where a unit's sums go: [group row][tap].
template <class T>
T* unit_output(const WeightGradient& p, const Unit& unit, T* partial) {
  const ConvShape& s = p.shape;
  const int64_t row = unit.split * s.out_channels + unit.group * s.group_rows();
  return partial + (row * p.channels + unit.channel) * s.kernel_area();
}

// The dot products of one output channel's gradients with Taps taps, read where they lie.
template <class T, int Taps>
void dot_single(const WeightGradient& p, const Unit& unit, const Tile& tile, const T* grad,
                const T* buffer, const ConvTap* taps, T* out, bool accumulate) {
  constexpr int kL = kLanes<T>;
  const int64_t width = p.shape.out_width;
  Vec<T> acc[Taps];
#pragma GCC unroll 16
  for (int k = 0; k < Taps; ++k) acc[k] = Vec<T>{};
  for (int64_t i = 0; i < tile.images; ++i) {
    const T* g = grad + grad_offset(p, unit, tile, i, 0);
    const T* in = buffer + i * p.channel_block * p.channel_size;
    for (int64_t y = 0; y < tile.height; ++y, g += width, in += p.pitch) {
      int64_t x = 0;
      for (; x + kL <= width; x += kL) {
        const Vec<T> v = load(g + x);
#pragma GCC unroll 16
        for (int k = 0; k < Taps; ++k) acc[k] += v * load(in + taps[k].pixel + x);
      }
      if (x == width) continue;
      const int n = static_cast<int>(width - x);
      const Vec<T> v = load_partial(g + x, n);
#pragma GCC unroll 16
      for (int k = 0; k < Taps; ++k) acc[k] += v * load_partial(in + taps[k].pixel + x, n);
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < Taps; ++k) {
    const T sum = sum_lanes<T>(acc[k]);
    out[k] = accumulate ? out[k] + sum : sum;
  }
}

template <class T>
void dot_products(const WeightGradient& p, int64_t u, const T* input, const T* end, const T* grad,
                  const T* grad_end, T* partial, T* workspace) {
  const ConvShape& s = p.shape;
  const Unit unit = unit_at(p, u);
  const int64_t taps = unit.channels * s.kernel_area(), rows = s.group_rows();
  T* pixels = workspace;
  T* grads = pixels + taps * p.tile_pixels;
  T* buffer = grads + rows * p.tile_pixels + kSplitSlack;
  T* out = unit_output(p, unit, partial);
  for (int64_t t = unit.first; t < unit.last; ++t) {
    const Tile tile = tile_at(p, t);
    const int64_t image_pixels = tile.height * s.out_width, count = tile.images * image_pixels;
    const int64_t padded = (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    fill_buffer(p, unit, tile, input, end, buffer);
    if (rows == 1) {
      int64_t k = 0;
      for (; k + kSingleTaps <= taps; k += kSingleTaps) {
        dot_single<T, kSingleTaps>(p, unit, tile, grad, buffer, p.taps + k, out + k,
                                   t > unit.first);
      }
      for (; k < taps; ++k) {
        dot_single<T, 1>(p, unit, tile, grad, buffer, p.taps + k, out + k, t > unit.first);
      }
      continue;
    }
    const bool merged = p.pitch == s.out_width;  // rows follow each other without a gap
    const int64_t line = merged ? image_pixels : s.out_width;
    for (int64_t k = 0; k < taps; ++k) {
      T* row_to =
          gather_image_rows(pixels + k * p.tile_pixels, buffer + p.taps[k].pixel, tile.images,
                            p.channel_block * p.channel_size, image_pixels / line, line, p.pitch);
      fill_row(row_to, 0, padded - count, T(0));
    }
    for (int64_t o = 0; o < rows; ++o) {
      T* line_to = grads + o * p.tile_pixels;
      for (int64_t i = 0; i < tile.images; ++i, line_to += image_pixels) {
        copy_row(line_to, grad + grad_offset(p, unit, tile, i, o), image_pixels, grad_end);
      }
      fill_row(line_to, 0, padded - count, T(0));
    }
    dot_rows<T, kDotRows>(rows, taps, padded, grads, pixels, p.tile_pixels, out,
                          p.channels * s.kernel_area(), t > unit.first);
  }
}

template <class T>
void outer_products(const WeightGradient& p, int64_t u, const T* input, const T* end, const T* grad,
                    const T* /*grad_end*/, T* partial, T* workspace) {
  constexpr int kCols = kTileCols<T>;
  const ConvShape& s = p.shape;
  const Unit unit = unit_at(p, u);
  const int64_t taps = unit.channels * s.kernel_area(), rows = s.group_rows();
  const int64_t padded = (rows + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  T* panel = workspace;
  T* sums = panel + p.tile_pixels * kCols;
  T* buffer = sums + p.channel_block * s.kernel_area() * padded;
  const int64_t panels = panel_count(taps);
  for (int64_t t = unit.first; t < unit.last; ++t) {
    const Tile tile = tile_at(p, t);
    const int64_t image_pixels = tile.height * s.out_width, count = tile.images * image_pixels;
    fill_buffer(p, unit, tile, input, end, buffer);
    for (int64_t o = 0; o < rows; o += kCols) {
      const int64_t left = rows - o < kCols ? rows - o : kCols;
      for (int64_t i = 0; i < tile.images; ++i) {
        transpose_array<T, true>(grad + grad_offset(p, unit, tile, i, o),
                                 s.out_depth * s.out_plane(), left, image_pixels,
                                 panel + i * image_pixels * kCols, kCols);
      }
      const int cols = static_cast<int>(padded - o < kCols ? padded - o : kCols);
      for (int64_t i = 0; i < panels; ++i) {
        const int64_t tap = panel_begin(i, panels, taps);
        const int n = static_cast<int>(panel_begin(i + 1, panels, taps) - tap);
        GatheredColumnsOfA<T> a;
        for (int k = 0; k < n; ++k) a.p[k] = buffer + p.taps[tap + k].pixel;
        a.offset = p.pixels;
        run_tile<T>(
            n, count, a, PanelRowsOfB<T>{panel},
            TileOutput<T>{sums + tap * padded + o, padded, cols, t > unit.first, nullptr, nullptr});
      }
    }
  }
  transpose_array<T, false>(sums, padded, taps, rows, unit_output(p, unit, partial),
                            p.channels * s.kernel_area());
}

template <class T>
void combine(const T* partial, int64_t splits, int64_t size, int64_t begin, int64_t end, T* out) {
  for (int64_t i = begin; i < end; ++i) out[i] = partial[i];
  for (int64_t s = 1; s < splits; ++s) {
    const T* in = partial + s * size;
    for (int64_t i = begin; i < end; ++i) out[i] += in[i];
  }
}

template <class T>
constexpr ConvWeightKernels<T> kernels() {
  return {dot_products<T>, outer_products<T>, combine<T>, kLanes<T>, kTileCols<T>};
}

}  // namespace

extern const ConvWeightTable conv_weight_table;
const ConvWeightTable conv_weight_table = {kernels<float>(), kernels<double>()};

}  // namespace CR_ISA
}  // namespace cr

// Convolution without im2col.
//
// implicit_gemm: per unit (a few images or a band of one) the source channels of a group are copied
// once into a zero-padded, stride-split buffer, where tap k of every output pixel is a constant
// offset. Tiles of output pixels are gathered from it, tap by tap, into a panel that stays in L1
// and multiplied with packed weights by the GEMM's register tile; panels cross row and image
// borders, so no lane computes padding. A 1x1 kernel of stride 1 gathers from the source itself.
// row_lanes: the same sums with output channels as lanes: weights are the packed rows of the tile,
// and a pixel's scalars are read from the buffer where they lie, so that nothing is gathered.
// direct: for few rows (depthwise): whole buffer rows times one weight, tap after tap.
// Idea: Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD
// architectures" (2018); Zhang et al., "High performance zero-memory overhead direct
// convolutions" (2018).
#include "ops/conv.kernel.h"

#include "ops/gemm_micro.h"
#include "ops/split_image.h"
#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

// A unit of a correlation.
struct Unit {
  int64_t group, image, images, row, rows;  // rows: of the first (largest) phase
};

Unit unit_at(const Correlation& p, int64_t u) {
  Unit unit;
  const int64_t band = u % p.bands;
  const int64_t block = u / p.bands % p.image_blocks;
  unit.group = u / p.bands / p.image_blocks;
  unit.image = block * p.unit_images;
  unit.images = p.images - unit.image < p.unit_images ? p.images - unit.image : p.unit_images;
  unit.row = band * p.unit_rows;
  const int64_t left = p.phases[0].height - unit.row;
  unit.rows = left < p.unit_rows ? left : p.unit_rows;
  return unit;
}

template <class T>
void fill_buffer(const Correlation& p, const Unit& unit, const T* source, const T* end, T* buffer) {
  const DepthAxis& d = p.depth;
  const int64_t plane = p.h.extent * p.w.extent;
  for (int64_t i = 0; i < unit.images; ++i) {
    const int64_t example = (unit.image + i) / d.count, z = (unit.image + i) % d.count;
    if (p.channels == 0) return;
    const int64_t first = (example * p.groups + unit.group) * (p.channels / d.taps);
    const T* volume = source + first * d.extent * plane;
    for (int64_t c = 0; c < p.channels; c += d.taps, volume += d.extent * plane) {
      for (int64_t k = 0; k < d.taps; ++k, buffer += p.channel_size) {
        const int64_t depth = d.plane(z, k);
        if (d.inside(depth)) {
          split_image(buffer, volume + depth * plane, end, p.h, p.w, unit.row,
                      p.unit_rows + p.h.halo, p.pitch, T(0));
        } else {
          fill_row(buffer, 0, p.channel_size, T(0));
        }
      }
    }
  }
}

// Where in the output an image's plane begins, for a row of all groups.
int64_t out_offset(const Correlation& p, int64_t image, int64_t row) {
  const DepthAxis& d = p.depth;
  const int64_t channel = image / d.count * p.groups * p.rows + row;
  const int64_t depth = d.out_start + image % d.count * d.out_step;
  return (channel * d.out_extent + depth) * p.out_height * p.out_width;
}

// How many taps of [tap, end) are neighbours among the weights, from the first on.
int64_t neighbours(const ConvTap* tap, const ConvTap* end) {
  const ConvTap* next = tap + 1;
  while (next < end && next->weight == tap->weight + (next - tap)) ++next;
  return next - tap;
}

template <class T>
void pack(const Correlation& p, int64_t u, const T* weight, T* packed) {
  const int64_t panels = panel_count(p.rows);
  const int64_t group = u / panels, panel = u % panels;
  const int64_t begin = panel_begin(panel, panels, p.rows);
  const int64_t rows = panel_begin(panel + 1, panels, p.rows) - begin;
  const T* first = weight + group * p.group_weights + begin * p.row_weights;
  for (int64_t f = 0; f < p.phase_count; ++f) {
    const ConvPhase& phase = p.phases[f];
    const ConvTap* taps = p.taps + phase.first_tap;
    T* out = packed + group * p.packed_group + phase.packed + begin * phase.taps;
    for (int64_t k = 0, run; k < phase.taps; k += run, out += run * rows) {
      run = neighbours(taps + k, taps + phase.taps);
      const T* w = first + taps[k].weight;
      if (run >= kLanes<T> / 2) {
        transpose_array<T, false>(w, p.row_weights, rows, run, out, rows);
        continue;
      }
      for (int64_t j = 0; j < run; ++j) {
        for (int64_t i = 0; i < rows; ++i) out[j * rows + i] = w[i * p.row_weights + j];
      }
    }
  }
}

// Up to a vector of a tile's pixels that are contiguous in the source.
struct Piece {
  int64_t source;
  int32_t column, length;
};

// Output pixels of a unit and phase, in the order image, row, column.
struct Pixels {
  int64_t image_pixels, line, line_pitch, image_size;
  int64_t count;

  // Cuts pixels [begin, begin + columns) into pieces of at most `lanes`; returns how many.
  int cut(int64_t begin, int64_t columns, int64_t lanes, Piece* pieces) const {
    int n = 0;
    int64_t image = begin / image_pixels;
    int64_t y = begin % image_pixels / line;
    int64_t x = begin % image_pixels % line;
    for (int64_t column = 0; column < columns;) {
      const int64_t run = line - x < columns - column ? line - x : columns - column;
      const int64_t length = run < lanes ? run : lanes;
      pieces[n++] = {image * image_size + y * line_pitch + x, static_cast<int32_t>(column),
                     static_cast<int32_t>(length)};
      column += length;
      x += length;
      if (x < line) continue;
      x = 0;
      if (++y * line < image_pixels) continue;
      y = 0;
      ++image;
    }
    return n;
  }
};

// panel[k][column] = source[taps[k].pixel + pixel of the column]: whole vectors, front to back, so
// that what spills over is overwritten. Count == 0: any number of pieces.
template <class T, int Count>
__attribute__((noinline)) void gather_pieces(T* panel, const T* source, const ConvTap* taps,
                                             int64_t depth, const Piece* pieces, int n) {
  if constexpr (Count > 0) {
    const T* from[Count];
    int64_t column[Count];
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
      from[i] = source + pieces[i].source;
      column[i] = pieces[i].column;
    }
    for (int64_t k = 0; k < depth; ++k, panel += kTileCols<T>) {
      const int64_t tap = taps[k].pixel;
#pragma GCC unroll 8
      for (int i = 0; i < Count; ++i) store(panel + column[i], load(from[i] + tap));
    }
  } else {
    for (int64_t k = 0; k < depth; ++k, panel += kTileCols<T>) {
      const T* in = source + taps[k].pixel;
      for (int i = 0; i < n; ++i) store(panel + pieces[i].column, load(in + pieces[i].source));
    }
  }
}

template <class T>
void gather_panel(T* panel, const T* source, const T* end, const ConvTap* taps, int64_t depth,
                  const Piece* pieces, int n) {
  if (depth == 0) return;
  const T* last = source + taps[depth - 1].pixel + pieces[n - 1].source;
  if (last + kLanes<T> > end) {
    for (int64_t k = 0; k < depth; ++k, panel += kTileCols<T>) {
      for (int i = 0; i < n; ++i) {
        const T* in = source + taps[k].pixel + pieces[i].source;
        copy_row(panel + pieces[i].column, in, pieces[i].length, end);
      }
    }
    return;
  }
  switch (n) {
    case 1: return gather_pieces<T, 1>(panel, source, taps, depth, pieces, n);
    case 2: return gather_pieces<T, 2>(panel, source, taps, depth, pieces, n);
    case 3: return gather_pieces<T, 3>(panel, source, taps, depth, pieces, n);
    case 4: return gather_pieces<T, 4>(panel, source, taps, depth, pieces, n);
    case 5: return gather_pieces<T, 5>(panel, source, taps, depth, pieces, n);
    default: return gather_pieces<T, 0>(panel, source, taps, depth, pieces, n);
  }
}

// out[x * step] = in[x] for x < n. Whole vectors are read, so `in` needs slack behind it.
template <class T>
CR_INLINE void write_row(T* out, int64_t step, const T* in, int64_t n) {
  if (step == 1) {
    for (int64_t x = 0; x < n; x += kLanes<T>) {
      const Vec<T> v = load(in + x);
      n - x >= kLanes<T> ? store(out + x, v) : store_partial(out + x, v, static_cast<int>(n - x));
    }
  } else {
    for (int64_t x = 0; x < n; ++x) out[x * step] = in[x];
  }
}

// From result[row - first][pixel], first <= row < last, to the interleaved pixels of a phase (or of
// several images).
template <class T>
void scatter_result(const Correlation& p, const Unit& unit, const ConvPhase& phase, int64_t rows,
                    int64_t first, int64_t last, const T* result, int64_t pitch, T* out) {
  for (int64_t m = first; m < last; ++m) {
    const T* in = result + (m - first) * pitch;
    for (int64_t i = 0; i < unit.images; ++i) {
      T* to = out + out_offset(p, unit.image + i, unit.group * p.rows + m) +
              (phase.start_h + unit.row * p.out_step_h) * p.out_width + phase.start_w;
      for (int64_t y = 0; y < rows; ++y, in += phase.width) {
        write_row(to + y * p.out_step_h * p.out_width, p.out_step_w, in, phase.width);
      }
    }
  }
}

template <class T>
void implicit_gemm_phase(const Correlation& p, const Unit& unit, const ConvPhase& phase,
                         const T* source, const T* end, const T* packed, const T* bias, T* out,
                         T* panel, T* result) {
  constexpr int kCols = kTileCols<T>;
  const int64_t left = phase.height - unit.row;
  const int64_t rows = left < unit.rows ? left : unit.rows;
  if (rows <= 0 || phase.width <= 0) return;
  const bool merged = p.pitch == phase.width;  // rows follow each other without a gap
  Pixels pixels;
  pixels.image_pixels = rows * phase.width;
  pixels.line = merged ? pixels.image_pixels : phase.width;
  pixels.line_pitch = p.pitch;
  pixels.image_size =
      p.in_place ? p.groups * p.channels * p.channel_size : p.channels * p.channel_size;
  pixels.count = unit.images * pixels.image_pixels;

  // A tile writes to the output itself when its pixels are neighbours there.
  const bool whole = p.out_step_h == 1 && p.out_step_w == 1 &&
                     (unit.images == 1 || pixels.image_pixels % kCols == 0);
  const int64_t tiles = (pixels.count + kCols - 1) / kCols;
  const int64_t channel = p.depth.out_extent * p.out_height * p.out_width;
  const int64_t result_pitch = whole ? channel : tiles * kCols;
  T* first = out + unit.row * p.out_width;
  const int64_t panels = panel_count(p.rows);

  // A phase no tap reaches still goes through once, with depth 0, to be written as zeros.
  for (int64_t k = 0; k == 0 || k < phase.taps; k += kConvTapBlock) {
    const int64_t depth = phase.taps - k < kConvTapBlock ? phase.taps - k : kConvTapBlock;
    const bool last = k + depth == phase.taps;
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t begin = t * kCols;
      const int64_t rest = pixels.count - begin;
      const int64_t columns = rest < kCols ? rest : kCols;
      Piece pieces[kCols];
      const int n = pixels.cut(begin, columns, kLanes<T>, pieces);
      gather_panel(panel, source, end, p.taps + phase.first_tap + k, depth, pieces, n);
      T* c = whole
                 ? first + begin % pixels.image_pixels +
                       out_offset(p, unit.image + begin / pixels.image_pixels, unit.group * p.rows)
                 : result + begin;
      for (int64_t i = 0; i < panels; ++i) {
        const int64_t row = panel_begin(i, panels, p.rows);
        const int panel_rows = static_cast<int>(panel_begin(i + 1, panels, p.rows) - row);
        run_tile<T>(
            panel_rows, depth,
            ColumnsOfA<T>{packed + row * phase.taps + k * panel_rows, panel_rows},
            RowsOfB<T>{panel, kCols},
            TileOutput<T>{c + row * result_pitch, result_pitch, static_cast<int>(columns), k > 0,
                          last && bias ? bias + row : nullptr, nullptr, last && p.rectify});
      }
    }
  }
  if (!whole) scatter_result(p, unit, phase, rows, 0, p.rows, result, result_pitch, out);
}

template <class T>
void implicit_gemm(const Correlation& p, int64_t u, const T* source, const T* end, const T* packed,
                   const T* bias, T* out, T* workspace) {
  const Unit unit = unit_at(p, u);
  T* panel = workspace;
  T* buffer = panel + kConvTapBlock * kTileCols<T> + kSplitSlack;
  T* result = buffer;
  const T* from = buffer;
  if (p.in_place) {
    from = source + (unit.image * p.groups + unit.group) * p.channels * p.channel_size +
           unit.row * p.w.extent;
  } else {
    const int64_t size = unit.images * p.channels * p.channel_size + kSplitSlack;
    fill_buffer(p, unit, source, end, buffer);
    result += size;
    end = result;
  }
  const T* group_bias = bias ? bias + unit.group * p.rows : nullptr;
  for (int64_t f = 0; f < p.phase_count; ++f) {
    implicit_gemm_phase(p, unit, p.phases[f], from, end,
                        packed + unit.group * p.packed_group + p.phases[f].packed, group_bias, out,
                        panel, result);
  }
}

// ---------------------------------------------------------------- lanes are rows

template <class T>
struct PixelsOfA {  // A(i, k) = p[i][taps[k].pixel]
  static constexpr bool kByColumns = true;
  const T* p[kTileRows];
  const ConvTap* tap;
  T operator()(int i) const { return p[i][tap->pixel]; }
  void next() { ++tap; }
};

template <class T>
int64_t whole_lanes(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

constexpr int64_t kPackedTaps = 64;  // a channel's weights for a panel of rows: up to 8 KiB

// Weights of a panel of rows and some channels (in the order of the taps), transposed.
template <class T>
void pack_lanes(const Correlation& p, int64_t u, const T* weight, T* packed) {
  constexpr int kCols = kTileCols<T>;
  const int64_t padded = whole_lanes<T>(p.rows), panels = (p.rows + kCols - 1) / kCols;
  const int64_t blocks = (p.channels + kPackedChannels - 1) / kPackedChannels;
  const int64_t group = u / panels / blocks, rest = u % (panels * blocks);
  const bool rows_first = p.rows * p.row_weights < p.group_weights;  // neighbours in memory
  const int64_t row = (rows_first ? rest % panels : rest / blocks) * kCols;
  const int64_t channel = (rows_first ? rest / panels : rest % blocks) * kPackedChannels;
  const int64_t left = p.channels - channel;
  const int64_t end = channel + (left < kPackedChannels ? left : kPackedChannels);
  const int64_t rows = p.rows - row < kCols ? p.rows - row : kCols, cols = whole_lanes<T>(rows);
  const T* from = weight + group * p.group_weights + row * p.row_weights;
  T* to = packed + group * p.packed_group;
  if (p.phase_count > 1 && p.area > 1 && p.area <= kPackedTaps) {
    // A channel's taps go to several phases.
    T square[kPackedTaps * kCols];
    for (int64_t c = channel; c < end; ++c) {
      const T* first = nullptr;
      for (const ConvPhase* f = p.phases; f != p.phases + p.phase_count; ++f) {
        const int64_t n = f->taps / p.channels;
        for (int64_t k = c * n; k < (c + 1) * n; ++k) {
          const int64_t at = p.taps[f->first_tap + k].weight, tap = at % p.area;
          if (!first) {
            first = from + at - tap;
            transpose_array<T, true>(first, p.row_weights, rows, p.area, square, cols);
          }
          T* out = to + f->first_tap * padded + row * f->taps + k * cols;
          for (int64_t i = 0; i < cols; i += kLanes<T>)
            store(out + i, load(square + tap * cols + i));
        }
      }
    }
    return;
  }
  for (const ConvPhase* f = p.phases; f != p.phases + p.phase_count; ++f) {
    const ConvTap* taps = p.taps + f->first_tap;
    const int64_t n = p.channels > 0 ? f->taps / p.channels : 0;
    for (int64_t k = channel * n, run; k < end * n; k += run) {
      run = 1;
      T* out = to + f->first_tap * padded + row * f->taps + k * cols;
      if (p.row_weights == 1) {
        for (int64_t i = 0; i < rows; i += kLanes<T>) {
          const int64_t m = rows - i;
          const T* in = from + taps[k].weight + i;
          store(out + i, m < kLanes<T> ? load_partial(in, static_cast<int>(m)) : load(in));
        }
        continue;
      }
      run = neighbours(taps + k, taps + end * n);
      transpose_array<T, true>(from + taps[k].weight, p.row_weights, rows, run, out, cols);
    }
  }
}

// How many of `images` images from `image` on see the same taps in depth, and which those are.
struct DepthRun {
  int64_t images, first, taps;

  DepthRun(const DepthAxis& d, int64_t image, int64_t most) {
    seen(d, image, first, taps);
    for (images = 1; images < most; ++images) {
      int64_t next, count;
      seen(d, image + images, next, count);
      if (next != first || count != taps) break;
    }
  }

 private:
  static void seen(const DepthAxis& d, int64_t image, int64_t& first, int64_t& taps) {
    const int64_t z = image % d.count;
    for (first = 0; first < d.taps && !d.inside(d.plane(z, first));) ++first;
    for (taps = 0; first + taps < d.taps && d.inside(d.plane(z, first + taps));) ++taps;
  }
};

// result[pixel][col] = the sums of `images` images' pixels for a panel of rows. Pixels are dealt
// evenly to the tiles.
template <class T>
void multiply_pixels(const Correlation& p, int64_t images, int64_t rows, int64_t width,
                     const ConvTap* taps, int64_t depth, const T* source, const T* packed, int cols,
                     const T* bias, T* result) {
  const int64_t image_pixels = rows * width, count = images * image_pixels;
  const int64_t image_size = p.channels * p.channel_size, tiles = panel_count(count);
  const int64_t blocks = depth > 0 ? (depth + kConvTapBlock - 1) / kConvTapBlock : 1;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t k = b * depth / blocks, block = (b + 1) * depth / blocks - k;
    const bool last = k + block == depth;
    const T* image = source;
    const T* line = source;
    int64_t x = 0, y = 0;
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t begin = panel_begin(t, tiles, count);
      const int n = static_cast<int>(panel_begin(t + 1, tiles, count) - begin);
      PixelsOfA<T> a;
      a.tap = taps + k;
      for (int i = 0; i < n; ++i) {
        a.p[i] = line + x;
        if (++x < width) continue;
        x = 0;
        line += p.pitch;
        if (++y < rows) continue;
        y = 0;
        line = image += image_size;
      }
      run_tile<T>(n, block, a, RowsOfB<T>{packed + k * cols, cols},
                  TileOutput<T>{result + begin * cols, cols, cols, k > 0, nullptr,
                                last ? bias : nullptr, last && p.rectify});
    }
  }
}

template <class T>
void row_lanes_phase(const Correlation& p, const Unit& unit, const ConvPhase& phase,
                     const T* buffer, const T* packed, const T* bias, T* out, T* workspace) {
  constexpr int kCols = kTileCols<T>;
  const int64_t left = phase.height - unit.row;
  const int64_t rows = left < unit.rows ? left : unit.rows;
  if (rows <= 0 || phase.width <= 0) return;
  const bool whole = p.out_step_h == 1 && p.out_step_w == 1;
  const int64_t image_pixels = rows * phase.width, pixels = unit.images * image_pixels;
  const int64_t channel = p.depth.out_extent * p.out_height * p.out_width;
  const int64_t plane_taps = p.depth.taps > 0 ? phase.taps / p.depth.taps : 0;
  const int64_t padded = whole_lanes<T>(p.rows);
  T* result = workspace;
  T* turned = result + pixels * kCols;
  for (int64_t row = 0; row < p.rows; row += kCols) {
    const int64_t live = p.rows - row < kCols ? p.rows - row : kCols;
    const int cols = static_cast<int>(whole_lanes<T>(live));
    T biases[kCols] = {};
    for (int64_t i = 0; bias && i < live; ++i) biases[i] = bias[row + i];
    const T* panel = packed + phase.first_tap * padded + row * phase.taps;
    for (int64_t i = 0; i < unit.images;) {
      const DepthRun run(p.depth, unit.image + i, unit.images - i);
      const int64_t first = run.first * plane_taps;
      multiply_pixels(p, run.images, rows, phase.width, p.taps + phase.first_tap + first,
                      run.taps * plane_taps, buffer + i * p.channels * p.channel_size,
                      panel + first * cols, cols, bias ? biases : nullptr,
                      result + i * image_pixels * cols);
      i += run.images;
    }
    if (whole) {
      for (int64_t i = 0; i < unit.images; ++i) {
        T* to = out + out_offset(p, unit.image + i, unit.group * p.rows + row);
        transpose_array<T, false>(result + i * image_pixels * cols, cols, image_pixels, live,
                                  to + unit.row * p.out_width, channel);
      }
    } else {
      transpose_array<T, false>(result, cols, pixels, live, turned, pixels);
      scatter_result(p, unit, phase, rows, row, row + live, turned, pixels, out);
    }
  }
}

template <class T>
void row_lanes(const Correlation& p, int64_t u, const T* source, const T* end, const T* packed,
               const T* bias, T* out, T* workspace) {
  const Unit unit = unit_at(p, u);
  fill_buffer(p, unit, source, end, workspace);
  T* result = workspace + unit.images * p.channels * p.channel_size + kSplitSlack;
  for (int64_t f = 0; f < p.phase_count; ++f) {
    row_lanes_phase(p, unit, p.phases[f], workspace, packed + unit.group * p.packed_group,
                    bias ? bias + unit.group * p.rows : nullptr, out, result);
  }
}

// ---------------------------------------------------------------- few rows

// plane[i] = bias + sum over taps of weight * buffer[tap + i], i < Vecs vectors.
template <class T, int Vecs>
CR_INLINE void direct_vectors(const ConvTap* taps, int64_t count, const T* weight, T bias,
                              const T* buffer, T* plane) {
  constexpr int kL = kLanes<T>;
  Vec<T> acc[Vecs];
#pragma GCC unroll 16
  for (int j = 0; j < Vecs; ++j) acc[j] = splat(bias);
  for (int64_t k = 0; k < count; ++k) {
    const T* in = buffer + taps[k].pixel;
    const Vec<T> w = splat(weight[taps[k].weight]);
#pragma GCC unroll 16
    for (int j = 0; j < Vecs; ++j) acc[j] += w * load(in + j * kL);
  }
#pragma GCC unroll 16
  for (int j = 0; j < Vecs; ++j) store(plane + j * kL, acc[j]);
}

// The same for i < n rounded up to blocks: eight sums hide the latency of a multiply-add.
template <class T>
void direct_plane(const ConvTap* taps, int64_t count, const T* weight, T bias, const T* buffer,
                  int64_t n, T* plane) {
  constexpr int kL = kLanes<T>;
  int64_t i = 0;
  for (; n - i >= 8 * kL; i += 8 * kL) {
    direct_vectors<T, 8>(taps, count, weight, bias, buffer + i, plane + i);
  }
  for (; n - i > kL; i += 4 * kL) {
    direct_vectors<T, 4>(taps, count, weight, bias, buffer + i, plane + i);
  }
  for (; i < n; i += kL) direct_vectors<T, 1>(taps, count, weight, bias, buffer + i, plane + i);
}

template <class T>
void direct(const Correlation& p, int64_t u, const T* source, const T* end, const T* weight,
            const T* bias, T* out, T* workspace) {
  const Unit unit = unit_at(p, u);
  const int64_t size = p.channels * p.channel_size + kSplitSlack;
  T* buffer = workspace;
  T* plane = workspace + size;
  for (int64_t i = 0; i < unit.images; ++i) {
    Unit one = unit;
    one.image += i;
    one.images = 1;
    fill_buffer(p, one, source, end, buffer);
    for (int64_t m = 0; m < p.rows; ++m) {
      const int64_t row = unit.group * p.rows + m;
      const T* w = weight + unit.group * p.group_weights + m * p.row_weights;
      T* to = out + out_offset(p, one.image, row);
      for (int64_t f = 0; f < p.phase_count; ++f) {
        const ConvPhase& phase = p.phases[f];
        const int64_t left = phase.height - unit.row;
        const int64_t rows = left < unit.rows ? left : unit.rows;
        if (rows <= 0 || phase.width <= 0) continue;
        direct_plane(p.taps + phase.first_tap, phase.taps, w, bias ? bias[row] : T(0), buffer,
                     (rows - 1) * p.pitch + phase.width, plane);
        for (int64_t y = 0; y < rows; ++y) {
          T* line =
              to + (phase.start_h + (unit.row + y) * p.out_step_h) * p.out_width + phase.start_w;
          write_row(line, p.out_step_w, plane + y * p.pitch, phase.width);
        }
      }
    }
  }
}

template <class T>
constexpr ConvKernels<T> kernels() {
  return {pack<T>,   implicit_gemm<T>, pack_lanes<T>, row_lanes<T>,
          direct<T>, kLanes<T>,        kTileRows,     kTileCols<T>};
}

}  // namespace

extern const ConvTable conv_table;
const ConvTable conv_table = {kernels<float>(), kernels<double>()};

}  // namespace CR_ISA
}  // namespace cr

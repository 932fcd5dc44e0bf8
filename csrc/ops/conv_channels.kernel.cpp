// Depthwise convolution of small batches with channels as lanes.
//
// The planes of as many channels as a vector has lanes are transposed into a buffer with a zero
// border, so that a pixel is a vector and so is a weight. Then any tap of any pixel is one aligned
// load, and the sums are transposed back.
#include "ops/conv_channels.kernel.h"

#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int kTilePixels = 8;  // sums that hide the latency of a multiply-add
constexpr int kTileTaps = 12;   // sums and a gradient fill 16 registers

template <class T>
void pack(const ChannelCorrelation& p, int64_t block, const T* weight, const T* bias, T* weights,
          T* biases) {
  constexpr int kL = kLanes<T>;
  const int64_t first = block * kL;
  const int64_t channels = p.channels - first < kL ? p.channels - first : kL;
  transpose_array<T, true>(weight + first * p.area, p.area, channels, p.area,
                           weights + first * p.area, kL);
  const Vec<T> values = bias ? load_partial(bias + first, static_cast<int>(channels)) : Vec<T>{};
  store(biases + first, values);
}

// Some rows of some channels of an image, and what they see.
struct Unit {
  int64_t image, channel, channels;
  int64_t row, rows;          // of each phase, and
  int64_t out_row, out_rows;  // of the output
};

template <class T>
Unit unit_at(const ChannelCorrelation& p, int64_t image, int64_t block, int64_t band) {
  constexpr int kL = kLanes<T>;
  Unit unit;
  unit.image = image;
  unit.channel = block * kL;
  unit.channels = p.channels - unit.channel < kL ? p.channels - unit.channel : kL;
  unit.row = band * p.band_rows;
  unit.rows = p.band_rows;
  unit.out_row = unit.row * p.out_step_h;
  const int64_t left = p.out_height - unit.out_row, rows = unit.rows * p.out_step_h;
  unit.out_rows = left < rows ? left : rows;
  return unit;
}

template <class T>
void fill_zeros(T* to, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i) store(to + i * kLanes<T>, Vec<T>{});
}

// buffer[places[j]][l] = from[l][j] for j < pixels.
template <class T>
void scatter_pixels(const T* from, int64_t plane, int64_t channels, int64_t pixels,
                    const int64_t* places, T* buffer) {
  constexpr int kL = kLanes<T>;
  for (int64_t j = 0; j < pixels; j += kL) {
    const int m = pixels - j < kL ? static_cast<int>(pixels - j) : kL;
    Vec<T> v[kL];
    if (m == kL && channels == kL) {
#pragma GCC unroll 16
      for (int l = 0; l < kL; ++l) v[l] = load(from + l * plane + j);
    } else {
#pragma GCC unroll 16
      for (int l = 0; l < kL; ++l) {
        v[l] = l < channels ? load_partial(from + l * plane + j, m) : Vec<T>{};
      }
    }
    transpose<T>(v);
#pragma GCC unroll 16
    for (int i = 0; i < kL; ++i) {
      if (i >= m) break;
      store(buffer + places[j + i], v[i]);
    }
  }
}

// The rows of the buffer that a unit sees, from row unit.row * step_h of the bordered image on.
template <class T>
void fill_buffer(const ChannelCorrelation& p, const Unit& unit, const T* source, T* buffer) {
  constexpr int kL = kLanes<T>;
  const ChannelBuffer& b = p.buffer;
  const int64_t top = b.top + unit.row * p.step_h, stop = top + b.rows;
  const int64_t first = top < 0 ? 0 : top < b.height ? top : b.height;
  int64_t last = stop < b.height ? stop : b.height;
  if (last < first) last = first;
  const int64_t above = first - top < b.rows ? first - top : b.rows, rows = last - first;
  fill_zeros(buffer, above * b.pitch);
  T* inside = buffer + above * b.pitch * kL;
  const int64_t before = -b.left, behind = b.pitch - before - b.width;
  for (int64_t y = 0; y < rows; ++y) {
    T* line = inside + y * b.pitch * kL;
    fill_zeros(line, before);
    fill_zeros(line + (before + b.width) * kL, behind);
  }
  const int64_t plane = b.height * b.width;
  scatter_pixels(source + (unit.image * p.channels + unit.channel) * plane + first * b.width, plane,
                 unit.channels, rows * b.width, b.places, inside);
  fill_zeros(inside + rows * b.pitch * kL, (b.rows - above - rows) * b.pitch);
}

template <class T, int Pixels>
CR_INLINE void sum_taps(const ConvTap* taps, int64_t count, const T* source, int64_t step,
                        const T* weights, Vec<T> bias, T* out, int64_t out_step) {
  Vec<T> acc[Pixels];
#pragma GCC unroll 16
  for (int j = 0; j < Pixels; ++j) acc[j] = bias;
  for (const ConvTap* tap = taps; tap != taps + count; ++tap) {
    const T* in = source + tap->pixel;
    const Vec<T> w = load(weights + tap->weight);
#pragma GCC unroll 16
    for (int j = 0; j < Pixels; ++j) acc[j] += w * load(in + j * step);
  }
#pragma GCC unroll 16
  for (int j = 0; j < Pixels; ++j) store(out + j * out_step, acc[j]);
}

template <class T>
void correlate(const ChannelCorrelation& p, int64_t u, const T* source, const T* weights,
               const T* biases, T* out, T* workspace) {
  constexpr int kL = kLanes<T>;
  const Unit unit = unit_at<T>(p, u / p.bands / p.blocks, u / p.bands % p.blocks, u % p.bands);
  T* buffer = workspace;
  T* result = buffer + p.buffer.rows * p.buffer.pitch * kL;
  fill_buffer(p, unit, source, buffer);
  weights += unit.channel * p.area;
  const Vec<T> bias = load(biases + unit.channel);
  const int64_t step = p.step_w * kL, out_step = p.out_step_w * kL;
  for (const ConvPhase* f = p.phases; f != p.phases + p.phase_count; ++f) {
    const ConvTap* taps = p.taps + f->first_tap;
    const int64_t left = f->height - unit.row, rows = left < unit.rows ? left : unit.rows;
    for (int64_t y = 0; y < rows; ++y) {
      const T* in = buffer + y * p.step_h * p.buffer.pitch * kL;
      T* to = result + ((f->start_h + y * p.out_step_h) * p.out_width + f->start_w) * kL;
      // Tiles of even size: a remainder of a pixel or two would wait for every sum.
      const int64_t tiles = (f->width + kTilePixels - 1) / kTilePixels;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t n = (t + 1) * f->width / tiles - t * f->width / tiles;
        switch (n) {
#define CR_TILE(N) \
  case N: sum_taps<T, N>(taps, f->taps, in, step, weights, bias, to, out_step); break;
          CR_TILE(1)
          CR_TILE(2)
          CR_TILE(3)
          CR_TILE(4)
          CR_TILE(5)
          CR_TILE(6)
          CR_TILE(7)
          CR_TILE(8)
#undef CR_TILE
        }
        in += n * step;
        to += n * out_step;
      }
    }
  }
  const int64_t plane = p.out_height * p.out_width;
  transpose_array<T, false>(
      result, kL, unit.out_rows * p.out_width, unit.channels,
      out + (unit.image * p.channels + unit.channel) * plane + unit.out_row * p.out_width, plane);
}

// ---------------------------------------------------------------- weight gradient

// sums[k] += gradients times what tap k sees, over `rows` output rows.
template <class T, int Taps>
void add_products(const ChannelCorrelation& p, const ConvTap* taps, int64_t rows, const T* buffer,
                  const T* grad, T* sums) {
  constexpr int kL = kLanes<T>;
  Vec<T> acc[Taps];
  int64_t pixel[Taps];
#pragma GCC unroll 16
  for (int k = 0; k < Taps; ++k) {
    acc[k] = load(sums + k * kL);
    pixel[k] = taps[k].pixel;
  }
  for (int64_t y = 0; y < rows; ++y) {
    const T* in = buffer + y * p.step_h * p.buffer.pitch * kL;
    for (int64_t x = 0; x < p.out_width; ++x, in += p.step_w * kL, grad += kL) {
      const Vec<T> g = load(grad);
#pragma GCC unroll 16
      for (int k = 0; k < Taps; ++k) acc[k] += g * load(in + pixel[k]);
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < Taps; ++k) store(sums + k * kL, acc[k]);
}

template <class T>
struct AddTable {
  void (*function[kTileTaps])(const ChannelCorrelation&, const ConvTap*, int64_t, const T*,
                              const T*, T*);

  template <int Taps>
  constexpr void fill() {
    function[Taps - 1] = add_products<T, Taps>;
    if constexpr (Taps > 1) fill<Taps - 1>();
  }
  constexpr AddTable() : function{} { fill<kTileTaps>(); }
};
template <class T>
constexpr AddTable<T> kAdd{};

template <class T>
void weight_grad(const ChannelWeightGradient& g, int64_t u, const T* input, const T* grad,
                 T* partial, T* workspace) {
  constexpr int kL = kLanes<T>;
  const ChannelCorrelation& p = g.forward;
  const int64_t block = u / g.splits, split = u % g.splits;
  T* buffer = workspace;
  T* grads = buffer + p.buffer.rows * p.buffer.pitch * kL;
  T* sums = grads + p.band_rows * p.out_width * kL;
  const int64_t plane = p.out_height * p.out_width;
  const int64_t tiles = p.images * p.bands, calls = (p.area + kTileTaps - 1) / kTileTaps;
  fill_zeros(sums, p.area);
  Unit unit = unit_at<T>(p, 0, block, 0);
  for (int64_t t = split * tiles / g.splits; t < (split + 1) * tiles / g.splits; ++t) {
    unit = unit_at<T>(p, t / p.bands, block, t % p.bands);
    fill_buffer(p, unit, input, buffer);
    transpose_array<T, true>(
        grad + (unit.image * p.channels + unit.channel) * plane + unit.out_row * p.out_width, plane,
        unit.channels, unit.out_rows * p.out_width, grads, kL);
    for (int64_t i = 0; i < calls; ++i) {
      const int64_t first = i * p.area / calls, last = (i + 1) * p.area / calls;
      kAdd<T>.function[last - first - 1](p, p.taps + first, unit.out_rows, buffer, grads,
                                         sums + first * kL);
    }
  }
  transpose_array<T, false>(sums, kL, p.area, unit.channels,
                            partial + (split * p.channels + unit.channel) * p.area, p.area);
}

template <class T>
constexpr ConvChannelKernels<T> kernels() {
  return {pack<T>, correlate<T>, weight_grad<T>, kLanes<T>};
}

}  // namespace

extern const ConvChannelTable conv_channel_table;
const ConvChannelTable conv_channel_table = {kernels<float>(), kernels<double>()};

}  // namespace CR_ISA
}  // namespace cr

// Winograd's minimal filtering: a 3x3 correlation as products of matrices over channels.
//
// A tile of M x M outputs of one row (output channel) is A^T [sum over channels of (G g G^T) *
// (B^T d B)] A with the source tile d, the weights g and an elementwise product: (M + 2)^2
// multiply-adds a channel for 9 M^2. The matrices interpolate polynomials at M + 1 points and
// infinity. Source: Winograd, "Arithmetic complexity of computations" (1980); Lavin and Gray, "Fast
// algorithms for convolutional neural networks" (2016). The points decide what is lost to
// rounding: Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution for
// deep neural networks" (2020).
#include "ops/winograd.kernel.h"

#include "ops/gemm_micro.h"
#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int kL = kLanes<float>;
using V = Vec<float>;

// One dimension of F(M x M, 3 x 3).
template <int M>
struct Interpolation;

template <>
struct Interpolation<2> {  // points 0, 1, -1, infinity
  CR_INLINE void source(const V (&d)[4], V (&v)[4]) {
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  CR_INLINE void weights(const V (&g)[3], V (&u)[4]) {
    const V ends = 0.5f * (g[0] + g[2]), middle = 0.5f * g[1];
    u[0] = g[0];
    u[1] = ends + middle;
    u[2] = ends - middle;
    u[3] = g[2];
  }
  CR_INLINE void result(const V (&m)[4], V (&y)[2]) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = (m[1] - m[2]) + m[3];
  }
  CR_INLINE void result_adjoint(const V (&y)[2], V (&m)[4]) {
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = y[1];
  }
  CR_INLINE void weights_adjoint(const V (&u)[4], V (&g)[3]) {
    const V even = 0.5f * (u[1] + u[2]);
    g[0] = u[0] + even;
    g[1] = 0.5f * (u[1] - u[2]);
    g[2] = even + u[3];
  }
};

// Points 0, +-a, +-b, infinity. Pairs of opposite sign share their even and odd parts. The usual
// a = 1, b = 2 loses two to three times more to rounding; 0.63 < a < 0.7, 1.4 < b < 1.6 are all
// about as good, and of those a, b and their powers here are exact.
template <>
struct Interpolation<4> {
  static constexpr float a = 11.0f / 16, b = 3.0f / 2, aa = a * a, bb = b * b;
  static constexpr float near = 1 / (2 * aa * (aa - bb)), far = 1 / (2 * bb * (bb - aa));

  CR_INLINE void source(const V (&d)[6], V (&v)[6]) {
    v[0] = (aa * bb) * d[0] - (aa + bb) * d[2] + d[4];
    const V even_a = d[4] - bb * d[2], odd_a = a * (d[3] - bb * d[1]);
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    const V even_b = d[4] - aa * d[2], odd_b = b * (d[3] - aa * d[1]);
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = (aa * bb) * d[1] - (aa + bb) * d[3] + d[5];
  }
  CR_INLINE void weights(const V (&g)[3], V (&u)[6]) {
    u[0] = (1 / (aa * bb)) * g[0];
    const V even_a = near * g[0] + (near * aa) * g[2], odd_a = (near * a) * g[1];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    const V even_b = far * g[0] + (far * bb) * g[2], odd_b = (far * b) * g[1];
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }
  CR_INLINE void result(const V (&m)[6], V (&y)[4]) {
    const V even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const V even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = a * odd_a + b * odd_b;
    y[2] = aa * even_a + bb * even_b;
    y[3] = (a * aa) * odd_a + (b * bb) * odd_b + m[5];
  }
  CR_INLINE void result_adjoint(const V (&y)[4], V (&m)[6]) {
    m[0] = y[0];
    const V even_a = y[0] + aa * y[2], odd_a = a * (y[1] + aa * y[3]);
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    const V even_b = y[0] + bb * y[2], odd_b = b * (y[1] + bb * y[3]);
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = y[3];
  }
  CR_INLINE void weights_adjoint(const V (&u)[6], V (&g)[3]) {
    const V even_a = near * (u[1] + u[2]), even_b = far * (u[3] + u[4]);
    g[0] = (1 / (aa * bb)) * u[0] + (even_a + even_b);
    g[1] = (near * a) * (u[1] - u[2]) + (far * b) * (u[3] - u[4]);
    g[2] = aa * even_a + bb * even_b + u[5];
  }
};

// A square of values transformed along columns and then along lines: M X M^T for a matrix M.
template <int In, int Out, class Load, class Map, class Store>
CR_INLINE void transform(Load&& load, Map&& map, Store&& store) {
  V half[Out][In];
#pragma GCC unroll 6
  for (int x = 0; x < In; ++x) {
    V column[In], mapped[Out];
#pragma GCC unroll 6
    for (int y = 0; y < In; ++y) column[y] = load(y, x);
    map(column, mapped);
#pragma GCC unroll 6
    for (int i = 0; i < Out; ++i) half[i][x] = mapped[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < Out; ++i) {
    V line[Out];
    map(half[i], line);
#pragma GCC unroll 6
    for (int j = 0; j < Out; ++j) store(i, j, line[j]);
  }
}

// v[x] = element x of each of `rows` rows, for x < n: a square block with its rows as lanes.
CR_INLINE void load_columns(V (&v)[kL], const float* from, int64_t row, int64_t rows, int64_t n) {
  if (rows >= kL && n >= kL) {
#pragma GCC unroll 16
    for (int i = 0; i < kL; ++i) v[i] = load(from + i * row);
  } else {
    const int lanes = n < kL ? static_cast<int>(n) : kL;
    for (int i = 0; i < kL; ++i) v[i] = i < rows ? load_partial(from + i * row, lanes) : V{};
  }
  transpose<float>(v);
}

template <int M>
void weights(const Winograd& p, int64_t u, const float* weight, float* transformed) {
  constexpr int N = M + 2;
  const int64_t chunks = (p.channels + kWinogradChannels - 1) / kWinogradChannels;
  const int64_t row = u / chunks * kL, begin = u % chunks * kWinogradChannels;
  const int64_t left = p.channels - begin;
  const int64_t end = begin + (left < kWinogradChannels ? left : kWinogradChannels);
  const float* from = weight + row * p.row_weights;
  float* to = transformed + row / p.columns * p.points * p.weights_point + row % p.columns;
  for (int64_t c = begin; c < end; ++c) {
    V g[3 * 3];
    for (int t = 0; t < 9; t += kL) {
      V v[kL];
      load_columns(v, from + c * p.channel_weights + t, p.row_weights, p.rows - row, 9 - t);
      for (int i = 0; i < kL && t + i < 9; ++i) g[p.rotated ? 8 - t - i : t + i] = v[i];
    }
    float* out = to + c * p.columns;
    transform<3, N>([&](int y, int x) { return g[3 * y + x]; },
                    [](const V(&in)[3], V(&u)[N]) { Interpolation<M>::weights(in, u); },
                    [&](int i, int j, V u) { store(out + (i * N + j) * p.weights_point, u); });
  }
}

// Where a unit's tiles lie.
struct Unit {
  int64_t image, images, row, column, tiles_h, tiles_w;  // row, column of its first output pixel
};

Unit unit_at(const Winograd& p, int64_t u) {
  Unit unit;
  const int64_t strip = u % p.strips, band = u / p.strips % p.bands;
  unit.image = u / p.strips / p.bands * p.unit_images;
  unit.images = p.images - unit.image < p.unit_images ? p.images - unit.image : p.unit_images;
  unit.row = band * p.unit_tiles_h * p.tile;
  unit.column = strip * p.unit_tiles_w * p.tile;
  const int64_t height = (p.out_height - unit.row + p.tile - 1) / p.tile;
  const int64_t width = (p.out_width - unit.column + p.tile - 1) / p.tile;
  unit.tiles_h = height < p.unit_tiles_h ? height : p.unit_tiles_h;
  unit.tiles_w = width < p.unit_tiles_w ? width : p.unit_tiles_w;
  return unit;
}

// A rectangle of a plane. Its pixels are walked in `runs` of `length` that are contiguous there:
// one where the rectangle is as wide as the plane.
struct Rectangle {
  int64_t first, width, runs, length, step;
};

Rectangle rectangle(int64_t row, int64_t column, int64_t height, int64_t width, int64_t pitch) {
  if (height <= 0 || width <= 0) return {0, 0, 0, 0, 0};
  const int64_t first = row * pitch + column;
  if (width == pitch) return {first, width, 1, height * width, 0};
  return {first, width, height, width, pitch};
}

int64_t clip(int64_t x, int64_t most) { return x < 0 ? 0 : x < most ? x : most; }

// Copies a rectangle of `rows` planes to pixels[y * pitch + x][lane].
void planes_to_lanes(const Rectangle& r, const float* planes, int64_t plane, int64_t rows,
                     float* pixels, int64_t pitch) {
  int64_t x = 0;
  for (int64_t i = 0; i < r.runs; ++i) {
    const float* from = planes + r.first + i * r.step;
    for (int64_t n = 0; n < r.length; n += kL) {
      V v[kL];
      load_columns(v, from + n, plane, rows, r.length - n);
#pragma GCC unroll 16
      for (int j = 0; j < kL; ++j) {
        if (n + j == r.length) break;
        store(pixels, v[j]);
        pixels += kL;
        if (++x < r.width) continue;
        x = 0;
        pixels += (pitch - r.width) * kL;
      }
    }
  }
}

// Copies pixels[y * width + x][lane] to a rectangle of `rows` planes.
void lanes_to_planes(const Rectangle& r, const float* pixels, float* planes, int64_t plane,
                     int64_t rows) {
  for (int64_t i = 0; i < r.runs; ++i) {
    float* to = planes + r.first + i * r.step;
    for (int64_t n = 0; n < r.length; n += kL) {
      const int64_t left = r.length - n;
      V v[kL];
#pragma GCC unroll 16
      for (int j = 0; j < kL; ++j) v[j] = load(pixels + j * kL);
      transpose<float>(v);
      if (rows >= kL && left >= kL) {
#pragma GCC unroll 16
        for (int j = 0; j < kL; ++j) store(to + j * plane + n, v[j]);
      } else {
        const int lanes = left < kL ? static_cast<int>(left) : kL;
        for (int64_t j = 0; j < kL && j < rows; ++j) store_partial(to + j * plane + n, v[j], lanes);
      }
      pixels += (left < kL ? left : kL) * kL;
    }
  }
}

// Channels of images that are read by tiles of In x In pixels, Step apart, and what becomes of
// them: out[point][tile][depth].
struct Tiles {
  int64_t channels, height, width, origin_h, origin_w;
  int64_t depth, point;
};

// All channels of a unit's tiles, transformed.
template <int In, int Step, int Out, class Map>
CR_INLINE void transform_tiles(const Tiles& t, const Unit& unit, const float* source, float* out,
                               float* pixels, Map&& map) {
  constexpr int kOverlap = In - Step;
  const int64_t height = unit.tiles_h * Step + kOverlap, width = unit.tiles_w * Step + kOverlap;
  const int64_t y = unit.row + t.origin_h, x = unit.column + t.origin_w;
  const int64_t top = clip(y, t.height), left = clip(x, t.width);
  const Rectangle inside = rectangle(top, left, clip(y + height, t.height) - top,
                                     clip(x + width, t.width) - left, t.width);
  for (int64_t i = 0; i < height * width * kL; i += kL) store(pixels + i, V{});
  const int64_t plane = t.height * t.width;
  for (int64_t i = 0; i < unit.images; ++i) {
    const float* planes = source + (unit.image + i) * t.channels * plane;
    for (int64_t c = 0; c < t.channels; c += kL) {
      planes_to_lanes(inside, planes + c * plane, plane, t.channels - c,
                      pixels + ((top - y) * width + left - x) * kL, width);
      float* to = out + i * unit.tiles_h * unit.tiles_w * t.depth + c;
      for (int64_t h = 0; h < unit.tiles_h; ++h) {
        for (int64_t w = 0; w < unit.tiles_w; ++w, to += t.depth) {
          const float* from = pixels + (h * width + w) * Step * kL;
          transform<In, Out>([&](int r, int s) { return load(from + (r * width + s) * kL); }, map,
                             [&](int r, int s, V v) { store(to + (r * Out + s) * t.point, v); });
        }
      }
    }
  }
}

template <int M>
void transform_sources(const Winograd& p, const Unit& unit, const float* source, float* sources,
                       float* pixels) {
  constexpr int N = M + 2;
  const Tiles tiles{p.channels, p.height, p.width, p.origin_h, p.origin_w, p.depth, p.source_point};
  transform_tiles<N, M, N>(tiles, unit, source, sources, pixels,
                           [](const V(&d)[N], V(&v)[N]) { Interpolation<M>::source(d, v); });
}

// One vector of rows, from products[point][tile][columns] to the output.
template <int M>
void transform_results(const Winograd& p, const Unit& unit, const float* products, V bias,
                       float* out, int64_t rows, float* pixels) {
  constexpr int N = M + 2;
  const int64_t most_h = p.out_height - unit.row, most_w = p.out_width - unit.column;
  const int64_t height = unit.tiles_h * M < most_h ? unit.tiles_h * M : most_h;
  const int64_t width = unit.tiles_w * M < most_w ? unit.tiles_w * M : most_w;
  const Rectangle to = rectangle(unit.row, unit.column, height, width, p.out_width);
  const int64_t plane = p.out_height * p.out_width;
  const V least = splat(p.rectify ? 0.0f : -__builtin_inff());
  for (int64_t i = 0; i < unit.images; ++i) {
    for (int64_t y = 0; y < height; y += M) {
      for (int64_t x = 0; x < width; x += M, products += p.columns) {
        float* corner = pixels + (y * width + x) * kL;
        transform<N, M>(
            [&](int r, int s) { return load(products + (r * N + s) * p.product_point); },
            [](const V(&m)[N], V(&v)[M]) { Interpolation<M>::result(m, v); },
            [&](int r, int s, V v) {
              v += bias;
              if (y + r < height && x + s < width) {
                store(corner + (r * width + s) * kL, at_least(least, v));
              }
            });
      }
    }
    lanes_to_planes(to, pixels, out + (unit.image + i) * p.rows * plane, plane, rows);
  }
}

// C (+)= A B for whole vectors of columns, in chains of kWinogradChain multiply-adds.
template <int Rows, int Vecs, class A>
void chained_tile(int64_t depth, A a, RowsOfB<float> b, float* c, int64_t row, bool accumulate) {
  for (; depth > 0; depth -= kWinogradChain, accumulate = true) {
    V acc[Rows][Vecs];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vecs; ++j) acc[i][j] = V{};
    }
    tile_multiply<float, Rows, Vecs>(acc, depth < kWinogradChain ? depth : kWinogradChain, a, b);
    tile_store<float, Rows, Vecs>(acc, {c, row, Vecs * kL, accumulate, nullptr, nullptr});
  }
}

// chained_tile for 1 <= rows <= kTileRows and 1 <= vecs <= kTileVecs.
template <class A>
struct ChainedTiles {
  using Function = void (*)(int64_t depth, A a, RowsOfB<float> b, float* c, int64_t row, bool);
  Function function[kTileRows][kTileVecs];

  template <int Rows, int Vecs>
  constexpr void fill() {
    function[Rows - 1][Vecs - 1] = chained_tile<Rows, Vecs, A>;
    if constexpr (Vecs > 1) {
      fill<Rows, Vecs - 1>();
    } else if constexpr (Rows > 1) {
      fill<Rows - 1, kTileVecs>();
    }
  }
  constexpr ChainedTiles() : function{} { fill<kTileRows, kTileVecs>(); }
};
template <class A>
constexpr ChainedTiles<A> kChainedTiles{};

template <int M>
void correlate(const Winograd& p, int64_t u, const float* source, const float* weights,
               const float* bias, float* out, float* workspace) {
  const Unit unit = unit_at(p, u);
  float* sources = workspace;
  float* products = sources + p.sources_size();
  float* pixels = products + p.products_size();
  transform_sources<M>(p, unit, source, sources, pixels);

  const int64_t tiles = unit.images * unit.tiles_h * unit.tiles_w;
  const int64_t panels = panel_count(tiles), plane = p.out_height * p.out_width;
  for (int64_t row = 0; row < p.rows; row += p.columns) {
    const int64_t left = (p.rows - row + kL - 1) / kL * kL;
    const int columns = static_cast<int>(left < p.columns ? left : p.columns);
    for (int64_t k = 0; k < p.points; ++k, weights += p.weights_point) {
      for (int64_t i = 0; i < panels; ++i) {
        const int64_t begin = panel_begin(i, panels, tiles);
        const int64_t rows = panel_begin(i + 1, panels, tiles) - begin;
        const float* a = sources + k * p.source_point + begin * p.depth;
        float* out = products + k * p.product_point + begin * p.columns;
        kChainedTiles<RowsOfA<float>>.function[rows - 1][columns / kL - 1](
            p.channels, {a, p.depth, 1}, {weights, p.columns}, out, p.columns, false);
      }
    }
    for (int64_t m = row; m < row + columns; m += kL) {
      const int64_t rows = p.rows - m;
      V add{};
      if (bias) add = load_partial(bias + m, rows < kL ? static_cast<int>(rows) : kL);
      transform_results<M>(p, unit, products + m - row, add, out + m * plane, rows, pixels);
    }
  }
}

template <int M>
void gather(const WinogradGradient& g, int64_t u, int64_t first, const float* input,
            const float* grad, float* sources, float* grads, float* pixels) {
  constexpr int N = M + 2;
  const Winograd& p = g.p;
  const Unit unit = unit_at(p, u);
  transform_sources<M>(p, unit, input, sources + first * p.depth, pixels);
  const Tiles tiles{p.rows, p.out_height, p.out_width, 0, 0, g.row_depth, g.grad_point};
  transform_tiles<M, M, N>(
      tiles, unit, grad, grads + first * g.row_depth, pixels,
      [](const V(&y)[M], V(&m)[N]) { Interpolation<M>::result_adjoint(y, m); });
}

void multiply(const WinogradGradient& g, int64_t point, int64_t begin, int64_t end, int64_t tiles,
              const float* sources, const float* grads, float* sums, bool accumulate) {
  const Winograd& p = g.p;
  sources += point * p.source_point;
  grads += point * g.grad_point + begin;
  sums += point * g.sum_point + begin * p.depth;
  const int64_t panels = panel_count(end - begin);
  for (int64_t c = 0; c < p.channels; c += p.columns) {
    const int64_t left = (p.channels - c + kL - 1) / kL * kL;
    const int columns = static_cast<int>(left < p.columns ? left : p.columns);
    for (int64_t i = 0; i < panels; ++i) {
      const int64_t row = panel_begin(i, panels, end - begin);
      const int rows = static_cast<int>(panel_begin(i + 1, panels, end - begin) - row);
      kChainedTiles<ColumnsOfA<float>>.function[rows - 1][columns / kL - 1](
          tiles, {grads + row, g.row_depth}, {sources + c, p.depth}, sums + row * p.depth + c,
          p.depth, accumulate);
    }
  }
}

template <int M>
void finish(const WinogradGradient& g, int64_t row, const float* sums, float* out) {
  constexpr int N = M + 2;
  const Winograd& p = g.p;
  float taps[(9 + kL) * kL];  // whole vectors of taps are read
  for (int64_t c = 0; c < p.channels; c += kL) {
    const float* first = sums + row * p.depth + c;
    transform<N, 3>(
        [&](int y, int x) {
          const float* from = first + (y * N + x) * g.sum_point;
          V sum = load(from);
          for (int64_t s = 1; s < g.splits; ++s) sum += load(from + s * p.points * g.sum_point);
          return sum;
        },
        [](const V(&u)[N], V(&w)[3]) { Interpolation<M>::weights_adjoint(u, w); },
        [&](int y, int x, V w) { store(taps + (3 * y + x) * kL, w); });
    lanes_to_planes({0, 9, 1, 9, 0}, taps, out + (row * p.channels + c) * 9, 9, p.channels - c);
  }
}

template <int M>
constexpr WinogradKernels kernels() {
  return {weights<M>, correlate<M>};
}
template <int M>
constexpr WinogradGradientKernels gradient_kernels() {
  return {gather<M>, multiply, finish<M>};
}

}  // namespace

extern const WinogradTable winograd_table;
const WinogradTable winograd_table = {kernels<2>(),          kernels<4>(), gradient_kernels<2>(),
                                      gradient_kernels<4>(), kL,           kTileCols<float>};

}  // namespace CR_ISA
}  // namespace cr

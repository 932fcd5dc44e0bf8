#include "ops/winograd.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/carver.h"
#include "ops/winograd.kernel.h"

namespace cr {
namespace {

constexpr int kLargestTile = 4;

bool is_tile(int tile) { return tile == 0 || tile == 2 || tile == 4; }

int tile_from_environment() {
  const char* text = std::getenv("CHAINRULE_CONV_WINOGRAD");
  if (!text || !*text) return kLargestTile;
  if (std::strlen(text) == 1 && is_tile(*text - '0')) return *text - '0';
  std::fprintf(stderr, "chainrule: CHAINRULE_CONV_WINOGRAD=%s ignored; expected 0, 2 or 4\n", text);
  return kLargestTile;
}

std::atomic<int>& setting() {
  static std::atomic<int> tile{tile_from_environment()};
  return tile;
}

const WinogradKernels& kernels(int64_t tile) {
  return tile == 2 ? winograd_table().small : winograd_table().large;
}

// ---------------------------------------------------------------- plan

// Transformed sources and products of a unit stay in L2; the weights pass by once per unit, so few
// tiles would make them the limit. 128 to 768 KiB made no difference.
constexpr int64_t kUnitBytes = 256 * 1024;
constexpr int64_t kLeastTiles = 12;
constexpr int64_t kLeastUnits = 16;  // shared out evenly among threads

void cut_into_units(Winograd& p, int64_t most) {
  const int64_t tiles_h = ceil_div(p.out_height, p.tile), tiles_w = ceil_div(p.out_width, p.tile);
  p.unit_images = 1;
  p.unit_tiles_h = tiles_h;
  p.unit_tiles_w = tiles_w;
  if (tiles_h * tiles_w <= most) {
    const int64_t images = std::clamp<int64_t>(most / (tiles_h * tiles_w), 1, p.images);
    p.unit_images = ceil_div(p.images, ceil_div(p.images, images));
  } else {
    p.unit_tiles_w = ceil_div(tiles_w, ceil_div(tiles_w, most));
    const int64_t rows = std::max<int64_t>(most / p.unit_tiles_w, 1);
    p.unit_tiles_h = ceil_div(tiles_h, ceil_div(tiles_h, rows));
  }
  p.image_blocks = ceil_div(p.images, p.unit_images);
  p.bands = ceil_div(tiles_h, p.unit_tiles_h);
  p.strips = ceil_div(tiles_w, p.unit_tiles_w);
}

Winograd plan_of(ConvDirection direction, const ConvShape& s, int64_t tile) {
  Winograd p{};
  p.images = s.batch;
  p.tile = tile;
  p.points = (tile + 2) * (tile + 2);
  if (direction != ConvDirection::kInputGrad) {
    p.channels = s.channels;
    p.rows = s.out_channels;
    p.height = s.height;
    p.width = s.width;
    p.out_height = s.out_height;
    p.out_width = s.out_width;
    p.origin_h = -s.pad_top;
    p.origin_w = -s.pad_left;
    p.row_weights = 9 * s.channels;
    p.channel_weights = 9;
  } else {
    p.channels = s.out_channels;
    p.rows = s.channels;
    p.height = s.out_height;
    p.width = s.out_width;
    p.out_height = s.height;
    p.out_width = s.width;
    p.origin_h = s.pad_top - 2;
    p.origin_w = s.pad_left - 2;
    p.row_weights = 9;
    p.channel_weights = 9 * s.channels;
    p.rotated = true;
  }
  p.lanes = winograd_table().lanes;
  p.columns = std::min<int64_t>(winograd_table().columns, round_up(p.rows, p.lanes));
  p.depth = round_up(p.channels, p.lanes);
  p.blocks = ceil_div(p.rows, p.columns);

  const int64_t tiles = p.images * ceil_div(p.out_height, tile) * ceil_div(p.out_width, tile);
  const int64_t tile_bytes = p.points * (p.depth + p.columns) * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::min(kUnitBytes / tile_bytes, ceil_div(tiles, kLeastUnits));
  cut_into_units(p, std::max(most, kLeastTiles));
  p.weights_point = p.channels * p.columns + p.lanes;
  p.source_point = p.unit_tiles() * p.depth + p.lanes;
  p.product_point = p.unit_tiles() * p.columns + p.lanes;
  return p;
}

struct Work {
  Winograd p;
  float* weights;
  int64_t per_worker;
  float* workers;
  size_t bytes;

  Work(ConvDirection direction, const ConvShape& s, int64_t tile, char* base)
      : p(plan_of(direction, s, tile)) {
    Carver carver(base);
    weights = carver.take<float>(p.weights_size());
    per_worker = p.workspace();
    workers = carver.take<float>(max_workers() * per_worker);
    bytes = carver.used();
  }
};

// What unit u has written.
ConvPart part_of(const Winograd& p, int64_t u) {
  const int64_t image = u / p.strips / p.bands * p.unit_images;
  const int64_t row = u / p.strips % p.bands * p.unit_tiles_h * p.tile;
  const int64_t column = u % p.strips * p.unit_tiles_w * p.tile;
  return {.image = image,
          .images = std::min(p.unit_images, p.images - image),
          .channel = 0,
          .channels = p.rows,
          .row = row,
          .rows = std::min(p.unit_tiles_h * p.tile, p.out_height - row),
          .column = column,
          .columns = std::min(p.unit_tiles_w * p.tile, p.out_width - column)};
}

void run(ConvDirection direction, const ConvShape& s, int64_t tile, const ConvArrays& arrays) {
  Work work(direction, s, tile, arrays.workspace);
  Winograd& p = work.p;
  p.rectify = arrays.activation.relu;
  const WinogradKernels& k = kernels(tile);
  const float* source = static_cast<const float*>(arrays.a);
  const float* weight = static_cast<const float*>(arrays.b);
  const float* bias = static_cast<const float*>(arrays.bias);
  float* out = static_cast<float*>(arrays.out);
  parallel(ceil_div(p.rows, p.lanes) * ceil_div(p.channels, kWinogradChannels),
           grain_for(40.0 * kWinogradChannels), [&](int64_t begin, int64_t end, int) {
             for (int64_t u = begin; u < end; ++u) k.weights(p, u, weight, work.weights);
           });
  const double products = static_cast<double>(p.unit_tiles()) * p.points * p.channels * p.rows;
  parallel(p.units(), grain_for(products / 50), [&](int64_t begin, int64_t end, int worker) {
    float* workspace = work.workers + worker * work.per_worker;
    for (int64_t u = begin; u < end; ++u) {
      k.correlate(p, u, source, work.weights, bias, out, workspace);
      if (!p.rectify) finish_part<float>(s, arrays, part_of(p, u));
    }
  });
}

// ---------------------------------------------------------------- weight gradient

// Sums up to so many elements are kept by each of several splits, which run side by side with
// rounds that stay in L2. Larger ones are kept once, and all threads share each round.
constexpr int64_t kSplitSums = 80 * 1024;
constexpr int64_t kLeastSplitTiles = 64, kMostSplits = 8;
constexpr int64_t kSplitRoundBytes = 256 * 1024, kRoundBytes = 4 * 1024 * 1024;
constexpr int64_t kGatherTiles = 32;   // of a unit
constexpr int64_t kMultiplyRows = 48;  // of the weights that a thread takes at a time

// An odd number of vectors: tiles a power of two apart would fall into the same cache sets.
int64_t odd_vectors(int64_t n, int64_t lanes) { return (ceil_div(n, lanes) | 1) * lanes; }

WinogradGradient gradient_plan(const ConvShape& s, int64_t tile) {
  WinogradGradient g{};
  Winograd& p = g.p;
  p = plan_of(ConvDirection::kForward, s, tile);
  p.columns = std::min<int64_t>(winograd_table().columns, round_up(p.channels, p.lanes));
  p.depth = odd_vectors(p.channels, p.lanes);
  g.row_depth = odd_vectors(p.rows, p.lanes);
  g.sum_point = p.rows * p.depth + p.lanes;

  const int64_t tiles = p.images * ceil_div(p.out_height, tile) * ceil_div(p.out_width, tile);
  cut_into_units(p, std::clamp<int64_t>(tiles / kLeastUnits, 1, kGatherTiles));
  const bool split = g.sums_size() <= kSplitSums;
  g.splits = split ? std::clamp<int64_t>(tiles / kLeastSplitTiles, 1, kMostSplits) : 1;
  g.splits = std::min(g.splits, p.units());
  const int64_t tile_bytes =
      p.points * (p.depth + g.row_depth) * static_cast<int64_t>(sizeof(float));
  const int64_t most = (split ? kSplitRoundBytes : kRoundBytes) / tile_bytes;
  g.round_units = std::clamp<int64_t>(most / p.unit_tiles(), 1, ceil_div(p.units(), g.splits));
  g.round_tiles = g.round_units * p.unit_tiles();
  p.source_point = g.round_tiles * p.depth + p.lanes;
  g.grad_point = g.round_tiles * g.row_depth + p.lanes;
  return g;
}

int64_t tiles_of_unit(const Winograd& p, int64_t u) {
  const int64_t strip = u % p.strips, band = u / p.strips % p.bands, block = u / p.strips / p.bands;
  const auto count = [](int64_t unit, int64_t size, int64_t all) {
    return std::min(size, all - unit * size);
  };
  return count(block, p.unit_images, p.images) *
         count(band, p.unit_tiles_h, ceil_div(p.out_height, p.tile)) *
         count(strip, p.unit_tiles_w, ceil_div(p.out_width, p.tile));
}

struct GradientWork {
  WinogradGradient g;
  float* sums;
  int64_t* first_tile;  // of each unit, within its round
  int64_t per_round, per_worker;
  float* rounds;
  float* pixels;
  size_t bytes;

  GradientWork(const ConvShape& s, int64_t tile, char* base) : g(gradient_plan(s, tile)) {
    Carver carver(base);
    sums = carver.take<float>(g.splits * g.sums_size());
    first_tile = carver.take<int64_t>(g.p.units());
    per_round = g.p.sources_size() + g.grads_size();
    rounds = carver.take<float>((g.splits > 1 ? max_workers() : 1) * per_round);
    per_worker = g.p.pixels_size();
    pixels = carver.take<float>(max_workers() * per_worker);
    bytes = carver.used();
  }
};

void run_gradient(const ConvShape& s, int64_t tile, const ConvArrays& arrays) {
  const GradientWork work(s, tile, arrays.workspace);
  const WinogradGradient& g = work.g;
  const Winograd& p = g.p;
  const WinogradGradientKernels& k =
      tile == 2 ? winograd_table().small_gradient : winograd_table().large_gradient;
  const float* input = static_cast<const float*>(arrays.a);
  const float* grad = static_cast<const float*>(arrays.b);
  float* out = static_cast<float*>(arrays.out);

  const double vectors = static_cast<double>(p.depth + g.row_depth) / p.lanes;
  const int64_t gather_grain = grain_for(6.0 * tile * tile * p.unit_tiles() * vectors);
  const int64_t row_blocks = ceil_div(p.rows, kMultiplyRows);
  const int64_t multiply_grain =
      grain_for(static_cast<double>(p.rows) / row_blocks * p.channels * g.round_tiles / 100);

  // Inside a split's thread the parallel loops of a round are serial.
  const auto sum_split = [&](int64_t split, int worker) {
    float* sources = work.rounds + (g.splits > 1 ? worker : 0) * work.per_round;
    float* grads = sources + p.sources_size();
    float* sums = work.sums + split * g.sums_size();
    const int64_t first = split * p.units() / g.splits, last = (split + 1) * p.units() / g.splits;
    for (int64_t round = first; round < last; round += g.round_units) {
      const int64_t units = std::min(g.round_units, last - round);
      int64_t tiles = 0;
      for (int64_t u = round; u < round + units; ++u) {
        work.first_tile[u] = tiles;
        tiles += tiles_of_unit(p, u);
      }
      parallel(units, gather_grain, [&](int64_t begin, int64_t end, int id) {
        for (int64_t u = round + begin; u < round + end; ++u) {
          k.gather(g, u, work.first_tile[u], input, grad, sources, grads,
                   work.pixels + id * work.per_worker);
        }
      });
      parallel(p.points * row_blocks, multiply_grain, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t row = i % row_blocks * p.rows / row_blocks;
          const int64_t row_end = (i % row_blocks + 1) * p.rows / row_blocks;
          k.multiply(g, i / row_blocks, row, row_end, tiles, sources, grads, sums, round > first);
        }
      });
    }
  };
  parallel(g.splits, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t split = begin; split < end; ++split) sum_split(split, worker);
  });
  parallel(p.rows, grain_for(3.0 * p.points * g.splits * p.depth / p.lanes),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t row = begin; row < end; ++row) k.finish(g, row, work.sums, out);
           });
}

// ---------------------------------------------------------------- choice

bool supports(const ConvShape& s, DType dtype) {
  return dtype == DType::kFloat32 && s.groups == 1 && s.depth == 1 && s.out_depth == 1 &&
         s.kernel_size() == 9 && s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 &&
         s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
}

// Cycles of one core, two multiply-adds of a vector each at 85% of the peak. Copies and transforms
// take about kPixelCycles for a vector of every output pixel, kWeightCycles for one of every
// transformed weight: measured on AVX-512, and roughly the same for narrower vectors.
constexpr double kMultiplyAdds = 2 * 0.85, kPixelCycles = 22, kWeightCycles = 6;
constexpr double kPackCycles = 2;  // for one weight of a direct sum
constexpr double kMargin = 0.9;    // of the direct sum's time

double winograd_cycles(const Winograd& p) {
  const double vectors = ceil_div(p.rows, p.lanes), channels = p.channels;
  const double tiles = static_cast<double>(p.images) * ceil_div(p.out_height, p.tile) *
                       ceil_div(p.out_width, p.tile);
  return p.points * tiles * channels * vectors / kMultiplyAdds +
         tiles * p.tile * p.tile * (ceil_div(p.channels, p.lanes) + vectors) * kPixelCycles +
         p.points * channels * vectors * kWeightCycles;
}

double direct_cycles(const Winograd& p, ConvDirection direction) {
  const double pixels = static_cast<double>(p.images) * p.out_height * p.out_width;
  const double weights = 9.0 * p.channels * p.rows;
  const double products = pixels * weights / p.lanes / kMultiplyAdds;
  if (direction != ConvDirection::kWeightGrad) return products + kPackCycles * weights;
  return (p.rows > 16 ? 1.2 : 1.6) * products;  // few rows are left to sums over lanes
}

bool suits(ConvDirection direction, const ConvShape& s, int tile) {
  if (conv_winograd() < tile) return false;
  const Winograd p = plan_of(direction, s, tile);
  const double cycles = winograd_cycles(p);
  return cycles < kMargin * direct_cycles(p, direction) &&
         (tile == 2 || cycles < winograd_cycles(plan_of(direction, s, 2)));
}

template <int Tile>
ConvAlgorithm weight_gradient(const char* name) {
  return {
      name, supports,
      [](const ConvShape& s, DType) { return suits(ConvDirection::kWeightGrad, s, Tile); },
      [](const ConvShape& s, DType) { return GradientWork(s, Tile, nullptr).bytes; },
      [](const ConvShape& s, DType, const ConvArrays& arrays) { run_gradient(s, Tile, arrays); }};
}

template <ConvDirection Direction, int Tile>
ConvAlgorithm algorithm(const char* name) {
  return {
      name, supports, [](const ConvShape& s, DType) { return suits(Direction, s, Tile); },
      [](const ConvShape& s, DType) { return Work(Direction, s, Tile, nullptr).bytes; },
      [](const ConvShape& s, DType, const ConvArrays& arrays) { run(Direction, s, Tile, arrays); }};
}

}  // namespace

int conv_winograd() { return setting().load(std::memory_order_relaxed); }

void set_conv_winograd(int tile) {
  CR_CHECK(is_tile(tile), "set_conv_winograd: expected 0 (off), 2 or 4 (got ", tile, ")");
  setting().store(tile, std::memory_order_relaxed);
}

ConvAlgorithm winograd_algorithm(ConvDirection direction, int tile) {
  constexpr ConvDirection kForward = ConvDirection::kForward, kGrad = ConvDirection::kInputGrad;
  const char* name = tile == 2 ? "winograd2" : "winograd4";
  switch (direction) {
    case kForward: return tile == 2 ? algorithm<kForward, 2>(name) : algorithm<kForward, 4>(name);
    case kGrad: return tile == 2 ? algorithm<kGrad, 2>(name) : algorithm<kGrad, 4>(name);
    default: return tile == 2 ? weight_gradient<2>(name) : weight_gradient<4>(name);
  }
}

}  // namespace cr

#include "ops/winograd.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/carver.h"
#include "ops/winograd.kernel.h"

namespace cr {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

constexpr int kLargestTile = 4;

bool is_tile(int tile) { return tile == 0 || tile == 2 || tile == 4; }

int tile_from_environment() {
  const char* text = std::getenv("CHAINRULE_CONV_WINOGRAD");
  if (text == nullptr || std::strlen(text) != 1 || !is_tile(*text - '0')) return kLargestTile;
  return *text - '0';
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
  if (direction == ConvDirection::kForward) {
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

void run(ConvDirection direction, const ConvShape& s, int64_t tile, const ConvArrays& arrays) {
  const Work work(direction, s, tile, arrays.workspace);
  const Winograd& p = work.p;
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
    }
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
constexpr double kMargin = 0.85;  // of the direct sum's time

double winograd_cycles(const Winograd& p) {
  const double vectors = ceil_div(p.rows, p.lanes), channels = p.channels;
  const double tiles = static_cast<double>(p.images) * ceil_div(p.out_height, p.tile) *
                       ceil_div(p.out_width, p.tile);
  return p.points * tiles * channels * vectors / kMultiplyAdds +
         tiles * p.tile * p.tile * (ceil_div(p.channels, p.lanes) + vectors) * kPixelCycles +
         p.points * channels * vectors * kWeightCycles;
}

double direct_cycles(const Winograd& p) {
  const double pixels = static_cast<double>(p.images) * p.out_height * p.out_width;
  return 9 * pixels * p.channels * p.rows / p.lanes / kMultiplyAdds;
}

bool suits(ConvDirection direction, const ConvShape& s, int tile) {
  if (conv_winograd() < tile) return false;
  const Winograd p = plan_of(direction, s, tile);
  const double cycles = winograd_cycles(p);
  return cycles < kMargin * direct_cycles(p) &&
         (tile == 2 || cycles < winograd_cycles(plan_of(direction, s, 2)));
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
  if (direction == kForward) {
    return tile == 2 ? algorithm<kForward, 2>("winograd2") : algorithm<kForward, 4>("winograd4");
  }
  return tile == 2 ? algorithm<kGrad, 2>("winograd2") : algorithm<kGrad, 4>("winograd4");
}

}  // namespace cr

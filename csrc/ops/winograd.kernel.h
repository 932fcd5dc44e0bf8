// The contract between the host side of Winograd convolution (winograd.cpp) and its kernels.
//
// A correlation with 3x3 taps is computed by tiles of M x M output pixels, from (M+2) x (M+2)
// source pixels, as that many products of matrices [tiles, channels] x [channels, rows]: one for
// each place of a transformed tile. Lanes are channels throughout, so a transform is plain
// arithmetic on vectors, and its result is what the register tile of the GEMM reads.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

struct Winograd {
  int64_t images, channels, rows;  // channels read, rows (channels) written
  int64_t height, width;           // of a source plane
  int64_t out_height, out_width;
  int64_t origin_h, origin_w;            // source pixel under the first tap of output pixel 0
  int64_t row_weights, channel_weights;  // distances of the 3x3 weights
  bool rotated;                          // the taps in reverse order
  bool rectify;                          // what would be negative is zero
  int64_t tile, points;                  // M and (M + 2)^2
  // Units of work: some rows and columns of tiles of some images.
  int64_t unit_images, unit_tiles_h, unit_tiles_w;
  int64_t image_blocks, bands, strips;
  // Widths in elements of what the kernels use, filled up so that neighbours in the first dimension
  // do not fall into the same cache sets.
  int64_t lanes, columns;  // of a vector, of a register tile
  int64_t depth;           // channels in whole vectors
  int64_t blocks;          // of `columns` rows
  int64_t weights_point;   // weights[block][point][channel][columns]
  int64_t source_point;    // sources[point][tile][depth]
  int64_t product_point;   // products[point][tile][columns]

  int64_t units() const { return image_blocks * bands * strips; }
  int64_t unit_tiles() const { return unit_images * unit_tiles_h * unit_tiles_w; }
  int64_t weights_size() const { return blocks * points * weights_point; }
  // Workspace of a unit, in elements: sources, products, and the pixels of one image's tiles.
  int64_t sources_size() const { return points * source_point; }
  int64_t products_size() const { return points * product_point; }
  int64_t pixels_size() const {
    return (unit_tiles_h * tile + 2) * (unit_tiles_w * tile + 2) * lanes;
  }
  int64_t workspace() const { return sources_size() + products_size() + pixels_size(); }
};

// The weight gradient is the adjoint: per point a sum over tiles of source times gradient, both
// transformed, and one transform at the end. The tiles are dealt to `splits` sums, and those of a
// split go in rounds of at most `round_tiles`.
struct WinogradGradient {
  Winograd p;  // channels and rows of the weights, units of tiles
  int64_t splits, round_units, round_tiles;
  int64_t row_depth, grad_point;  // grads[point][tile][row_depth]
  int64_t sum_point;              // sums[split][point][row][depth]

  int64_t grads_size() const { return p.points * grad_point; }
  int64_t sums_size() const { return p.points * sum_point; }  // of one split
};

// Channels (or tiles) summed up in one chain of multiply-adds. Chains are what most of the error of
// F(4x4, 3x3) comes from.
constexpr int64_t kWinogradChain = 32;

// Channels whose weights a unit of `weights` transforms.
constexpr int64_t kWinogradChannels = 16;

struct WinogradKernels {
  // Unit u = (rows of one vector, kWinogradChannels channels).
  void (*weights)(const Winograd&, int64_t unit, const float* weight, float* transformed);
  // Unit u = (image block, band, strip); `bias` may be null.
  void (*correlate)(const Winograd&, int64_t unit, const float* source, const float* weights,
                    const float* bias, float* out, float* workspace);
};

struct WinogradGradientKernels {
  // The tiles of a unit into `sources` and `grads` from tile `first` on.
  void (*gather)(const WinogradGradient&, int64_t unit, int64_t first, const float* input,
                 const float* grad, float* sources, float* grads, float* pixels);
  // sums[point][rows begin .. end] (+)= the sum over tiles [0, tiles).
  void (*multiply)(const WinogradGradient&, int64_t point, int64_t begin, int64_t end,
                   int64_t tiles, const float* sources, const float* grads, float* sums,
                   bool accumulate);
  // One row of the weights from the sums of all splits.
  void (*finish)(const WinogradGradient&, int64_t row, const float* sums, float* out);
};

struct WinogradTable {
  WinogradKernels small, large;  // F(2x2, 3x3), F(4x4, 3x3)
  WinogradGradientKernels small_gradient, large_gradient;
  int lanes, columns;
};
CR_KERNEL_TABLE(WinogradTable, winograd_table)

}  // namespace cr

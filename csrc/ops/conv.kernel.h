// The convolution family's contract between host code (conv.cpp) and kernels.
//
// Forward and input gradient are the same computation, a correlation of split planes with packed
// weights: the input gradient of stride s is s*s interleaved correlations ("phases") of the output
// gradient, each with the taps that reach its pixels. The weight gradient is a matrix of dot
// products over pixels. Work is cut into units that depend on the problem only; each worker owns
// one workspace whose size is stated here and does not grow with the batch.
//
// Volumes are computed as planes: every output plane is an image, and every tap in depth is one
// more channel of it, whose plane lies elsewhere in the same volume (DepthAxis). Nothing else
// knows of the third axis, and the weights need not move.
#pragma once

#include "core/isa.h"
#include "ops/window.h"

namespace cr {

// A convolution as the user states it (NCDHW, checked); images have a depth of one.
struct ConvShape {
  int64_t batch, channels, depth, height, width;
  int64_t out_channels, kernel_d, kernel_h, kernel_w;
  int64_t stride_d, stride_h, stride_w, pad_front, pad_top, pad_left;
  int64_t dilation_d, dilation_h, dilation_w, groups;
  int64_t out_depth, out_height, out_width;

  int64_t group_channels() const { return channels / groups; }
  int64_t group_rows() const { return out_channels / groups; }
  int64_t kernel_area() const { return kernel_h * kernel_w; }
  int64_t kernel_size() const { return kernel_d * kernel_area(); }
  int64_t input_plane() const { return height * width; }
  int64_t out_plane() const { return out_height * out_width; }
  int64_t input_size() const { return batch * channels * depth * input_plane(); }
  int64_t out_size() const { return batch * out_channels * out_depth * out_plane(); }
};

// How images and channels of a computation are planes of volumes. Image n * count + i is output
// plane out_start + i * out_step of example n; channel c * taps + k is what tap k in depth sees of
// the source's channel c.
struct DepthAxis {
  int64_t extent;                  // planes of a source channel
  int64_t taps;                    // none where no tap reaches the output planes
  int64_t step, tap_step, origin;  // output plane i, tap k: plane i * step + k * tap_step + origin
  int64_t count;                   // output planes computed,
  int64_t out_extent, out_start, out_step;  // and which of all output planes they are

  int64_t plane(int64_t i, int64_t tap) const { return i * step + tap * tap_step + origin; }
  bool inside(int64_t plane) const { return plane >= 0 && plane < extent; }
};

// One term of a correlation: where its pixel is (from the output pixel's place in the buffer) and
// where its weight is (from the weight of the output channel).
struct ConvTap {
  int64_t pixel, weight;
};

// Output pixels (start + i * out_step) that share one list of taps.
struct ConvPhase {
  int64_t first_tap, taps;
  int64_t start_h, start_w, height, width;
  int64_t packed;  // offset of its packed weights within a group's
};

struct Correlation {
  int64_t images, groups, channels, rows;  // channels read and rows (output channels) per group
  DepthAxis depth;
  SplitAxis h, w;               // of the source planes
  bool in_place;                // taps point into the source itself: no buffer
  int64_t pitch, channel_size;  // buffer row, buffer of one channel
  int64_t out_height, out_width, out_step_h, out_step_w;
  int64_t row_weights, group_weights;  // distance of weights between rows and groups
  int64_t area;                        // weights of a channel and row
  const ConvTap* taps;                 // of a phase: by tap in depth, then by channel
  const ConvPhase* phases;
  int64_t phase_count;
  int64_t packed_group;            // packed weights of one group
  int64_t unit_images, unit_rows;  // a unit: so many images, or so many rows of one image
  int64_t image_blocks, bands;
  bool rectify;  // of implicit_gemm and row_lanes: what would be negative is zero
};

struct WeightGradient {
  ConvShape shape;
  int64_t images, channels;  // channels per group; taps in depth count as channels
  DepthAxis depth;
  SplitAxis h, w;
  int64_t pitch, channel_size;
  const ConvTap* taps;             // of one channel block
  int64_t channel_block, blocks;   // channels a unit handles
  int64_t tile_images, tile_rows;  // pixels a unit handles at a time
  int64_t image_blocks, bands;
  int64_t tile_pixels;    // of a whole tile, rounded up to whole vectors
  const int64_t* pixels;  // outer_products: where a tile's output pixels are in the buffer
  int64_t splits;         // the tiles are dealt to so many partial sums
};

template <class T>
struct ConvKernels {
  // Weights into panels of at most panel_rows rows, tap-major: what implicit_gemm reads.
  // Unit u = (group, panel).
  void (*pack)(const Correlation&, int64_t unit, const T* weight, T* packed);
  // Both compute unit u = (group, image block, band) of the output; `end` is where the readable
  // source stops; `bias` may be null. Workspace in elements:
  //   buffer  unit_images * channels * channel_size + kSplitSlack   (none when in_place)
  //   panel   kConvTapBlock * panel_columns + kSplitSlack
  //   result  rows * (unit_images * unit_rows * widest phase + panel_columns)
  void (*implicit_gemm)(const Correlation&, int64_t unit, const T* source, const T* end,
                        const T* packed, const T* bias, T* out, T* workspace);
  // The same with output channels as lanes: weights tap-major in panels of panel_columns rows, the
  // last filled up with zeros to whole vectors (as is packed_group). Unit u of pack_lanes = (group,
  // panel, block of kPackedChannels). Workspace:
  //   buffer  as above
  //   result  2 * panel_columns * unit_images * unit_rows * widest phase + kSplitSlack
  void (*pack_lanes)(const Correlation&, int64_t unit, const T* weight, T* packed);
  void (*row_lanes)(const Correlation&, int64_t unit, const T* source, const T* end,
                    const T* packed, const T* bias, T* out, T* workspace);
  //   buffer  channels * channel_size + kSplitSlack, one plane of unit_rows * pitch + kSplitSlack
  void (*direct)(const Correlation&, int64_t unit, const T* source, const T* end, const T* weight,
                 const T* bias, T* out, T* workspace);
  int lanes, panel_rows, panel_columns;
};

template <class T>
struct ConvWeightKernels {
  // Unit u = (group, channel block, split) of partial[splits][out_channels][channels * area].
  // Workspace in elements:
  //   pixels  (channel_block * kernel_area + group rows) * tile_pixels + kSplitSlack
  //   buffer  tile_images * channel_block * channel_size + kSplitSlack
  void (*dot_products)(const WeightGradient&, int64_t unit, const T* input, const T* end,
                       const T* grad, const T* grad_end, T* partial, T* workspace);
  // The same unit as a sum of outer products. Workspace in elements:
  //   panel   tile_pixels * panel_columns
  //   sums    channel_block * kernel_area * group rows, these rounded up to whole vectors
  //   buffer  as above
  void (*outer_products)(const WeightGradient&, int64_t unit, const T* input, const T* end,
                         const T* grad, const T* grad_end, T* partial, T* workspace);
  // out[i] = the sum over splits, in order, for i in [begin, end).
  void (*combine)(const T* partial, int64_t splits, int64_t size, int64_t begin, int64_t end,
                  T* out);
  int lanes, panel_columns;
};

struct ConvTable {
  ConvKernels<float> f32;
  ConvKernels<double> f64;
};
CR_KERNEL_TABLE(ConvTable, conv_table)

struct ConvWeightTable {
  ConvWeightKernels<float> f32;
  ConvWeightKernels<double> f64;
};
CR_KERNEL_TABLE(ConvWeightTable, conv_weight_table)

// Taps per block of the implicit GEMM: with tiles of two vectors a panel of inputs takes 24 KiB at
// 32 bytes a vector (L1), the weights of a block stay in L2. Best of 128, 192, 256 and 384.
constexpr int64_t kConvTapBlock = 384;

constexpr int64_t kPackedChannels = 16;

}  // namespace cr

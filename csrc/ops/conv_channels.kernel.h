// The contract of conv_channels.kernel.cpp: depthwise convolution and its gradients with channels
// as lanes.
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "ops/conv.kernel.h"

namespace cr {

// The planes of a block of channels, with the zero border that the taps see: pixel (0, 0) of the
// buffer is pixel (top, left) of the image, both at most 0.
struct ChannelBuffer {
  int64_t height, width;  // of the source planes
  int64_t top, left;
  int64_t rows, pitch;    // of the buffer
  const int64_t* places;  // of the pixels of `rows` source rows, in elements
};

// Pixel (i, j) of a phase sees its taps from pixel (i * step_h, j * step_w) of the buffer on.
struct ChannelCorrelation {
  int64_t images, channels, blocks;  // blocks of `lanes` channels
  int64_t area;                      // weights of a channel
  ChannelBuffer buffer;
  int64_t step_h, step_w;
  int64_t out_height, out_width, out_step_h, out_step_w;
  const ConvTap* taps;
  const ConvPhase* phases;
  int64_t phase_count;
  int64_t band_rows, bands;  // rows of each phase that a unit computes
};

// The weight gradient: sums over pixels and images, all taps of some at a time.
struct ChannelWeightGradient {
  ChannelCorrelation forward;
  int64_t splits;  // images and bands are dealt to so many partial sums
};

template <class T>
struct ConvChannelKernels {
  // Weights [block][tap][lane] and biases [block][lane], zeros if `bias` is null. Unit u = block.
  void (*pack)(const ChannelCorrelation&, int64_t unit, const T* weight, const T* bias, T* weights,
               T* biases);
  // Unit u = (image, block, band) of the output. Workspace in elements:
  //   buffer  rows * pitch * lanes
  //   result  band_rows * out_step_h * out_width * lanes
  void (*correlate)(const ChannelCorrelation&, int64_t unit, const T* source, const T* weights,
                    const T* biases, T* out, T* workspace);
  // Unit u = (block, split) of partial[splits][channels][area]. The same workspace, and
  //   sums    area * lanes
  void (*weight_grad)(const ChannelWeightGradient&, int64_t unit, const T* input, const T* grad,
                      T* partial, T* workspace);
  int lanes;
};

struct ConvChannelTable {
  ConvChannelKernels<float> f32;
  ConvChannelKernels<double> f64;
};
CR_KERNEL_TABLE(ConvChannelTable, conv_channel_table)

}  // namespace cr

// The contract of conv_images.kernel.cpp: convolution and its gradients with images as lanes.
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "ops/conv.kernel.h"

namespace cr {

// Along an axis, output pixel `out` sees tap `tap + i * tap_step` at source pixel
// `source + i * source_step`, i < taps. Pixels are listed by what they see: the taps inside the
// image are the same for all pixels of a run, and the others are never computed.
struct ImageAxis {
  struct Run {
    int64_t tap, taps, first, count;  // pixels [first, first + count) of the list
  };
  struct Pixel {
    int64_t out, source;
  };
  int64_t extent, out_extent, kernel, tap_step, source_step;
  const Pixel* pixels;
  const Run* runs;
  int64_t run_count;

  // The source pixels [first, last] that output pixels [begin, end) see; last < first if none.
  void reach(int64_t begin, int64_t end, int64_t& first, int64_t& last) const {
    first = extent;
    last = -1;
    for (const Run* run = runs; run != runs + run_count; ++run) {
      if (run->taps == 0) continue;
      const int64_t span = (run->taps - 1) * source_step;
      for (const Pixel* i = pixels + run->first; i != pixels + run->first + run->count; ++i) {
        if (i->out < begin || i->out >= end) continue;
        const int64_t low = i->source + (span < 0 ? span : 0);
        const int64_t high = i->source + (span < 0 ? 0 : span);
        if (low < first) first = low;
        if (high > last) last = high;
      }
    }
  }
};

struct ImageCorrelation {
  int64_t images, groups, channels, rows;  // channels read and rows (output channels) per group
  ImageAxis h, w;
  int64_t row_weights, channel_weights, group_weights;  // distances of weights
  int64_t band_rows, bands, image_blocks;               // output rows of a unit
  int64_t source_rows;                                  // most source rows a band reads
  bool rectify;                                         // what would be negative is zero

  int64_t area() const { return h.kernel * w.kernel; }
};

// The weight gradient: dot products along pixels and images, tap by tap over the pixels that see
// the tap inside the image.
struct ImageWeightGradient {
  ConvShape shape;
  int64_t channel_block, blocks;           // channels a unit handles
  int64_t band_rows, bands, image_blocks;  // output rows and images a unit handles at a time
  int64_t source_rows;                     // most source rows a band reads
  int64_t splits;                          // these are dealt to so many partial sums
};

template <class T>
struct ConvImageKernels {
  // Weights into panels of at most panel_rows rows, [channel][tap][row]. Unit u = (group, panel).
  void (*pack)(const ImageCorrelation&, int64_t unit, const T* weight, T* packed);
  // Unit u = (group, block of `lanes` images, band) of the output; `bias` may be null.
  // Workspace in elements:
  //   buffer  channels * source_rows * w.extent * lanes
  //   result  panel_rows * band_rows * w.out_extent * lanes
  //   taps    two int64_t for each of area()
  void (*correlate)(const ImageCorrelation&, int64_t unit, const T* source, const T* packed,
                    const T* bias, T* out, T* workspace);
  // Unit u = (group, channel block, split) of partial[splits][out_channels][channels * area].
  // Workspace in elements:
  //   buffer  channel_block * source_rows * width * lanes
  //   grads   panel_rows * band_rows * out_width * lanes
  void (*weight_grad)(const ImageWeightGradient&, int64_t unit, const T* input, const T* grad,
                      T* partial, T* workspace);
  int lanes, panel_rows;
};

struct ConvImageTable {
  ConvImageKernels<float> f32;
  ConvImageKernels<double> f64;
};
CR_KERNEL_TABLE(ConvImageTable, conv_image_table)

}  // namespace cr

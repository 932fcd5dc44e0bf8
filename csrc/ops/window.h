// Geometry of a window that slides over an image, shared by convolution and pooling.
#pragma once

#include <cstdint>

namespace cr {

// How one axis of a plane is copied into its stride-split buffer (split_image.h). Tap r of a
// window reads slot `slot(r)` at `shift(r)` pixels behind the output pixel.
struct SplitAxis {
  int64_t extent;  // pixels of the plane
  int64_t origin;  // plane coordinate under the first tap of the first output (minus padding)
  int64_t step;    // stride
  int64_t dilation;
  int64_t slots;
  int64_t halo;  // largest shift

  int64_t period() const {  // taps that far apart share a slot
    int64_t a = step, b = dilation;
    while (b != 0) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    return step / a;
  }
  int64_t slot(int64_t tap) const { return tap % period(); }
  int64_t shift(int64_t tap) const { return tap * dilation / step; }
};

inline SplitAxis split_axis(int64_t extent, int64_t kernel, int64_t stride, int64_t padding,
                            int64_t dilation) {
  SplitAxis axis{extent, -padding, stride, dilation, 1, (kernel - 1) * dilation / stride};
  axis.slots = kernel < axis.period() ? kernel : axis.period();
  return axis;
}

// Behind every split buffer and panel: whole vectors may be written or read that far past the end.
constexpr int64_t kSplitSlack = 64;

}  // namespace cr

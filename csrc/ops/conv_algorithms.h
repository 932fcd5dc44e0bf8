// The ways to compute a convolution and its gradients: one ordered list per direction. The first
// that accepts a problem and suits it is taken; a naive reference is last. Tests force one by name.
#pragma once

#include <algorithm>

#include "core/dtype.h"
#include "core/parallel.h"
#include "core/table.h"
#include "ops/conv.kernel.h"
#include "ops/fused_activation.h"

namespace cr {

enum class ConvDirection : uint8_t { kForward, kInputGrad, kWeightGrad };
constexpr int kConvDirections = 3;

// Arrays of one call, all contiguous. Forward: input, weight, bias (may be null) -> out.
// Input gradient: grad, weight -> out. Weight gradient: input, grad -> out.
struct ConvArrays {
  const void* a;
  const void* b;
  const void* bias;
  void* out;
  char* workspace;
  Activation activation;  // of a forward pass's results
};

// A rectangle of the output planes of some channels of some images (a volume: its planes one after
// the other), which a unit of a forward pass has written.
struct ConvPart {
  int64_t image, images, channel, channels, row, rows, column, columns;
};

template <class T>
void finish_part(const ConvShape& s, const ConvArrays& arrays, const ConvPart& part) {
  if (!arrays.activation) return;
  const int64_t plane = s.out_plane();
  // Planes of neighbouring channels follow each other where they are whole and flat.
  const bool whole = part.rows * part.columns == plane && s.out_depth == 1;
  const int64_t steps = whole ? 1 : part.channels, repeats = whole ? part.channels : 1;
  for (int64_t i = part.image; i < part.image + part.images; ++i) {
    const int64_t example = i / s.out_depth, depth = i % s.out_depth;
    for (int64_t c = part.channel; c < part.channel + steps; ++c) {
      T* out = static_cast<T*>(arrays.out) +
               ((example * s.out_channels + c) * s.out_depth + depth) * plane +
               part.row * s.out_width + part.column;
      arrays.activation.rows(out, repeats * part.rows, part.columns, s.out_width, sizeof(T));
    }
  }
}

struct ConvAlgorithm {
  const char* name;
  bool (*accepts)(const ConvShape& shape, DType dtype);
  // Whether it is the one to take where it accepts.
  bool (*suits)(const ConvShape& shape, DType dtype);
  size_t (*workspace)(const ConvShape& shape, DType dtype);  // bytes, for max_workers() threads
  void (*run)(const ConvShape& shape, DType dtype, const ConvArrays& arrays);
};

// Entries of the lists that have files of their own.
ConvAlgorithm images_forward();
ConvAlgorithm images_input_grad();
ConvAlgorithm images_weight_grad();
ConvAlgorithm channels_forward();
ConvAlgorithm channels_input_grad();
ConvAlgorithm channels_weight_grad();
ConvAlgorithm gemm_forward();
ConvAlgorithm gemm_input_grad();
ConvAlgorithm gemm_weight_grad();

// A kernel of one pixel that moves nothing.
bool is_pointwise(const ConvShape& shape, DType dtype);

// A weight gradient may be cut into partial sums: at most so many, of so many elements in all.
constexpr int64_t kMaxSplits = 16;
constexpr int64_t kMaxPartials = 1 << 21;

template <class T>
const ConvWeightKernels<T>& weight_kernels() {
  return part_for<T>(conv_weight_table());
}

// Adds partial[splits][weights] up into `out`, if there is more than one.
template <class T>
void combine_splits(const T* partial, int64_t splits, int64_t weights, T* out) {
  if (splits == 1) return;
  parallel(weights, grain_for(0.2 * splits), [&](int64_t begin, int64_t stop, int) {
    weight_kernels<T>().combine(partial, splits, weights, begin, stop, out);
  });
}

// An axis of a convolution as the user states it.
struct ConvAxis {
  int64_t extent, out_extent, kernel, stride, padding, dilation;
};
inline ConvAxis planes_of(const ConvShape& s) {
  return {s.depth, s.out_depth, s.kernel_d, s.stride_d, s.pad_front, s.dilation_d};
}
inline ConvAxis rows_of(const ConvShape& s) {
  return {s.height, s.out_height, s.kernel_h, s.stride_h, s.pad_top, s.dilation_h};
}
inline ConvAxis columns_of(const ConvShape& s) {
  return {s.width, s.out_width, s.kernel_w, s.stride_w, s.pad_left, s.dilation_w};
}

// Input pixel phase + i * stride is reached by tap r from output pixel i + shift, for one phase;
// taps that are `period` apart belong to the same phase.
struct GradAxis : ConvAxis {
  int64_t phase(int64_t tap) const {
    return ((tap * dilation - padding) % stride + stride) % stride;
  }
  int64_t shift(int64_t tap) const { return (phase(tap) + padding - tap * dilation) / stride; }
  int64_t phases() const { return std::min(stride, std::max<int64_t>(extent, 1)); }
  int64_t pixels(int64_t phase) const {
    return extent > phase ? (extent - phase - 1) / stride + 1 : 0;
  }
  int64_t period() const { return split_axis(1, 1, stride, 0, dilation).period(); }
  SplitAxis source() const {
    return {out_extent, shift(kernel - 1), 1, 1, 1, shift(0) - shift(kernel - 1)};
  }
};

// The algorithm for a problem: the forced one, or the first that accepts it and suits. Throws when
// the forced one does not accept.
const ConvAlgorithm& choose_conv_algorithm(ConvDirection direction, const ConvShape& shape,
                                           DType dtype);

// For tests. `direction` is "forward", "input_grad" or "weight_grad". Forces an algorithm by name
// ("" gives the choice back); the name of the one that ran last on this thread ("" before the
// first).
void force_conv_algorithm(const char* direction, const char* name);
const char* last_conv_algorithm(const char* direction);

}  // namespace cr

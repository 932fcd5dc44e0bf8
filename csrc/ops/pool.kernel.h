// The pooling family's contract between host code (pool.cpp) and kernels.
//
// Two ways through the windows of a plane: "split" reads every tap of a vector of neighbouring
// output pixels from a padded, stride-split copy of the plane (split_image.h); "windows" walks the
// part of each window that lies inside the plane, which also serves adaptive pooling (windows of
// unequal size) and very large windows. Planes are independent: one (image, channel) each.
#pragma once

#include "core/isa.h"
#include "ops/window.h"

namespace cr {

// A tap: where its pixel is in the split buffer, and how far in the plane from the first tap.
struct PoolTap {
  int64_t pixel, index;
};

// The taps of one output row (or column) that lie inside the plane: begin, begin + step, ...
struct PoolSpan {
  int32_t begin, count;
};

struct PoolPlan {
  int64_t height, width, out_height, out_width;
  // split
  SplitAxis h, w;
  int64_t pitch;  // buffer row; the buffer of a plane has split_size() elements
  const PoolTap* taps;
  int64_t tap_count;
  // Per output pixel, as integers as wide as the element: the plane index of the first tap (which
  // may lie in the padding), and what to add for the first tap inside the plane (-1 in all when
  // there is none).
  const void* base;
  const void* start;
  // windows
  const PoolSpan* rows;
  const PoolSpan* cols;
  int64_t step_h, step_w;  // dilation
  const void* divisor;     // averages: per output pixel, elements

  int64_t split_size() const {
    return h.slots * w.slots * (out_height + h.halo) * pitch + kSplitSlack;
  }
  int64_t plane() const { return height * width; }
  int64_t out_plane() const { return out_height * out_width; }
};

// Every function works on planes [begin, end). `stop` is where the readable input stops.
// Indices are positions in the plane; -1: the window saw nothing; a null pointer: not wanted.
template <class T>
struct PoolKernels {
  // Workspace: split_size() elements.
  void (*max_split)(const PoolPlan&, int64_t begin, int64_t end, const T* input, const T* stop,
                    T* out, int32_t* indices, T* workspace);
  void (*max_windows)(const PoolPlan&, int64_t begin, int64_t end, const T* input, T* out,
                      int32_t* indices);
  // out[indices[i]] += values[i], plane by plane, after setting `out` to zero; and its transpose.
  void (*unpool)(int64_t plane, int64_t out_plane, int64_t begin, int64_t end, const T* values,
                 const int32_t* indices, T* out);
  void (*take)(int64_t plane, int64_t out_plane, int64_t begin, int64_t end, const T* input,
               const int32_t* indices, T* out);
  // Workspace: split_size() elements.
  void (*mean_split)(const PoolPlan&, int64_t begin, int64_t end, const T* input, const T* stop,
                     T* out, T* workspace);
  void (*mean_windows)(const PoolPlan&, int64_t begin, int64_t end, const T* input, T* out);
  // out = the gradient's elements, each spread over its tile of kernel_h x kernel_w elements.
  void (*spread_tiles)(const PoolPlan&, int64_t kernel_h, int64_t kernel_w, T divisor,
                       int64_t begin, int64_t end, const T* grad, T* out);
  // Transposes of the means. Workspace: split_size() + out_height * pitch + kSplitSlack elements.
  void (*spread_split)(const PoolPlan&, int64_t begin, int64_t end, const T* grad, T* out,
                       T* workspace);
  void (*spread_windows)(const PoolPlan&, int64_t begin, int64_t end, const T* grad, T* out);
};

struct PoolTable {
  PoolKernels<float> f32;
  PoolKernels<double> f64;
};
CR_KERNEL_TABLE(PoolTable, pool_table)

}  // namespace cr

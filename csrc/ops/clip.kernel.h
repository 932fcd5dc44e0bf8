// Clipping's contract between host code (clip.cpp) and kernels (clip.kernel.cpp).
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

// [0] is float32, [1] float64.
struct ClipTable {
  // Of n numbers, in double: the sum of magnitudes, the sum of squares, the largest magnitude
  // (NaN if there is one).
  double (*magnitudes[2])(const void* x, int64_t n);
  double (*squares[2])(const void* x, int64_t n);
  double (*largest[2])(const void* x, int64_t n);
  // In place: a product with a number; the nearest in [-bound, bound] (NaN stays).
  void (*scale[2])(void* x, int64_t n, double factor);
  void (*clamp[2])(void* x, int64_t n, double bound);
};
CR_KERNEL_TABLE(ClipTable, clip_table)

}  // namespace cr

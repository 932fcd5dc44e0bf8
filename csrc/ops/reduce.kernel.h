// Contract between reduce.cpp and reduce.kernel.cpp.
//
// The input is contiguous, seen as [rows, n, inner]; the kernel reduces the middle axis for the
// rows [row_begin, row_end) and the inner columns [col_begin, col_end).
#pragma once

#include "core/dtype.h"
#include "core/isa.h"

namespace cr {

struct ReduceShape {
  int64_t n, inner;
  int64_t row_begin, row_end, col_begin, col_end;
};

// out is [rows, inner] of the op's result type.
using ReduceKernel = void (*)(const void* x, void* out, const ReduceShape& shape);

enum class Reduction {
  kSum,
  kProd,
  kMax,
  kMin,
  kArgMax,
  kArgMin,
  kAny,
  kAll,
  kSumSquares,
  kSumNumbers,
  kCount
};

struct ReduceTable {
  ReduceKernel kernel[static_cast<int>(Reduction::kCount)][kNumDTypes];  // null: not supported
  // x[i] /= by for n numbers, float32 and float64.
  void (*divide[2])(void* x, int64_t n, double by);
};
CR_KERNEL_TABLE(ReduceTable, reduce_table)

}  // namespace cr

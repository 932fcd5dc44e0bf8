// Contract between reduce.cpp and scan.kernel.cpp: running sums and products along the middle axis
// of a ReduceShape; the output has the shape of the input.
#pragma once

#include "ops/reduce.kernel.h"

namespace cr {

// By type: int64 (modulo 2^64), float32, float64.
struct ScanKernels {
  ReduceKernel of_int64, of_float, of_double;

  ReduceKernel of(DType dtype) const {
    return dtype == DType::kInt64 ? of_int64 : dtype == DType::kFloat32 ? of_float : of_double;
  }
};

// The largest or smallest element so far and where it was last seen; a NaN stays.
using RunningKernel = void (*)(const void* x, void* values, int64_t* places,
                               const ReduceShape& shape);
struct RunningKernels {
  RunningKernel of_int64, of_float, of_double;

  RunningKernel of(DType dtype) const {
    return dtype == DType::kInt64 ? of_int64 : dtype == DType::kFloat32 ? of_float : of_double;
  }
};

struct ScanTable {
  ScanKernels cumsum, reverse_cumsum, cumprod;
  RunningKernels cummax, cummin;
};
CR_KERNEL_TABLE(ScanTable, scan_table)

}  // namespace cr

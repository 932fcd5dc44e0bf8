// A probe of the processor: how many multiply-adds a second one thread can do at best.
#pragma once

#include "core/dtype.h"
#include "core/isa.h"

namespace cr {

struct ProbeTable {
  // Runs `rounds` rounds of independent multiply-adds on `start` (not zero) and returns the
  // number of floating-point operations; a value that depends on all of them goes to *result.
  double (*multiply_add[2])(int64_t rounds, double start, double* result);  // float32, float64
};

CR_KERNEL_TABLE(ProbeTable, probe_table)

// GFLOP/s of one thread in multiply-adds of `dtype` (float32 or float64) kept in registers, at the
// instruction set in use: the limit that compute-bound work is measured against. Takes about 20 ms.
double fma_peak(DType dtype);

}  // namespace cr

// Contract between the index rows and index.kernel.cpp.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

struct IndexKernels {
  // Copies n indices and says whether all are in [0, size), or with `wrap` in [-size, size):
  // negative ones then count from the end.
  bool (*check)(const int64_t* from, int64_t n, int64_t size, bool wrap, int64_t* to);
  // Row i of out = row index[i] of the table, rows of `bytes` bytes.
  void (*gather)(const char* table, const int64_t* index, int64_t n, int64_t bytes, char* out);
};
CR_KERNEL_TABLE(IndexKernels, index_kernels)

}  // namespace cr

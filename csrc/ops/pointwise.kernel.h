// The pointwise family's contract between host code (pointwise.cpp, built once) and kernels
// (pointwise*.kernel.cpp, built once per instruction set).
//
// A block function works on n contiguous elements: strides, broadcasting and casts are the host's
// business (it hands tiles that stay in L1). A rows block takes several rows at once, and an input
// may be one element in each. `in[i]` may equal `out` exactly (in-place); no other overlap.
// Pointers are aligned to the element only. Booleans are bytes 0 or 1.
#pragma once

#include "core/dtype.h"
#include "core/isa.h"

namespace cr {

// params: the op's float attributes in the order of its signature (null when it has none).
using Block = void (*)(void* out, const void* const* in, int64_t n, const double* params);

// `count` rows of `length` elements; the next row of an operand is `strides` bytes on ([0] is the
// output's). An input that is `spread` holds one element for the whole row, others are contiguous.
struct Rows {
  int64_t count, length;
  int64_t strides[4];
  bool spread[3];
};
using RowsBlock = void (*)(void* out, const void* const* in, const Rows& rows,
                           const double* params);

struct PointwiseEntry {
  const char* name;                 // the op's name
  Block block[kNumDTypes];          // by the dtype the op computes in; null = not supported
  RowsBlock rows[kNumDTypes] = {};  // of float dtypes, where an op has one; else null
};

struct PointwiseTable {
  const PointwiseEntry* entries;
  int count;
};

// Arithmetic, comparison, logic, select: all dtypes. Casts: cast[from][to].
CR_KERNEL_TABLE(PointwiseTable, arithmetic_table)
// Functions of real numbers: float32 and float64.
CR_KERNEL_TABLE(PointwiseTable, math_table)

// to[j][i] = from[i][j] for a (rows, cols) array; strides in elements.
using Transpose = void (*)(const void* from, int64_t from_row, int64_t rows, int64_t cols, void* to,
                           int64_t to_row);

struct CastTable {
  Block cast[kNumDTypes][kNumDTypes];
  Transpose transpose_4, transpose_8;  // elements of so many bytes
};
CR_KERNEL_TABLE(CastTable, cast_table)

}  // namespace cr

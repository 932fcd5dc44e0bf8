// Index tensors, checked before a kernel follows them.
#pragma once

#include "core/op.h"

namespace cr {

void check_index_type(const char* op, const Tensor& index);

// Indices as contiguous int64 in [0, size); negative ones count from the end when `wrap`. Always a
// copy: what was checked stays so whatever is written to the tensor in the meantime.
Tensor checked_indices(const char* op, const Tensor& index, int64_t size, int dim, bool wrap);

// Row i of `out` = row index[i] of `x`, both contiguous; the indices are checked ones.
void gather_rows(const Tensor& x, const int64_t* index, int64_t count, const Tensor& out);

}  // namespace cr

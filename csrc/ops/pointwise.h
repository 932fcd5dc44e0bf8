// Host side of the pointwise family: type rules, and iteration of a block function over operands
// of any layout.
#pragma once

#include "core/op.h"

namespace cr {

DType float_type(DType dtype);  // itself when floating, else the default dtype

// out[i] = block(in[i]...) over the broadcast shape of out, in parallel. The operands have the
// dtypes the block expects; `ns_per_element` is the estimated cost that sizes a chunk. `rows`,
// where there is one, is the block for operands that repeat one element along a row.
void run_block(Block block, const Tensor& out, const TensorList& in, const double* params,
               double ns_per_element, RowsBlock rows = nullptr);

void infer_pointwise(Call& call);
void launch_pointwise(Call& call);

}  // namespace cr

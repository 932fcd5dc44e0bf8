// Products of matrices and of batches of matrices, for every op that needs one: matmul, linear,
// convolution, recurrent cells. Runs on memory given ahead, on all threads, with the same bits for
// any number of them.
#pragma once

#include <cstddef>

#include "core/shape.h"
#include "ops/matmul.kernel.h"

namespace cr {

// One Product for every index of `batch`; a and b of `product` belong to index (0, ..., 0). Strides
// are in elements, 0 where an operand is shared. Biases are shared by the batch.
struct Gemm {
  DType dtype;
  Product product;
  Dims batch = {};
  Dims a_batch = {}, b_batch = {}, c_batch = {};
};

size_t gemm_workspace(const Gemm& gemm);
// `bytes` as gemm_workspace said for the same problem and number of threads.
void gemm_run(const Gemm& gemm, void* workspace, size_t bytes);

// The implementation a problem is given: the first of the list that accepts it, or the forced one
// where it can. Names in order: "deep", "dots", "thin", "direct", "packed", "naive".
const char* gemm_implementation(const Gemm& gemm);
// For tests; null or "" takes it back. Unknown names are an error.
void force_gemm_implementation(const char* name);

}  // namespace cr

// Products of matrices and of batches of matrices, for every op that needs one: matmul, linear,
// convolution, recurrent cells. Runs on memory given ahead, on all threads, with the same bits for
// any number of them.
#pragma once

#include <cstddef>

#include "core/shape.h"
#include "ops/fused_activation.h"
#include "ops/matmul.kernel.h"

namespace cr {

// One Product for every index of `batch`; a and b of `product` belong to index (0, ..., 0). Strides
// are in elements, 0 where an operand is shared. Biases are shared by the batch.
struct Gemm {
  DType dtype;
  Product product;
  Dims batch, a_batch, b_batch, c_batch;
  Activation activation;  // of the results, the bias added

  Gemm(DType type, const Product& first) : dtype(type), product(first) {}
};

size_t gemm_workspace(const Gemm& gemm);
// `bytes` as gemm_workspace said for the same problem and number of threads.
void gemm_run(const Gemm& gemm, void* workspace, size_t bytes);

// A problem is given to the first algorithm of an ordered list that accepts it: "deep", "dots",
// "thin", "direct", "packed", "naive". Integers and empty sums always go to "naive", batches of
// very small products to "small". For tests: forces one by name (it throws where it declines); ""
// gives the choice back.
void force_gemm_algorithm(const char* name);
// The name of the algorithm that ran last on this thread ("" before the first).
const char* last_gemm_algorithm();

}  // namespace cr

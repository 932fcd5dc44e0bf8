// Contract between softmax.cpp and softmax.kernel.cpp: rows of n contiguous elements, or `width`
// neighbouring columns of n elements, `inner` apart.
#pragma once

#include "core/dtype.h"
#include "core/isa.h"

namespace cr {

using RowKernel = void (*)(const void* x, void* out, int64_t rows, int64_t n);
// Gradients from the result y and the gradient g of the result.
using RowGradKernel = void (*)(const void* g, const void* y, void* out, int64_t rows, int64_t n);
// At most kSoftmaxColumns columns.
constexpr int64_t kSoftmaxColumns = 128;
using ColumnKernel = void (*)(const void* x, void* out, int64_t n, int64_t inner, int64_t width);
using ColumnGradKernel = void (*)(const void* g, const void* y, void* out, int64_t n, int64_t inner,
                                  int64_t width);
// From log-probabilities: out = scale[row * stride] * (exp(y) - onehot(label)); a negative label
// gives a row of zeros.
using CrossEntropyGradKernel = void (*)(const void* y, const int64_t* labels, const void* scale,
                                        int64_t stride, void* out, int64_t rows, int64_t n);

// [0] float32, [1] float64.
struct SoftmaxTable {
  RowKernel softmax[2], log_softmax[2], logsumexp[2];
  RowGradKernel softmax_grad[2], log_softmax_grad[2];
  CrossEntropyGradKernel cross_entropy_grad[2];
  ColumnKernel softmax_columns[2], log_softmax_columns[2];
  ColumnKernel logsumexp_columns[2];  // one result per column
  ColumnGradKernel softmax_grad_columns[2], log_softmax_grad_columns[2];
};
CR_KERNEL_TABLE(SoftmaxTable, softmax_table)

}  // namespace cr

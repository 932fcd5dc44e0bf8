// Contract between norm.cpp and norm.kernel.cpp: normalization of planes (n contiguous elements
// that share a mean, a scale and a shift) and of rows (n elements with a scale and a shift each).
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

template <class T>
struct NormKernels {
  // Mean, and sum of squared distances from it.
  void (*moments)(const T* x, int64_t n, double* mean, double* squares);
  // out = (x - mean) * scale + shift
  void (*affine)(const T* x, int64_t n, T mean, T scale, T shift, T* out);
  // sums[0] = sum(g), sums[1] = sum(g * (x - mean))
  void (*grad_sums)(const T* g, const T* x, int64_t n, T mean, double* sums);
  // dx = a * g + b * (x - mean) + c
  void (*grad_input)(const T* g, const T* x, int64_t n, T mean, T a, T b, T c, T* dx);

  // Each column of (rows, stride) for itself, `width` of them; weight and bias may be null.
  void (*columns)(const T* x, const T* weight, const T* bias, int64_t rows, int64_t stride,
                  int64_t width, double eps, T* out, T* mean, T* var);
  void (*columns_grad)(const T* g, const T* x, const T* weight, const T* mean, const T* var,
                       int64_t rows, int64_t stride, int64_t width, double eps, T* dx, T* dweight,
                       T* dbias);

  // weight and bias may be null. Not centered: the mean is taken to be zero.
  void (*rows)(const T* x, const T* weight, const T* bias, int64_t rows, int64_t n, double eps,
               bool centered, T* out, T* mean, T* var);
  // Adds to dweight and dbias, unless they are null.
  void (*rows_grad)(const T* g, const T* x, const T* weight, const T* mean, const T* var,
                    int64_t rows, int64_t n, double eps, bool centered, T* dx, T* dweight,
                    T* dbias);
};

struct NormTable {
  NormKernels<float> f32;
  NormKernels<double> f64;
};
CR_KERNEL_TABLE(NormTable, norm_table)

}  // namespace cr

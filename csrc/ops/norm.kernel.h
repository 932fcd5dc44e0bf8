// Contract between norm.cpp and norm.kernel.cpp: normalization of planes (n contiguous elements
// that share a mean, a scale and a shift) and of rows (n elements with a scale and a shift each).
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

// Rows of n elements, `stride` apart. What is known per statistic (mean, slope, level) is for row r
// the element r * mean_step, what is known per channel (scale, shift) the element r * step.
template <class T>
struct PlaneRows {
  const T* x;
  int64_t rows, stride, n;
  const T* mean;
  int64_t mean_step, step;
  bool rectify = false;  // of affine: what would be negative is zero
};

template <class T>
struct NormKernels {
  // Mean, and sum of squared distances from it, of rows `stride` apart. Not centered: the mean is
  // taken to be zero.
  void (*moments)(const T* x, int64_t rows, int64_t stride, int64_t n, bool centered, double* mean,
                  double* squares);
  // out = (x - mean) * scale + shift; shift may be null
  void (*affine)(const PlaneRows<T>& p, const T* scale, const T* shift, T* out);
  // sums[2 r] = sum(g), sums[2 r + 1] = sum(g * (x - mean))
  void (*grad_sums)(const PlaneRows<T>& p, const T* g, double* sums);
  // dx = scale * g + slope * (x - mean) + level
  void (*grad_input)(const PlaneRows<T>& p, const T* g, const T* scale, const T* slope,
                     const T* level, T* dx);

  // Each column of (rows, stride) for itself, `width` of them; weight and bias may be null.
  void (*columns)(const T* x, const T* weight, const T* bias, int64_t rows, int64_t stride,
                  int64_t width, double eps, T* out, T* mean, T* var);
  void (*columns_grad)(const T* g, const T* x, const T* weight, const T* mean, const T* var,
                       int64_t rows, int64_t stride, int64_t width, double eps, T* dx, T* dweight,
                       T* dbias);

  // By given numbers per column: out = (x - mean) * scale + shift, where shift may be null;
  // dx = g * scale, sums[2 j] = sum(g) and sums[2 j + 1] = sum(g * (x - mean)).
  void (*columns_affine)(const T* x, const T* mean, const T* scale, const T* shift, int64_t rows,
                         int64_t stride, int64_t width, T* out);
  void (*columns_affine_grad)(const T* g, const T* x, const T* mean, const T* scale, int64_t rows,
                              int64_t stride, int64_t width, T* dx, double* sums);

  // weight and bias may be null.
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

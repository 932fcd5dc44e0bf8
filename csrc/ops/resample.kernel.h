// Contract between resample.cpp and resample.kernel.cpp: a banded matrix times one dimension.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

// Row i of the matrix has count[i] neighbouring weights, the first of them in column first[i].
template <class T>
struct Band {
  const int64_t* first;
  const int64_t* count;
  const T* weights;  // of row i from i * width on
  int64_t width;     // the largest count
  int64_t rows, columns;
};

template <class T>
struct ResampleKernels {
  // out[o][i][:] = sum over k of weight[i][k] * in[o][first[i] + k][:], `inner` elements each, for
  // the pairs (o, i) with begin <= o * rows + i < end.
  void (*apply)(const Band<T>& band, int64_t inner, int64_t begin, int64_t end, const T* in,
                T* out);
};

struct ResampleTable {
  ResampleKernels<float> f32;
  ResampleKernels<double> f64;
};
CR_KERNEL_TABLE(ResampleTable, resample_table)

}  // namespace cr

// Contract between embedding.cpp and embedding.kernel.cpp: sums over rows of a table. A negative
// index is skipped; `factors` may be null, which stands for ones.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

template <class T>
struct EmbeddingKernels {
  // out = sum of factors[i] * table[index[i]] over n rows of `width` elements, divided by `share`.
  void (*sum)(const T* table, const int64_t* index, const T* factors, int64_t n, int64_t width,
              T share, T* out);
  // table[index[i]] += factors[i] * source[rows[i]], one after another, for the columns
  // [begin, end) of rows of `width`. Without `rows` it is source[i].
  void (*add)(const T* source, const int64_t* rows, const int64_t* index, const T* factors,
              int64_t n, int64_t width, int64_t begin, int64_t end, T* table);
  // out[j] = largest table[index[i]][j], picked[j] = its index[i] (-1 where there is none). NaN
  // counts as the largest. At most 2^31 entries.
  void (*max)(const T* table, const int64_t* index, int64_t n, int64_t width, T* out,
              int64_t* picked);
  // Sum of a[j] * b[j].
  T (*dot)(const T* a, const T* b, int64_t n);
};

struct EmbeddingTable {
  EmbeddingKernels<float> f32;
  EmbeddingKernels<double> f64;
};
CR_KERNEL_TABLE(EmbeddingTable, embedding_table)

}  // namespace cr

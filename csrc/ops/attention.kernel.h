// Contract between attention.cpp and attention.kernel.cpp: a block of queries of one head against
// a stretch of its keys, forward and backward.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/isa.h"

namespace cr {

// x(i, j) = data[i * row + j * col]
template <class T>
struct StridedMatrix {
  const T* data;  // null: absent
  int64_t row, col;
};

// Rows of contiguous elements.
template <class T>
struct RowMatrix {
  T* data;
  int64_t row;
};

// Memory of one worker: `width` is block_queries rounded up to whole vectors, `tile` is key_tile.
template <class T>
struct AttentionScratch {
  T* query;        // (E, width): the scaled queries, transposed, in strips of columns
  T* accumulated;  // (max(E, Ev), width): the transposed sum over the keys seen so far
  T* scores;       // (tile, width)
  T* mask;         // (tile, width), with a mask
  T* keep;         // (tile, width), with dropout
  T* state;        // (2, width)
  T* score_grad;   // (tile, width), backward
  T* grad;         // (Ev, width), backward: the transposed gradient
  T* out;          // (Ev, width), backward: the transposed result
  T* query_rows;   // (width, E) in strips, backward
  T* grad_rows;    // (width, Ev) in strips, backward
};

// Which weights are dropped: element i of the row-major weights of all heads belongs to block
// position + i / 4 of the stream.
struct AttentionDropout {
  double p;  // 0: none
  uint64_t seed, position;
};

template <class T>
struct AttentionBlock {
  int64_t features, value_features;       // E, Ev
  int64_t queries, first_query;           // of the block, and where it starts in the head
  int64_t first_key, last_key, all_keys;  // the stretch [first_key, last_key) of all keys
  int64_t first_weight;                   // number of the weight (first query, key 0) among all
  bool causal;                            // query i sees keys 0 to i
  T scale;
  AttentionDropout dropout;
  StridedMatrix<T> query, mask;  // from the first query on, the mask from key 0
  StridedMatrix<T> key, value;   // from key 0
  AttentionScratch<T> scratch;

  // Forward: written. Backward: read.
  RowMatrix<T> out;
  T* log_sum;  // log of the sum of exponentials, one a query; infinite where no key is seen

  // Backward: `query_grad` is written, the others are added to, from key 0.
  StridedMatrix<T> grad;
  RowMatrix<T> query_grad, key_grad, value_grad;
};

template <class T>
struct AttentionKernels {
  int64_t block_queries, strip, lanes, key_tile;
  void (*forward)(const AttentionBlock<T>& block);
  void (*backward)(const AttentionBlock<T>& block);
};

struct AttentionTable {
  AttentionKernels<float> f32;
  AttentionKernels<double> f64;
};
CR_KERNEL_TABLE(AttentionTable, attention_table)

}  // namespace cr

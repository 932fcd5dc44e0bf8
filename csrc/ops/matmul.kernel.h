// The matmul family's contract between host code (gemm.cpp, built once) and kernels
// (matmul.kernel.cpp, built once per instruction set).
//
// Matrices are pointers with strides counted in elements; rows of C are contiguous. Nothing here
// allocates, threads or checks.
#pragma once

#include "core/dtype.h"
#include "core/isa.h"

namespace cr {

// C = A B, or C += A B, plus a bias: `rows` x `depth` times `depth` x `cols`. All of one dtype.
struct Product {
  int64_t rows, cols, depth;
  const void* a;
  int64_t a_row, a_col;  // A(i, k) = a[i * a_row + k * a_col]
  const void* b;
  int64_t b_row, b_col;  // B(k, j) = b[k * b_row + j * b_col]
  void* c;
  int64_t c_row;  // C(i, j) = c[i * c_row + j]
  bool accumulate;
  const void* row_bias;  // one value a row of C, or null
  const void* col_bias;  // one value a column of C, or null
  bool rectify = false;  // of `multiply`: what would be negative is zero
};

// A Product whose B is read in strips of tile_cols columns, each with contiguous rows: strip s
// starts at b + s * b_strip and has the row stride b_row. A last, narrower strip is packed at
// b_edge, its rows padded with zeros to whole vectors; `cols` counts its true columns. With a_panel
// the rows of A come as pack_a left them: panels that many elements apart. `far`: B lies in memory,
// its rows are to be fetched ahead.
struct StripProduct {
  Product product;
  int64_t b_strip;
  const void* b_edge;
  int64_t a_panel = 0;
  bool far = false;
};

// `count` small Products of one shape, without biases; their matrices lie so many elements apart.
struct SmallProducts {
  Product product;
  int64_t count, a_step, b_step, c_step;
};

struct GemmKernels {
  int tile_rows, tile_cols, lanes;  // the register tile, and the columns of one vector
  int64_t block_depth, block_cols;  // of B, packed at a time
  int64_t chunk_rows;               // of A, kept in L2
  double flops_per_ns;              // of a recent processor, for estimates of time

  void (*multiply)(const StripProduct& product);
  // Packs B (depth x cols, any strides): strip s goes to strips + s * depth * tile_cols.
  void (*pack)(void* strips, const void* b, int64_t b_row, int64_t b_col, int64_t depth,
               int64_t cols);
  // Packs A: panels of at most tile_rows rows, dealt as `multiply` deals them to its tiles, each
  // panel_pitch values a step of the depth, so panels are depth * panel_pitch apart.
  int panel_pitch;
  void (*pack_a)(void* panels, const Product& product);
  // Few rows: at most thin_rows of A, B with contiguous rows (b_col == 1), read once in place.
  int thin_rows;
  void (*thin)(const Product& product);
  // Dot products: A and B contiguous along the depth (a_col == 1, b_row == 1).
  void (*dots)(const Product& product);
  // to[j * rows + i] = from[i * from_row + j]
  void (*transpose)(void* to, const void* from, int64_t from_row, int64_t rows, int64_t cols);
  // B has at most small_values values, its columns rounded up to whole vectors.
  int small_values;
  void (*small)(const SmallProducts& products);
};

struct MatmulTable {
  GemmKernels gemm[2];  // float32, float64
  // Every dtype but bool, any strides. Floats: three loops in the order of the definition; integers
  // (which wrap around): tiles.
  void (*naive[kNumDTypes])(const Product& product);
};

CR_KERNEL_TABLE(MatmulTable, matmul_table)

}  // namespace cr

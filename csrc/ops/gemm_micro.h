// The register tile every sum of products is built on: C[Rows x Vecs*lanes] += A * B.
//
// Included only by `*.kernel.cpp`. The tile keeps Rows x Vecs accumulators in registers and per
// step of the depth loads one row of B (Vecs vectors) and broadcasts one column of A (Rows
// scalars): Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), in
// the form of BLIS (Van Zee and van de Geijn, 2015). Operands come through small readers, so that
// packed and unpacked matrices, transposed ones and gathered rows (convolution) share one kernel.
// An element of C is one chain of multiply-adds in the order of the depth whatever the tile's
// shape: results do not depend on how C is cut into tiles.
#pragma once

#include "simd/rectify.h"
#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

// Accumulators + one row of B + one broadcast fill the registers: 32 on AVX-512 and arm64, else 16.
#if CR_VEC_BYTES == 64
constexpr int kTileRows = 12, kTileVecs = 2;
#elif CR_VEC_BYTES == 32
constexpr int kTileRows = 6, kTileVecs = 2;
#elif defined(__aarch64__)
constexpr int kTileRows = 6, kTileVecs = 4;
#else
constexpr int kTileRows = 3, kTileVecs = 4;
#endif
template <class T>
constexpr int kTileCols = kTileVecs * kLanes<T>;

// Readers of A: the scalar of row i at the current depth.
template <class T>
struct RowsOfA {  // A(i, k) = p[i * row + k * col]
  static constexpr bool kByColumns = false;
  const T* p;
  int64_t row, col;
  T operator()(int i) const { return p[i * row]; }
  void next() { p += col; }
};
template <class T>
struct ColumnsOfA {  // A(i, k) = p[i + k * col]
  static constexpr bool kByColumns = true;
  const T* p;
  int64_t col;
  T operator()(int i) const { return p[i]; }
  void next() { p += col; }
};
template <class T>
struct GatheredColumnsOfA {  // A(i, k) = p[i][offset[k]]
  static constexpr bool kByColumns = true;
  const T* p[kTileRows];
  const int64_t* offset;
  T operator()(int i) const { return p[i][*offset]; }
  void next() { ++offset; }
};

// Readers of B: vector j of the row at the current depth.
template <class T>
struct RowsOfB {  // B(k, j) = p[k * row + j]
  const T* p;
  int64_t row;
  Vec<T> operator()(int j) const { return load(p + j * kLanes<T>); }
  void next() { p += row; }
};
template <class T>
struct PanelRowsOfB {  // B(k, j) = p[k * kTileCols + j]
  const T* p;
  Vec<T> operator()(int j) const { return load(p + j * kLanes<T>); }
  void next() { p += kTileCols<T>; }
};
template <class T>
struct GatheredRowsOfB {  // B(k, j) = p[offset[k] + j]
  const T* p;
  const int32_t* offset;
  Vec<T> operator()(int j) const { return load(p + *offset + j * kLanes<T>); }
  void next() { ++offset; }
};

// The part of C a tile writes. Of the last vector only the columns below `cols` are touched.
template <class T>
struct TileOutput {
  T* c;
  int64_t row;           // stride between rows; columns are contiguous
  int cols;              // (Vecs - 1) * lanes < cols <= Vecs * lanes
  bool accumulate;       // C += A B instead of C = A B
  const T* row_bias;     // one value a row, or null
  const T* col_bias;     // one value a column, or null
  bool rectify = false;  // what would be negative is zero
};

// acc += A B over `depth` steps; a and b move on. Loops over an array of vectors are unrolled in
// full: gcc keeps the array in memory otherwise.
template <class T, int Rows, int Vecs, class A, class B>
CR_INLINE void tile_multiply(Vec<T> (&acc)[Rows][Vecs], int64_t depth, A& a, B& b) {
  for (int64_t k = 0; k < depth; ++k) {
    Vec<T> row[Vecs];
#pragma GCC unroll 16
    for (int j = 0; j < Vecs; ++j) row[j] = b(j);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const Vec<T> x = splat(a(i));
#pragma GCC unroll 16
      for (int j = 0; j < Vecs; ++j) acc[i][j] += x * row[j];
    }
    a.next();
    b.next();
  }
}

// The epilogue of a tile whose last vector is not whole, from the tile's values in `values`.
template <class T>
__attribute__((noinline)) void store_edge(const T* values, int rows, int vecs,
                                          const TileOutput<T>& out) {
  for (int i = 0; i < rows; ++i) {
    T* c = out.c + i * out.row;
    const Vec<T> row_bias = splat(out.row_bias ? out.row_bias[i] : T(0));
    for (int j = 0; j < out.cols; j += kLanes<T>) {
      const int n = out.cols - j < kLanes<T> ? out.cols - j : kLanes<T>;
      Vec<T> x = load(values + i * vecs * kLanes<T> + j);
      if (out.accumulate) x += load_partial(c + j, n);
      if (out.row_bias) x += row_bias;
      if (out.col_bias) x += load_partial(out.col_bias + j, n);
      if (out.rectify) x = rectified(x);
      store_partial(c + j, x, n);
    }
  }
}

template <class T, int Rows, int Vecs>
CR_INLINE void tile_store(Vec<T> (&acc)[Rows][Vecs], const TileOutput<T>& out) {
  constexpr int kCols = Vecs * kLanes<T>;
  if (out.cols < kCols) {
    T values[Rows * kCols];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vecs; ++j) store(values + i * kCols + j * kLanes<T>, acc[i][j]);
    }
    store_edge(values, Rows, Vecs, out);
    return;
  }
  if (out.accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vecs; ++j) acc[i][j] += load(out.c + i * out.row + j * kLanes<T>);
    }
  }
  if (out.row_bias) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vecs; ++j) acc[i][j] += splat(out.row_bias[i]);
    }
  }
  if (out.col_bias) {
#pragma GCC unroll 16
    for (int j = 0; j < Vecs; ++j) {
      const Vec<T> bias = load(out.col_bias + j * kLanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) acc[i][j] += bias;
    }
  }
  if (out.rectify) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vecs; ++j) acc[i][j] = rectified(acc[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Vecs; ++j) store(out.c + i * out.row + j * kLanes<T>, acc[i][j]);
  }
}

// C is fetched this many steps before it is needed: earlier, and A and B would push it out again.
constexpr int64_t kFetchAhead = 128;

template <class T, int Rows, int Vecs, class A, class B>
void tile(int64_t depth, A a, B b, const TileOutput<T>& out) {
  Vec<T> acc[Rows][Vecs];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Vecs; ++j) acc[i][j] = Vec<T>{};
  }
  const int64_t ahead = depth < kFetchAhead ? depth : kFetchAhead;
  tile_multiply<T, Rows, Vecs>(acc, depth - ahead, a, b);
  for (int i = 0; i < Rows; ++i) {
    const char* c = reinterpret_cast<const char*>(out.c + i * out.row);
#pragma GCC unroll 16
    for (int j = 0; j < Vecs * CR_VEC_BYTES; j += 64) __builtin_prefetch(c + j, 1);
  }
  tile_multiply<T, Rows, Vecs>(acc, ahead, a, b);
  tile_store<T, Rows, Vecs>(acc, out);
}

// tile<> for 1 <= rows <= kTileRows and 1 <= out.cols <= kTileCols<T>.
template <class T, class A, class B>
struct TileTable {
  using Function = void (*)(int64_t depth, A a, B b, const TileOutput<T>& out);
  Function function[kTileRows][kTileVecs];

  template <int Rows, int Vecs>
  constexpr void fill() {
    function[Rows - 1][Vecs - 1] = tile<T, Rows, Vecs, A, B>;
    if constexpr (Vecs > 1) {
      fill<Rows, Vecs - 1>();
    } else if constexpr (Rows > 1) {
      fill<Rows - 1, kTileVecs>();
    }
  }
  constexpr TileTable() : function{} { fill<kTileRows, kTileVecs>(); }
};
template <class T, class A, class B>
constexpr TileTable<T, A, B> kTiles{};

template <class T, class A, class B>
CR_INLINE void run_tile(int rows, int64_t depth, A a, B b, const TileOutput<T>& out) {
  const int vecs = (out.cols + kLanes<T> - 1) / kLanes<T>;
  kTiles<T, A, B>.function[rows - 1][vecs - 1](depth, a, b, out);
}

// Rows are dealt evenly to the fewest panels of at most kTileRows: no thin last panel.
CR_INLINE int64_t panel_count(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }
CR_INLINE int64_t panel_begin(int64_t panel, int64_t panels, int64_t rows) {
  return panel * rows / panels;
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr

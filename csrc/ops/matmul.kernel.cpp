// Matrix products. Large ones follow BLIS: strips of B (block_depth x tile_cols) packed to stream
// through L1, a chunk of A (chunk_rows x block_depth) kept in L2, and the register tile of
// gemm_micro.h over them. The tile broadcasts scalars of A from tile_rows rows at full speed, so
// that A is packed only where it lies badly for the caches. B with columns contiguous along the
// depth (the usual weight) is packed by transposing lanes x lanes squares in registers. Few rows: B
// is read once, in wide tiles. Both operands contiguous along the depth and few rows: dot products,
// four rows of B at a time, accumulators summed by a transposing tree.
#include "ops/matmul.kernel.h"

#include "ops/gemm_micro.h"
#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

// ---------------------------------------------------------------- tiles over strips

// A packed panel: every step of the depth begins a vector.
template <class T>
constexpr int kPanelPitch = (kTileRows + kLanes<T> - 1) / kLanes<T> * kLanes<T>;

// Rows of B far apart, each on a page of its own, which no prefetcher of the processor follows.
template <class T>
struct FarRowsOfB {
  static constexpr int64_t kAhead = 24;
  const T* p;
  int64_t row;
  Vec<T> operator()(int j) const { return load(p + j * kLanes<T>); }
  void next() {
#pragma GCC unroll 8
    for (int j = 0; j < kTileCols<T>; j += 64 / sizeof(T)) {
      __builtin_prefetch(p + kAhead * row + j, 0, 2);  // L2: in L1 such rows may share a set
    }
    p += row;
  }
};

template <class T, class A, class B = RowsOfB<T>>
CR_INLINE void multiply_tile(const StripProduct& strips, int64_t col, int64_t panel,
                             int64_t panels) {
  const Product& p = strips.product;
  const bool whole = p.cols - col >= kTileCols<T>;
  const int cols = whole ? kTileCols<T> : static_cast<int>(p.cols - col);
  const T* a = static_cast<const T*>(p.a);
  const T* row_bias = static_cast<const T*>(p.row_bias);
  const T* col_bias = static_cast<const T*>(p.col_bias);
  const int64_t row = panel_begin(panel, panels, p.rows);
  const int rows = static_cast<int>(panel_begin(panel + 1, panels, p.rows) - row);
  const TileOutput<T> out{static_cast<T*>(p.c) + row * p.c_row + col,
                          p.c_row,
                          cols,
                          p.accumulate,
                          row_bias ? row_bias + row : nullptr,
                          col_bias ? col_bias + col : nullptr,
                          p.rectify};
  const A reader = [&] {
    if constexpr (A::kByColumns) {
      return strips.a_panel ? A{a + panel * strips.a_panel, kPanelPitch<T>} : A{a + row, p.a_col};
    } else {
      return A{a + row * p.a_row, p.a_row, p.a_col};
    }
  }();
  if (whole) {
    const T* b = static_cast<const T*>(p.b) + col / kTileCols<T> * strips.b_strip;
    run_tile<T>(rows, p.depth, reader, B{b, p.b_row}, out);
  } else {
    const int64_t width = (cols + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    run_tile<T>(rows, p.depth, reader, RowsOfB<T>{static_cast<const T*>(strips.b_edge), width},
                out);
  }
}

// Short sums: writing C is the work, and goes along its rows by whole tiles without a call each.
constexpr int64_t kShortDepth = 32;

template <class T, class A>
void multiply_short(const StripProduct& strips) {
  const Product& p = strips.product;
  const T* row_bias = static_cast<const T*>(p.row_bias);
  const T* col_bias = static_cast<const T*>(p.col_bias);
  for (int64_t row = 0; row < p.rows; row += kTileRows) {
    const int rows = p.rows - row < kTileRows ? static_cast<int>(p.rows - row) : kTileRows;
    TileOutput<T> out{static_cast<T*>(p.c) + row * p.c_row, p.c_row,  kTileCols<T>, p.accumulate,
                      row_bias ? row_bias + row : nullptr,  col_bias, p.rectify};
    const A reader = [&] {
      const T* a = static_cast<const T*>(p.a) + row * p.a_row;
      if constexpr (A::kByColumns) {
        return A{a, p.a_col};
      } else {
        return A{a, p.a_row, p.a_col};
      }
    }();
    const T* b = static_cast<const T*>(p.b);
    int64_t left = p.cols;
    for (; left >= kTileCols<T>; left -= kTileCols<T>) {
      if (rows == kTileRows) {
        Vec<T> acc[kTileRows][kTileVecs];
#pragma GCC unroll 16
        for (int i = 0; i < kTileRows; ++i) {
#pragma GCC unroll 16
          for (int j = 0; j < kTileVecs; ++j) acc[i][j] = Vec<T>{};
        }
        A column = reader;
        RowsOfB<T> rows_of_b{b, p.b_row};
        tile_multiply<T, kTileRows, kTileVecs>(acc, p.depth, column, rows_of_b);
        tile_store<T, kTileRows, kTileVecs>(acc, out);
      } else {
        run_tile<T>(rows, p.depth, reader, RowsOfB<T>{b, p.b_row}, out);
      }
      b += strips.b_strip;
      out.c += kTileCols<T>;
      if (out.col_bias) out.col_bias += kTileCols<T>;
    }
    if (left > 0) {
      out.cols = static_cast<int>(left);
      const int64_t width = (left + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
      run_tile<T>(rows, p.depth, reader, RowsOfB<T>{static_cast<const T*>(strips.b_edge), width},
                  out);
    }
  }
}

template <class T, class A, class B = RowsOfB<T>>
CR_INLINE void multiply_tiles(const StripProduct& strips, int64_t first) {
  const Product& p = strips.product;
  if (p.depth <= kShortDepth && first == 0 && !strips.a_panel) return multiply_short<T, A>(strips);
  const int64_t panels = panel_count(p.rows);
  for (int64_t col = first; col < p.cols; col += kTileCols<T>) {
    for (int64_t panel = 0; panel < panels; ++panel) {
      multiply_tile<T, A, B>(strips, col, panel, panels);
    }
  }
}

// Enough accumulators to hide the latency of a multiply-add: rows x vectors >= 8.
constexpr int kThinRows = 3;
constexpr int thin_vecs(int rows) { return rows == 1 ? 8 : 4; }

// Several strips side by side.
template <class T>
struct StripsOfB {
  const T* p;
  int64_t strip, row;
  Vec<T> operator()(int j) const {
    return load(p + j / kTileVecs * strip + j % kTileVecs * kLanes<T>);
  }
  void next() { p += row; }
};

// The columns of as many strips at a time as few rows need, while there are so many; returns the
// first column that is left.
template <class T, int Rows>
CR_INLINE int64_t multiply_thin(const StripProduct& strips) {
  constexpr int kVecs = thin_vecs(Rows), kCols = kVecs * kLanes<T>;
  static_assert(kVecs % kTileVecs == 0, "whole strips");
  const Product& p = strips.product;
  const RowsOfA<T> a{static_cast<const T*>(p.a), p.a_row, p.a_col};
  TileOutput<T> out{static_cast<T*>(p.c),
                    p.c_row,
                    kCols,
                    p.accumulate,
                    static_cast<const T*>(p.row_bias),
                    static_cast<const T*>(p.col_bias),
                    p.rectify};
  int64_t col = 0;
  for (; col + kCols <= p.cols; col += kCols, out.c += kCols) {
    const T* b = static_cast<const T*>(p.b) + col / kTileCols<T> * strips.b_strip;
    tile<T, Rows, kVecs>(p.depth, a, StripsOfB<T>{b, strips.b_strip, p.b_row}, out);
    if (out.col_bias) out.col_bias += kCols;
  }
  return col;
}

template <class T>
__attribute__((noinline)) void multiply(const StripProduct& strips) {
  const Product& p = strips.product;
  int64_t col = 0;
  if (strips.a_panel) {  // as it is packed
  } else if (p.rows == 1) {
    col = multiply_thin<T, 1>(strips);
  } else if (p.rows == 2) {
    col = multiply_thin<T, 2>(strips);
  } else if (p.rows == 3) {
    col = multiply_thin<T, 3>(strips);
  }
  if (strips.a_panel || p.a_row == 1) {
    multiply_tiles<T, ColumnsOfA<T>>(strips, col);
  } else if (strips.far) {
    multiply_tiles<T, RowsOfA<T>, FarRowsOfB<T>>(strips, col);
  } else {
    multiply_tiles<T, RowsOfA<T>>(strips, col);
  }
}

// ---------------------------------------------------------------- packing

constexpr int64_t kPackStrips = 8;

// One row of a strip: `cols` values padded to `width`.
template <class T>
CR_INLINE void pack_row(T* to, const T* b, int cols, int width) {
  for (int j = 0; j < width; j += kLanes<T>) {
    store(to + j, cols - j >= kLanes<T> ? load(b + j) : load_partial(b + j, cols - j));
  }
}

// One strip whose columns are contiguous along the depth.
template <class T>
CR_INLINE void pack_columns(T* to, const T* b, int64_t b_col, int64_t depth, int cols, int width) {
  for (int j = 0; j < width; j += kLanes<T>) {
    const int n = cols - j < kLanes<T> ? cols - j : kLanes<T>;
    for (int64_t k = 0; k < depth; k += kLanes<T>) {
      const int m = depth - k < kLanes<T> ? static_cast<int>(depth - k) : kLanes<T>;
      Vec<T> v[kLanes<T>];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes<T>; ++i) {
        const T* p = b + (j + i) * b_col + k;
        v[i] = i >= n ? Vec<T>{} : m == kLanes<T> ? load(p) : load_partial(p, m);
      }
      transpose<T>(v);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes<T>; ++i) {
        if (i < m) store(to + (k + i) * width + j, v[i]);
      }
    }
  }
}

template <class T>
CR_INLINE void pack_strip(T* to, const T* b, int64_t b_row, int64_t b_col, int64_t depth, int cols,
                          int width) {
  if (b_col == 1) {
    for (int64_t k = 0; k < depth; ++k) pack_row(to + k * width, b + k * b_row, cols, width);
  } else if (b_row == 1) {
    pack_columns(to, b, b_col, depth, cols, width);
  } else {
    for (int64_t k = 0; k < depth; ++k) {
      for (int j = 0; j < width; ++j) {
        to[k * width + j] = j < cols ? b[k * b_row + j * b_col] : T(0);
      }
    }
  }
}

template <class T>
__attribute__((noinline)) void pack(void* strips, const void* from, int64_t b_row, int64_t b_col,
                                    int64_t depth, int64_t cols) {
  const T* b = static_cast<const T*>(from);
  T* to = static_cast<T*>(strips);
  const int64_t strip = depth * kTileCols<T>;
  int64_t col = 0;
  if (b_col == 1) {  // a few strips at a time: long stretches of each row of B
    while (cols - col >= kTileCols<T>) {
      const int64_t left = (cols - col) / kTileCols<T>;
      const int64_t count = left < kPackStrips ? left : kPackStrips;
      for (int64_t k = 0; k < depth; ++k) {
        for (int64_t s = 0; s < count; ++s) {
          pack_row(to + s * strip + k * kTileCols<T>, b + k * b_row + col + s * kTileCols<T>,
                   kTileCols<T>, kTileCols<T>);
        }
      }
      col += count * kTileCols<T>;
      to += count * strip;
    }
  }
  for (; col < cols; col += kTileCols<T>, to += strip) {
    const int n = cols - col < kTileCols<T> ? static_cast<int>(cols - col) : kTileCols<T>;
    const int width = (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    pack_strip(to, b + col * b_col, b_row, b_col, depth, n, width);
  }
}

template <class T>
void pack_a(void* panels, const Product& p) {
  const T* a = static_cast<const T*>(p.a);
  T* to = static_cast<T*>(panels);
  const int64_t count = panel_count(p.rows);
  for (int64_t panel = 0; panel < count; ++panel, to += p.depth * kPanelPitch<T>) {
    const int64_t row = panel_begin(panel, count, p.rows);
    const int rows = static_cast<int>(panel_begin(panel + 1, count, p.rows) - row);
    pack_strip(to, a + row * p.a_row, p.a_col, p.a_row, p.depth, rows, kPanelPitch<T>);
  }
}

// ---------------------------------------------------------------- few rows

// The last columns of B, fewer than a vector.
template <class T>
struct PartialRowsOfB {
  const T* p;
  int64_t row;
  int n;
  Vec<T> operator()(int) const { return load_partial(p, n); }
  void next() { p += row; }
};

template <class T, int Rows>
CR_INLINE void thin_rows(const Product& p) {
  constexpr int kVecs = thin_vecs(Rows);
  const RowsOfA<T> a{static_cast<const T*>(p.a), p.a_row, p.a_col};
  const T* b = static_cast<const T*>(p.b);
  TileOutput<T> out{static_cast<T*>(p.c),
                    p.c_row,
                    kVecs * kLanes<T>,
                    p.accumulate,
                    static_cast<const T*>(p.row_bias),
                    static_cast<const T*>(p.col_bias)};
  int64_t left = p.cols;
  const auto advance = [&](int n) {
    left -= n;
    b += n;
    out.c += n;
    if (out.col_bias) out.col_bias += n;
  };
  for (; left >= kVecs * kLanes<T>; advance(kVecs * kLanes<T>)) {
    tile<T, Rows, kVecs>(p.depth, a, RowsOfB<T>{b, p.b_row}, out);
  }
  if (left >= kVecs / 2 * kLanes<T>) {
    out.cols = kVecs / 2 * kLanes<T>;
    tile<T, Rows, kVecs / 2>(p.depth, a, RowsOfB<T>{b, p.b_row}, out);
    advance(kVecs / 2 * kLanes<T>);
  }
  out.cols = kLanes<T>;
  for (; left >= kLanes<T>; advance(kLanes<T>)) {
    tile<T, Rows, 1>(p.depth, a, RowsOfB<T>{b, p.b_row}, out);
  }
  if (left > 0) {
    out.cols = static_cast<int>(left);
    tile<T, Rows, 1>(p.depth, a, PartialRowsOfB<T>{b, p.b_row, out.cols}, out);
  }
}

template <class T>
CR_INLINE void thin_block(const Product& p) {
  switch (p.rows) {
    case 1: return thin_rows<T, 1>(p);
    case 2: return thin_rows<T, 2>(p);
    default: return thin_rows<T, 3>(p);
  }
}

// A large B comes from memory: a few rows at a time are as many streams to fetch ahead. Narrow rows
// are one stream as they are.
constexpr int64_t kCachedBytes = 1024 * 1024, kStreams = 8, kNarrowVecs = 8;

template <class T>
void thin(const Product& p) {
  const bool cached = p.depth * p.cols * static_cast<int64_t>(sizeof(T)) <= kCachedBytes;
  const int64_t step = cached || p.b_row <= kNarrowVecs * kLanes<T> ? p.depth : kStreams;
  Product block = p;
  for (int64_t k = 0; k < p.depth; k += step) {
    block.depth = p.depth - k < step ? p.depth - k : step;
    thin_block<T>(block);
    block.a = static_cast<const T*>(block.a) + step * p.a_col;
    block.b = static_cast<const T*>(block.b) + step * p.b_row;
    block.accumulate = true;
    block.row_bias = block.col_bias = nullptr;
  }
}

// ---------------------------------------------------------------- dot products

// Out of line: it would be unrolled.
template <class T>
__attribute__((noinline)) void store_dots(const T* sums, int rows, int cols, const Product& p,
                                          int64_t row, int64_t col) {
  for (int i = 0; i < rows && row + i < p.rows; ++i) {
    for (int j = 0; j < cols && col + j < p.cols; ++j) {
      T& c = static_cast<T*>(p.c)[(row + i) * p.c_row + col + j];
      T x = sums[i * cols + j];
      if (p.accumulate) x += c;
      if (p.row_bias) x += static_cast<const T*>(p.row_bias)[row + i];
      if (p.col_bias) x += static_cast<const T*>(p.col_bias)[col + j];
      c = x;
    }
  }
}

// Rows x Cols dot products at once, of which the first `rows` x `cols` are written. The surplus
// rows and columns repeat the last one.
template <class T, int Rows, int Cols>
CR_INLINE void dot_tile(const Product& p, int64_t row, int64_t col) {
  constexpr int kSums = Rows * Cols;
  const T* a[Rows];
  const T* b[Cols];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
    const int64_t r = row + i < p.rows ? row + i : p.rows - 1;
    a[i] = static_cast<const T*>(p.a) + r * p.a_row;
  }
#pragma GCC unroll 16
  for (int j = 0; j < Cols; ++j) {
    const int64_t c = col + j < p.cols ? col + j : p.cols - 1;
    b[j] = static_cast<const T*>(p.b) + c * p.b_col;
  }
  // Sums are taken of whole groups of `lanes` accumulators.
  constexpr int kPadded = (kSums + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  Vec<T> acc[kPadded];
#pragma GCC unroll 16
  for (int i = 0; i < kPadded; ++i) acc[i] = Vec<T>{};
  const auto step = [&](int64_t k, auto&& read) __attribute__((always_inline)) {
    Vec<T> x[Rows];
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) x[i] = read(a[i] + k);
#pragma GCC unroll 16
    for (int j = 0; j < Cols; ++j) {
      const Vec<T> y = read(b[j] + k);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i) acc[i * Cols + j] += x[i] * y;
    }
  };
  int64_t k = 0;
  for (; k + kLanes<T> <= p.depth; k += kLanes<T>) {
    step(k, [](const T* x) __attribute__((always_inline)) { return load(x); });
  }
  if (k < p.depth) {
    const int n = static_cast<int>(p.depth - k);
    step(k, [n](const T* x) __attribute__((always_inline)) { return load_partial(x, n); });
  }
  T sums[kPadded];
#pragma GCC unroll 16
  for (int i = 0; i < kPadded; i += kLanes<T>) {
    Vec<T> group[kLanes<T>];
#pragma GCC unroll 16
    for (int l = 0; l < kLanes<T>; ++l) group[l] = acc[i + l];
    store(sums + i, sums_of_lanes<T>(group));
  }
  store_dots<T>(sums, Rows, Cols, p, row, col);
}

// One dot product: eight accumulators hide the latency of a multiply-add.
template <class T>
void dot(const Product& p) {
  constexpr int kChains = 8;
  const T* a = static_cast<const T*>(p.a);
  const T* b = static_cast<const T*>(p.b);
  Vec<T> acc[kChains];
#pragma GCC unroll 8
  for (int i = 0; i < kChains; ++i) acc[i] = Vec<T>{};
  int64_t k = 0;
  for (; k + kChains * kLanes<T> <= p.depth; k += kChains * kLanes<T>) {
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) {
      acc[i] += load(a + k + i * kLanes<T>) * load(b + k + i * kLanes<T>);
    }
  }
  for (; k + kLanes<T> <= p.depth; k += kLanes<T>) acc[0] += load(a + k) * load(b + k);
  if (k < p.depth) {
    const int n = static_cast<int>(p.depth - k);
    acc[1] += load_partial(a + k, n) * load_partial(b + k, n);
  }
#pragma GCC unroll 4
  for (int n = kChains / 2; n > 0; n /= 2) {
#pragma GCC unroll 4
    for (int i = 0; i < n; ++i) acc[i] += acc[i + n];
  }
  T x = sum_lanes<T>(acc[0]);
  T& c = *static_cast<T*>(p.c);
  if (p.accumulate) x += c;
  if (p.row_bias) x += *static_cast<const T*>(p.row_bias);
  if (p.col_bias) x += *static_cast<const T*>(p.col_bias);
  c = x;
}

// Sums of a few products each, one row: no vectors.
constexpr int64_t kFewProducts = 4;

template <class T, int Depth>
void dots_of(const Product& p) {
  const T* a = static_cast<const T*>(p.a);
  T* c = static_cast<T*>(p.c);
  for (int64_t j = 0; j < p.cols; ++j) {
    const T* b = static_cast<const T*>(p.b) + j * p.b_col;
    T x = a[0] * b[0];
#pragma GCC unroll 4
    for (int k = 1; k < Depth; ++k) x += a[k] * b[k];
    if (p.accumulate) x += c[j];
    if (p.row_bias) x += *static_cast<const T*>(p.row_bias);
    if (p.col_bias) x += static_cast<const T*>(p.col_bias)[j];
    c[j] = x;
  }
}

// One row by few values each: the sums of as many products as a vector has lanes cost one tree.
constexpr int64_t kShortDots = 64;

template <class T>
__attribute__((noinline)) void dots(const Product& p) {
  constexpr int kRows = CR_VEC_BYTES == 64 ? 4 : 2, kCols = 4;
  if (p.rows == 1 && p.depth <= kFewProducts) {
    return p.depth == 2 ? dots_of<T, 2>(p) : p.depth == 3 ? dots_of<T, 3>(p) : dots_of<T, 4>(p);
  }
  if (p.rows == 1 && p.cols == 1) return dot<T>(p);
  int64_t col = 0;
  if (p.rows == 1 && p.depth <= kShortDots) {
    for (; col + kLanes<T> / 2 < p.cols; col += kLanes<T>) dot_tile<T, 1, kLanes<T>>(p, 0, col);
  }
  for (; col < p.cols; col += kCols) {
    int64_t row = 0;
    for (; row + 1 < p.rows; row += kRows) dot_tile<T, kRows, kCols>(p, row, col);
    if (row < p.rows) dot_tile<T, 1, kCols>(p, row, col);
  }
}

template <class T>
void transposed_copy(void* to, const void* from, int64_t from_row, int64_t rows, int64_t cols) {
  transpose_array<T, false>(static_cast<const T*>(from), from_row, rows, cols, static_cast<T*>(to),
                            rows);
}

// ---------------------------------------------------------------- batches of small products

constexpr int kSmallValues = 2048, kSmallDots = 12;
constexpr int64_t kMasked = 1024;  // multiply-adds, fewer than the work of packing edges

template <class T, int Rows>
CR_INLINE void small_rows(const Product& p, const T* a, const T* b, int64_t b_row, T* c) {
  for (int64_t j = 0; j < p.cols; j += kLanes<T>) {
    const int n = p.cols - j < kLanes<T> ? static_cast<int>(p.cols - j) : kLanes<T>;
    Vec<T> acc[Rows];
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) acc[i] = Vec<T>{};
    for (int64_t k = 0; k < p.depth; ++k) {
      const Vec<T> row =
          n < kLanes<T> ? load_partial(b + k * b_row + j, n) : load(b + k * b_row + j);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) acc[i] += splat(a[i * p.a_row + k * p.a_col]) * row;
    }
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) store_partial(c + i * p.c_row + j, acc[i], n);
  }
}

template <class T>
CR_INLINE void small_product(const Product& p) {
  const T* a = static_cast<const T*>(p.a);
  const T* b = static_cast<const T*>(p.b);
  T* c = static_cast<T*>(p.c);
  int64_t b_row = p.b_row;
  T rows_of_b[kSmallValues];
  if (p.b_col != 1) {
    b_row = p.cols;
    for (int64_t k = 0; k < p.depth; ++k) {
      for (int64_t j = 0; j < p.cols; ++j) rows_of_b[k * b_row + j] = b[k * p.b_row + j * p.b_col];
    }
    b = rows_of_b;
  }
  const int64_t rows = p.rows, c_row = p.c_row;
  int64_t row = 0;
  for (; rows - row >= 8; row += 8) {
    small_rows<T, 8>(p, a + row * p.a_row, b, b_row, c + row * c_row);
  }
  if (rows - row >= 4) {
    small_rows<T, 4>(p, a + row * p.a_row, b, b_row, c + row * c_row);
    row += 4;
  }
  if (rows - row >= 2) {
    small_rows<T, 2>(p, a + row * p.a_row, b, b_row, c + row * c_row);
    row += 2;
  }
  if (rows > row) small_rows<T, 1>(p, a + row * p.a_row, b, b_row, c + row * c_row);
}

template <class T>
CR_INLINE void small_strips(const Product& p) {
  T packed[kSmallValues];
  if (p.b_col != 1) {
    pack<T>(packed, p.b, p.b_row, p.b_col, p.depth, p.cols);
    StripProduct strips{p, p.depth * kTileCols<T>,
                        packed + p.cols / kTileCols<T> * p.depth * kTileCols<T>};
    strips.product.b = packed;
    strips.product.b_row = kTileCols<T>;
    strips.product.b_col = 1;
    return multiply<T>(strips);
  }
  const int64_t edge = p.cols % kTileCols<T>;
  if (edge != 0) {
    pack<T>(packed, static_cast<const T*>(p.b) + p.cols - edge, p.b_row, 1, p.depth, edge);
  }
  multiply<T>(StripProduct{p, kTileCols<T>, packed});
}

template <class T>
void small(const SmallProducts& products) {
  Product p = products.product;
  const bool by_dots = p.rows == 1 && p.a_col == 1 && p.b_row == 1 &&
                       (p.depth >= kSmallDots || (p.depth > 1 && p.depth <= kFewProducts));
  const bool masked = p.rows * p.cols * p.depth <= kMasked;
  for (int64_t i = 0; i < products.count; ++i) {
    by_dots ? dots<T>(p) : masked ? small_product<T>(p) : small_strips<T>(p);
    p.a = static_cast<const T*>(p.a) + products.a_step;
    p.b = static_cast<const T*>(p.b) + products.b_step;
    p.c = static_cast<T*>(p.c) + products.c_step;
  }
}

// ---------------------------------------------------------------- the definition

template <class T>
void by_definition(const Product& p) {
  const T* a = static_cast<const T*>(p.a);
  const T* b = static_cast<const T*>(p.b);
  for (int64_t i = 0; i < p.rows; ++i) {
    T* c = static_cast<T*>(p.c) + i * p.c_row;
    for (int64_t j = 0; j < p.cols; ++j) {
      T x = p.accumulate ? c[j] : T(0);
      if (p.row_bias) x += static_cast<const T*>(p.row_bias)[i];
      if (p.col_bias) x += static_cast<const T*>(p.col_bias)[j];
      for (int64_t k = 0; k < p.depth; ++k) {
        x += a[i * p.a_row + k * p.a_col] * b[k * p.b_row + j * p.b_col];
      }
      c[j] = x;
    }
  }
}

// T is unsigned: its arithmetic wraps around and has the bits of the signed type's.
template <class T, int Rows>
CR_INLINE void integer_rows(const Product& p, int64_t row) {
  const RowsOfA<T> a{static_cast<const T*>(p.a) + row * p.a_row, p.a_row, p.a_col};
  const T* b = static_cast<const T*>(p.b);
  const T* row_bias = static_cast<const T*>(p.row_bias);
  TileOutput<T> out{static_cast<T*>(p.c) + row * p.c_row,
                    p.c_row,
                    4 * kLanes<T>,
                    p.accumulate,
                    row_bias ? row_bias + row : nullptr,
                    static_cast<const T*>(p.col_bias)};
  for (int64_t left = p.cols; left > 0; left -= out.cols) {
    if (left >= 4 * kLanes<T>) {
      tile<T, Rows, 4>(p.depth, a, RowsOfB<T>{b, p.b_row}, out);
    } else {
      out.cols = left < kLanes<T> ? static_cast<int>(left) : kLanes<T>;
      if (out.cols == kLanes<T>) {
        tile<T, Rows, 1>(p.depth, a, RowsOfB<T>{b, p.b_row}, out);
      } else {
        tile<T, Rows, 1>(p.depth, a, PartialRowsOfB<T>{b, p.b_row, out.cols}, out);
      }
    }
    b += out.cols;
    out.c += out.cols;
    if (out.col_bias) out.col_bias += out.cols;
  }
}

template <class T>
CR_INLINE void integer_block(const Product& p) {
  int64_t row = 0;
  for (; row + 3 <= p.rows; row += 3) integer_rows<T, 3>(p, row);
  for (; row < p.rows; ++row) integer_rows<T, 1>(p, row);
}

template <class T>
CR_INLINE void integer_dots(const Product& p) {
  for (int64_t j = 0; j < p.cols; ++j) {
    const T* a = static_cast<const T*>(p.a);
    const T* b = static_cast<const T*>(p.b) + j * p.b_col;
    T x = 0;
    for (int64_t k = 0; k < p.depth; ++k) x = static_cast<T>(x + 1u * a[k] * b[k]);
    T& c = static_cast<T*>(p.c)[j];
    if (p.accumulate) x = static_cast<T>(x + c);
    if (p.row_bias) x = static_cast<T>(x + *static_cast<const T*>(p.row_bias));
    if (p.col_bias) x = static_cast<T>(x + static_cast<const T*>(p.col_bias)[j]);
    c = x;
  }
}

// B whose rows are not contiguous is copied block by block.
template <class T>
void integers(const Product& p) {
  if (p.b_col == 1 || p.depth == 0) return integer_block<T>(p);
  if (p.rows == 1 && p.a_col == 1 && p.b_row == 1) return integer_dots<T>(p);
  constexpr int64_t kCols = 4 * kLanes<T>, kDepth = 64;
  T rows_of_b[kDepth * kCols];
  const T* b = static_cast<const T*>(p.b);
  for (int64_t j = 0; j < p.cols; j += kCols) {
    Product block = p;
    block.cols = p.cols - j < kCols ? p.cols - j : kCols;
    block.b = rows_of_b;
    block.b_row = block.cols;
    block.b_col = 1;
    block.c = static_cast<T*>(p.c) + j;
    if (p.col_bias) block.col_bias = static_cast<const T*>(p.col_bias) + j;
    for (int64_t k = 0; k < p.depth; k += kDepth) {
      block.depth = p.depth - k < kDepth ? p.depth - k : kDepth;
      block.a = static_cast<const T*>(p.a) + k * p.a_col;
      for (int64_t l = 0; l < block.depth; ++l) {
        for (int64_t i = 0; i < block.cols; ++i) {
          rows_of_b[l * block.cols + i] = b[(k + l) * p.b_row + (j + i) * p.b_col];
        }
      }
      integer_block<T>(block);
      block.accumulate = true;
      block.row_bias = block.col_bias = nullptr;
    }
  }
}

template <class T>
constexpr GemmKernels gemm_kernels() {
  GemmKernels kernels{};
  kernels.tile_rows = kTileRows;
  kernels.tile_cols = kTileCols<T>;
  kernels.lanes = kLanes<T>;
  kernels.block_depth = 512;
  kernels.block_cols = 8192 / static_cast<int64_t>(sizeof(T));
  kernels.chunk_rows = 576 / static_cast<int64_t>(sizeof(T));
  kernels.flops_per_ns = 12.5 * kLanes<T>;
  kernels.multiply = multiply<T>;
  kernels.pack = pack<T>;
  kernels.panel_pitch = kPanelPitch<T>;
  kernels.pack_a = pack_a<T>;
  kernels.thin_rows = kThinRows;
  kernels.thin = thin<T>;
  kernels.dots = dots<T>;
  kernels.transpose = transposed_copy<T>;
  kernels.small_values = kSmallValues;
  kernels.small = small<T>;
  return kernels;
}

}  // namespace

extern constexpr MatmulTable matmul_table = {
    {gemm_kernels<float>(), gemm_kernels<double>()},
    {nullptr, integers<uint8_t>, integers<uint16_t>, integers<uint32_t>, integers<uint64_t>,
     integers<uint8_t>, integers<uint16_t>, integers<uint32_t>, integers<uint64_t>, nullptr,
     nullptr, by_definition<float>, by_definition<double>}};

}  // namespace CR_ISA
}  // namespace cr

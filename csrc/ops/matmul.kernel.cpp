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
CR_INLINE void multiply_strip(const StripProduct& strips, const T* b, int64_t b_row, int64_t col,
                              int cols) {
  const Product& p = strips.product;
  const T* a = static_cast<const T*>(p.a);
  const T* row_bias = static_cast<const T*>(p.row_bias);
  const T* col_bias = static_cast<const T*>(p.col_bias);
  const int64_t panels = panel_count(p.rows);
  for (int64_t panel = 0; panel < panels; ++panel) {
    const int64_t row = panel_begin(panel, panels, p.rows);
    const int rows = static_cast<int>(panel_begin(panel + 1, panels, p.rows) - row);
    const TileOutput<T> out{static_cast<T*>(p.c) + row * p.c_row + col,
                            p.c_row,
                            cols,
                            p.accumulate,
                            row_bias ? row_bias + row : nullptr,
                            col_bias ? col_bias + col : nullptr};
    if constexpr (A::kByColumns) {
      const A reader =
          strips.a_panel ? A{a + panel * strips.a_panel, kPanelPitch<T>} : A{a + row, p.a_col};
      run_tile<T>(rows, p.depth, reader, RowsOfB<T>{b, b_row}, out);
    } else {
      run_tile<T>(rows, p.depth, A{a + row * p.a_row, p.a_row, p.a_col}, B{b, b_row}, out);
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
                    static_cast<const T*>(p.col_bias)};
  int64_t col = 0;
  for (; col + kCols <= p.cols; col += kCols, out.c += kCols) {
    const T* b = static_cast<const T*>(p.b) + col / kTileCols<T> * strips.b_strip;
    tile<T, Rows, kVecs>(p.depth, a, StripsOfB<T>{b, strips.b_strip, p.b_row}, out);
    if (out.col_bias) out.col_bias += kCols;
  }
  return col;
}

template <class T>
void multiply(const StripProduct& strips) {
  const Product& p = strips.product;
  const T* b = static_cast<const T*>(strips.product.b);
  int64_t col = 0;
  if (strips.a_panel) {  // as it is packed
  } else if (p.rows == 1) {
    col = multiply_thin<T, 1>(strips);
  } else if (p.rows == 2) {
    col = multiply_thin<T, 2>(strips);
  } else if (p.rows == 3) {
    col = multiply_thin<T, 3>(strips);
  }
  for (; col < p.cols; col += kTileCols<T>) {
    const bool whole = p.cols - col >= kTileCols<T>;
    const int cols = whole ? kTileCols<T> : static_cast<int>(p.cols - col);
    const T* strip =
        whole ? b + col / kTileCols<T> * strips.b_strip : static_cast<const T*>(strips.b_edge);
    const int64_t row = whole ? p.b_row : (cols + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    if (strips.a_panel || p.a_row == 1) {
      multiply_strip<T, ColumnsOfA<T>>(strips, strip, row, col, cols);
    } else if (strips.far && whole) {
      multiply_strip<T, RowsOfA<T>, FarRowsOfB<T>>(strips, strip, row, col, cols);
    } else {
      multiply_strip<T, RowsOfA<T>>(strips, strip, row, col, cols);
    }
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
void pack(void* strips, const void* from, int64_t b_row, int64_t b_col, int64_t depth,
          int64_t cols) {
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

constexpr int kDotCols = 4;

// Sums of the lanes of each of lanes vectors: the transposing tree adds as it shuffles.
template <class T>
CR_INLINE Vec<T> sum_lanes(Vec<T>* v) {
#pragma GCC unroll 4
  for (int n = kLanes<T> / 2; n > 0; n /= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) {
      v[i] = interleave<T>(v[i], v[i + n], 0) + interleave<T>(v[i], v[i + n], kLanes<T> / 2);
    }
  }
  return v[0];
}

// Rows x kDotCols dot products at once, of which the first `rows` x `cols` are written. The
// surplus rows and columns repeat the last one.
template <class T, int Rows>
CR_INLINE void dot_tile(const Product& p, int64_t row, int64_t col) {
  // The tree takes whole groups of `lanes` sums.
  constexpr int kSums = Rows * kDotCols;
  constexpr int kPadded = (kSums + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  const T* a[Rows];
  const T* b[kDotCols];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
    const int64_t r = row + i < p.rows ? row + i : p.rows - 1;
    a[i] = static_cast<const T*>(p.a) + r * p.a_row;
  }
#pragma GCC unroll 4
  for (int j = 0; j < kDotCols; ++j) {
    const int64_t c = col + j < p.cols ? col + j : p.cols - 1;
    b[j] = static_cast<const T*>(p.b) + c * p.b_col;
  }
  Vec<T> acc[kPadded];
#pragma GCC unroll 16
  for (int i = 0; i < kPadded; ++i) acc[i] = Vec<T>{};
  const auto step = [&](int64_t k, auto&& read) __attribute__((always_inline)) {
    Vec<T> y[kDotCols];
#pragma GCC unroll 4
    for (int j = 0; j < kDotCols; ++j) y[j] = read(b[j] + k);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      const Vec<T> x = read(a[i] + k);
#pragma GCC unroll 4
      for (int j = 0; j < kDotCols; ++j) acc[i * kDotCols + j] += x * y[j];
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
  for (int i = 0; i < kPadded; i += kLanes<T>) store(sums + i, sum_lanes<T>(acc + i));
  for (int i = 0; i < Rows && row + i < p.rows; ++i) {
    for (int j = 0; j < kDotCols && col + j < p.cols; ++j) {
      T& c = static_cast<T*>(p.c)[(row + i) * p.c_row + col + j];
      T x = sums[i * kDotCols + j];
      if (p.accumulate) x += c;
      if (p.row_bias) x += static_cast<const T*>(p.row_bias)[row + i];
      if (p.col_bias) x += static_cast<const T*>(p.col_bias)[col + j];
      c = x;
    }
  }
}

template <class T>
void dots(const Product& p) {
  constexpr int kRows = CR_VEC_BYTES == 64 ? 4 : 2;
  for (int64_t col = 0; col < p.cols; col += kDotCols) {
    int64_t row = 0;
    for (; row + 1 < p.rows; row += kRows) dot_tile<T, kRows>(p, row, col);
    if (row < p.rows) dot_tile<T, 1>(p, row, col);
  }
}

// ---------------------------------------------------------------- the definition

// Sums of integers wrap around, as unsigned arithmetic does.
template <class T>
struct SumOf {
  using type = uint64_t;
};
template <>
struct SumOf<float> {
  using type = float;
};
template <>
struct SumOf<double> {
  using type = double;
};

template <class T>
void naive(const Product& p) {
  using Sum = typename SumOf<T>::type;
  const T* a = static_cast<const T*>(p.a);
  const T* b = static_cast<const T*>(p.b);
  const T* row_bias = static_cast<const T*>(p.row_bias);
  const T* col_bias = static_cast<const T*>(p.col_bias);
  for (int64_t i = 0; i < p.rows; ++i) {
    T* c = static_cast<T*>(p.c) + i * p.c_row;
    for (int64_t j = 0; j < p.cols; ++j) {
      Sum x = p.accumulate ? static_cast<Sum>(c[j]) : Sum(0);
      if (row_bias) x += static_cast<Sum>(row_bias[i]);
      if (col_bias) x += static_cast<Sum>(col_bias[j]);
      c[j] = static_cast<T>(x);
    }
    for (int64_t k = 0; k < p.depth; ++k) {
      const Sum x = static_cast<Sum>(a[i * p.a_row + k * p.a_col]);
      const T* row = b + k * p.b_row;
      if (p.b_col == 1) {
        for (int64_t j = 0; j < p.cols; ++j) {
          c[j] = static_cast<T>(static_cast<Sum>(c[j]) + x * static_cast<Sum>(row[j]));
        }
      } else {
        for (int64_t j = 0; j < p.cols; ++j) {
          c[j] = static_cast<T>(static_cast<Sum>(c[j]) + x * static_cast<Sum>(row[j * p.b_col]));
        }
      }
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
  return kernels;
}

}  // namespace

extern constexpr MatmulTable matmul_table = {
    {gemm_kernels<float>(), gemm_kernels<double>()},
    {nullptr, naive<uint8_t>, naive<uint16_t>, naive<uint32_t>, naive<uint64_t>, naive<int8_t>,
     naive<int16_t>, naive<int32_t>, naive<int64_t>, nullptr, nullptr, naive<float>,
     naive<double>}};

}  // namespace CR_ISA
}  // namespace cr

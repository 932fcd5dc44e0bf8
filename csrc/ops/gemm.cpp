#include "ops/gemm.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <type_traits>

#include "core/parallel.h"
#include "core/rounding.h"

namespace cr {
namespace {

constexpr size_t kAlign = 64;

size_t align(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

template <class Pointer>
Pointer advance(Pointer p, int64_t bytes) {
  using Byte =
      std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
  return p ? static_cast<Byte*>(p) + bytes : nullptr;
}

// Part i of n cut into `parts` as even as can be.
int64_t cut(int64_t i, int64_t parts, int64_t n) { return i * n / parts; }

// What one matrix product needs to know beyond its operands.
struct Context {
  const GemmKernels& kernels;
  int64_t size;  // of an element, in bytes
  DType dtype;
  Activation activation;

  explicit Context(DType type, Activation applied = {})
      : kernels(matmul_table().gemm[type == DType::kFloat64]),
        size(itemsize(type)),
        dtype(type),
        activation(applied) {}

  // What is left to do once the elements of p's C are whole.
  void finish(const Product& p) const { activation.rows(p.c, p.rows, p.cols, p.c_row, size); }

  Product slice(Product p, int64_t row, int64_t rows, int64_t col, int64_t cols) const {
    p.a = advance(p.a, row * p.a_row * size);
    p.b = advance(p.b, col * p.b_col * size);
    p.c = advance(p.c, (row * p.c_row + col) * size);
    p.row_bias = advance(p.row_bias, row * size);
    p.col_bias = advance(p.col_bias, col * size);
    p.rows = rows;
    p.cols = cols;
    return p;
  }

  // An estimate of the time one thread takes: steers what is shared among threads, never a result.
  double nanoseconds(const Product& p) const {
    constexpr double kBytesPerNs = 25;
    const double m = static_cast<double>(p.rows), n = static_cast<double>(p.cols);
    const double k = static_cast<double>(p.depth), bytes = static_cast<double>(size);
    return std::max(2 * m * n * k / kernels.flops_per_ns,
                    (m * k + k * n + m * n) * bytes / kBytesPerNs);
  }

  // Panels of A in L2 at a time.
  int64_t chunk_panels() const { return kernels.chunk_rows / kernels.tile_rows; }
  // What a worker needs to pack them.
  int64_t packed_a_bytes(int64_t depth) const {
    return chunk_panels() * depth * kernels.panel_pitch * size;
  }

  // Columns a strip of `cols` columns takes in packed form.
  int64_t padded(int64_t cols) const {
    const int64_t whole = cols / kernels.tile_cols * kernels.tile_cols;
    return whole + round_up(cols - whole, kernels.lanes);
  }
};

// ---------------------------------------------------------------- few rows, few columns

// Few columns fill less than half a vector: B is transposed where it is not yet.
constexpr int64_t kTransposedRows = 16;

bool dots_accepts(const Context& context, const Product& p) {
  if (p.a_col != 1 || p.depth <= 1) return false;
  const int64_t few = context.kernels.lanes / 2;
  if (p.b_row == 1) {
    return p.rows <= 2 || p.cols <= std::max<int64_t>(few, 4) ||
           (p.rows <= std::max(context.kernels.lanes, 4) && p.depth >= 32 * p.rows);
  }
  return p.b_col == 1 && p.cols <= few && p.rows >= kTransposedRows &&
         p.depth >= context.kernels.lanes;
}
size_t dots_workspace(const Context& context, const Product& p) {
  return p.b_row == 1 ? 0 : static_cast<size_t>(p.depth * p.cols * context.size);
}
bool thin_accepts(const Context& context, const Product& p) {
  return p.b_col == 1 && p.rows <= context.kernels.thin_rows;
}
size_t no_workspace(const Context&, const Product&) { return 0; }

void dots_run(const Context& context, const Product& given, char* workspace) {
  constexpr int64_t kGroup = 16;  // rows or columns, whichever are more
  Product p = given;
  if (p.b_row != 1) {
    context.kernels.transpose(workspace, p.b, p.b_row, p.depth, p.cols);
    p.b = workspace;
    p.b_row = 1;
    p.b_col = p.depth;
  }
  const bool by_rows = p.rows > p.cols;
  const int64_t size = by_rows ? p.rows : p.cols, groups = ceil_div(size, kGroup);
  parallel(groups, grain_for(context.nanoseconds(p) / static_cast<double>(groups)),
           [&](int64_t begin, int64_t end, int) {
             const int64_t first = begin * kGroup, count = std::min(end * kGroup, size) - first;
             const Product part = by_rows ? context.slice(p, first, count, 0, p.cols)
                                          : context.slice(p, 0, p.rows, first, count);
             context.kernels.dots(part);
             context.finish(part);
           });
}

void thin_run(const Context& context, const Product& p, char*) {
  const int64_t width = 2048 / context.size;  // stretches long enough to be fetched ahead
  const int64_t stretches = ceil_div(p.cols, width);
  parallel(stretches, grain_for(context.nanoseconds(p) / static_cast<double>(stretches)),
           [&](int64_t begin, int64_t end, int) {
             const int64_t col = begin * width, cols = std::min(end * width, p.cols) - col;
             const Product part = context.slice(p, 0, p.rows, col, cols);
             context.kernels.thin(part);
             context.finish(part);
           });
}

// ---------------------------------------------------------------- tiles over strips

// C is cut into runs of row panels by ranges of columns. A run keeps its part of A in L2 and is
// long enough to be worth fetching B for; more threads take narrower ranges before they take
// shorter runs. What a thread takes changes no result: the cut may depend on their number.
constexpr int64_t kRangeCols = 512, kChunksEach = 4;
constexpr double kChunkNanoseconds = 5000;

// Rows this far apart, or a multiple of it, share so few sets of L1 that more than a handful of
// them push each other out.
constexpr int64_t kCrowdedBytes = 2048, kHandful = 8;

bool crowded(const Context& context, int64_t stride) {
  return stride * context.size % kCrowdedBytes == 0;
}

// Few products an element of C, whose rows crowd the cache: a panel of them is written from end to
// end, so that its lines follow each other, where a strip would go down the rows.
bool writes_bound(const Context& context, const Product& p) {
  constexpr int64_t kFewSteps = 128;
  return p.depth <= kFewSteps && crowded(context, p.c_row);
}

// `packed_a`: null, or where each worker packs its run of A, once for all columns. `last`: nothing
// is added to these elements of C any more.
void multiply_strips(const Context& context, const StripProduct& strips, int64_t threads,
                     char* packed_a = nullptr, bool last = true) {
  const Product& p = strips.product;
  const GemmKernels& kernels = context.kernels;
  const int64_t tile_cols = kernels.tile_cols;
  const int64_t strip_count = ceil_div(p.cols, tile_cols);
  const int64_t panels = ceil_div(p.rows, kernels.tile_rows);
  const double ns = context.nanoseconds(p);
  const int64_t worth = static_cast<int64_t>(ns / kChunkNanoseconds);
  const int64_t wanted = threads == 1 ? 1 : std::min(kChunksEach * threads, worth);
  int64_t runs = ceil_div(panels, context.chunk_panels()), ranges = 1;
  if (!packed_a) {
    ranges = std::min(strip_count, std::max(ceil_div(p.cols, kRangeCols), ceil_div(wanted, runs)));
  }
  runs = std::max(runs, ceil_div(wanted, ranges));
  if (runs > 1) runs = round_up(runs, threads);  // so that all end together
  runs = std::min(runs, panels);
  const int64_t pieces = worth > 0 ? ranges * runs : 1;
  if (writes_bound(context, p)) {
    ranges = 1;
    runs = panels;
  }
  const int64_t chunks = ranges * runs;
  parallel(chunks, ceil_div(chunks, pieces), [&](int64_t begin, int64_t end, int worker) {
    char* memory = packed_a
                       ? packed_a + (threads == 1 ? 0 : worker) * context.packed_a_bytes(p.depth)
                       : nullptr;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t range = chunk / runs, run = chunk % runs;
      const int64_t row = cut(cut(run, runs, panels), panels, p.rows);
      const int64_t rows = cut(cut(run + 1, runs, panels), panels, p.rows) - row;
      const int64_t strip = cut(range, ranges, strip_count), col = strip * tile_cols;
      const int64_t stop = cut(range + 1, ranges, strip_count) * tile_cols;
      StripProduct part = strips;
      part.product = context.slice(p, row, rows, col, std::min(stop, p.cols) - col);
      part.product.b = advance(p.b, strip * strips.b_strip * context.size);
      if (packed_a) {
        kernels.pack_a(memory, part.product);
        part.product.a = memory;
        part.a_panel = p.depth * kernels.panel_pitch;
      }
      part.product.rectify = last && context.activation.relu;
      kernels.multiply(part);
      if (last && !context.activation.relu) context.finish(part.product);
    }
  });
}

// B read where it lies, but for a last narrow strip, which is padded.
constexpr int64_t kDirectBytes = 512 * 1024;

// A transposed whose rows crowd the cache, where few of a line's values belong to one panel.
bool packs_transposed(const Context& context, const Product& p) {
  return p.a_row == 1 && p.depth > kHandful && crowded(context, p.a_col) &&
         context.kernels.lanes * context.size < static_cast<int64_t>(kAlign);
}
size_t packed_a_workspace(const Context& context, int64_t depth, int64_t workers) {
  return static_cast<size_t>(workers * context.packed_a_bytes(depth));
}

bool direct_accepts(const Context& context, const Product& p) {
  if (p.b_col != 1) return false;
  if (p.rows <= 2 * context.kernels.tile_rows) return true;
  return p.depth * p.cols * context.size <= kDirectBytes &&
         (p.depth <= kHandful || !crowded(context, p.b_row));
}
size_t edge_bytes(const Context& context, const Product& p) {
  const int64_t edge = p.cols % context.kernels.tile_cols;
  return align(static_cast<size_t>(context.padded(edge) * p.depth * context.size));
}
size_t direct_a_bytes(const Context& context, const Product& p) {
  const bool pays = p.depth <= context.kernels.block_depth && packs_transposed(context, p);
  return pays ? packed_a_workspace(context, p.depth, max_workers()) : 0;
}
size_t direct_workspace(const Context& context, const Product& p) {
  return edge_bytes(context, p) + direct_a_bytes(context, p);
}
void direct_run(const Context& context, const Product& p, char* workspace) {
  const int64_t edge = p.cols % context.kernels.tile_cols;
  if (edge != 0) {
    context.kernels.pack(workspace, advance(p.b, (p.cols - edge) * context.size), p.b_row, 1,
                         p.depth, edge);
  }
  StripProduct strips{p, context.kernels.tile_cols, workspace};
  strips.far = p.depth * p.cols * context.size > kDirectBytes;
  const bool packed_a = direct_a_bytes(context, p) > 0;
  multiply_strips(context, strips, max_workers(),
                  packed_a ? workspace + edge_bytes(context, p) : nullptr);
}

// Blocks of B packed into strips, one after the other. A is packed as well where the work on it
// pays for that: rows far apart spread over too many pages and too few sets of the caches.
// Transposed it is read in place, unless its rows crowd the cache: they are short streams, slower
// to pack than to read.
// Of a large product each thread computes a part of its own, from operands it packed itself: what
// another thread has packed would come from that one's caches, and each would wait for the other.
struct Blocks {
  int64_t row_parts = 1, col_parts = 1;
  int64_t depth, cols;  // of the largest block of B
  int64_t depth_blocks;
  size_t b_bytes, a_bytes;  // a_bytes: of all workers on a part, 0 where A is read in place

  Blocks(const Context& context, const Product& p)
      : depth_blocks(ceil_div(p.depth, context.kernels.block_depth)) {
    const GemmKernels& kernels = context.kernels;
    const int64_t threads = max_workers();
    constexpr double kPartNanoseconds = 150e3;
    constexpr int64_t kPartBytes = 8 << 20;  // of B: packing A once for all pays beyond
    if (threads > 1 && p.depth * p.cols * context.size <= kPartBytes &&
        context.nanoseconds(p) >= kPartNanoseconds * static_cast<double>(threads)) {
      (p.rows > 2 * p.cols ? row_parts : col_parts) = threads;
    }
    depth = ceil_div(p.depth, depth_blocks);
    const int64_t strips = ceil_div(ceil_div(p.cols, kernels.tile_cols), col_parts);
    // Used by one run of A only, a block is best small.
    const int64_t most = p.rows <= kernels.chunk_rows ? kFewStrips * kernels.tile_cols
                                                      : static_cast<int64_t>(kernels.block_cols);
    cols = ceil_div(strips, ceil_div(strips * kernels.tile_cols, most)) * kernels.tile_cols;
    b_bytes =
        align(static_cast<size_t>(depth * std::min(cols, context.padded(p.cols)) * context.size));
    constexpr int64_t kPackedCols = 768;
    const bool pays = p.a_row != 1 && p.cols >= kPackedCols && p.rows >= kernels.chunk_rows;
    const int64_t packers = parts() > 1 ? 1 : threads;
    a_bytes =
        pays || packs_transposed(context, p) ? packed_a_workspace(context, depth, packers) : 0;
  }

  static constexpr int64_t kFewStrips = 8;

  int64_t parts() const { return row_parts * col_parts; }
  size_t bytes() const { return b_bytes + a_bytes; }  // of a part
};

bool any_accepts(const Context&, const Product&) { return true; }
size_t packed_workspace(const Context& context, const Product& p) {
  const Blocks blocks(context, p);
  return static_cast<size_t>(blocks.parts()) * blocks.bytes();
}
void packed_part(const Context& context, const Product& p, const Blocks& blocks, char* workspace) {
  const int64_t tile_cols = context.kernels.tile_cols;
  const int64_t threads = blocks.parts() > 1 ? 1 : max_workers();
  char* packed_a = blocks.a_bytes > 0 ? workspace + blocks.b_bytes : nullptr;
  for (int64_t col = 0; col < p.cols; col += blocks.cols) {
    const int64_t cols = std::min(blocks.cols, p.cols - col);
    for (int64_t block = 0; block < blocks.depth_blocks; ++block) {
      const int64_t k = cut(block, blocks.depth_blocks, p.depth);
      Product part = context.slice(p, 0, p.rows, col, cols);
      part.depth = cut(block + 1, blocks.depth_blocks, p.depth) - k;
      part.a = advance(part.a, k * p.a_col * context.size);
      part.b = advance(part.b, k * p.b_row * context.size);
      const int64_t strip = part.depth * tile_cols;
      parallel(ceil_div(cols, tile_cols), grain_for(static_cast<double>(strip) / 4),
               [&](int64_t begin, int64_t end, int) {
                 const int64_t first = begin * tile_cols;
                 const int64_t count = std::min(end * tile_cols, cols) - first;
                 context.kernels.pack(workspace + begin * strip * context.size,
                                      advance(part.b, first * p.b_col * context.size), p.b_row,
                                      p.b_col, part.depth, count);
               });
      part.b = workspace;
      part.b_row = tile_cols;
      part.b_col = 1;
      if (block > 0) {
        part.accumulate = true;
        part.row_bias = part.col_bias = nullptr;
      }
      const void* edge = workspace + cols / tile_cols * strip * context.size;
      multiply_strips(context, StripProduct{part, strip, edge}, threads, packed_a,
                      block + 1 == blocks.depth_blocks);
    }
  }
}
void packed_run(const Context& context, const Product& p, char* workspace) {
  const Blocks blocks(context, p);
  const int64_t panels = ceil_div(p.rows, context.kernels.tile_rows);
  const int64_t strips = ceil_div(p.cols, context.kernels.tile_cols);
  parallel(blocks.parts(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row_part = i / blocks.col_parts, col_part = i % blocks.col_parts;
      const int64_t row = cut(cut(row_part, blocks.row_parts, panels), panels, p.rows);
      const int64_t stop = cut(cut(row_part + 1, blocks.row_parts, panels), panels, p.rows);
      const int64_t col = cut(col_part, blocks.col_parts, strips) * context.kernels.tile_cols;
      const int64_t last = cut(col_part + 1, blocks.col_parts, strips) * context.kernels.tile_cols;
      packed_part(context, context.slice(p, row, stop - row, col, std::min(last, p.cols) - col),
                  blocks, workspace + static_cast<size_t>(i) * blocks.bytes());
    }
  });
}

void naive_run(const Context& context, const Product& p, char*) {
  const auto kernel = matmul_table().naive[static_cast<int>(context.dtype)];
  constexpr int64_t kGroup = 12;  // rows
  const int64_t groups = ceil_div(p.rows, kGroup);
  parallel(groups, grain_for(4 * context.nanoseconds(p) / static_cast<double>(groups)),
           [&](int64_t begin, int64_t end, int) {
             const int64_t row = begin * kGroup, rows = std::min(end * kGroup, p.rows) - row;
             const Product part = context.slice(p, row, rows, 0, p.cols);
             kernel(part);
             context.finish(part);
           });
}

// ---------------------------------------------------------------- the list

struct Algorithm {
  const char* name;
  bool (*accepts)(const Context&, const Product&);
  size_t (*workspace)(const Context&, const Product&);
  void (*run)(const Context&, const Product&, char* workspace);
};

bool deep_accepts(const Context&, const Product&);
size_t deep_workspace(const Context&, const Product&);
void deep_run(const Context&, const Product&, char*);

constexpr Algorithm kAlgorithms[] = {
    {"deep", deep_accepts, deep_workspace, deep_run},
    {"dots", dots_accepts, dots_workspace, dots_run},
    {"thin", thin_accepts, no_workspace, thin_run},
    {"direct", direct_accepts, direct_workspace, direct_run},
    {"packed", any_accepts, packed_workspace, packed_run},
    {"naive", any_accepts, no_workspace, naive_run},
};
const Algorithm& naive = kAlgorithms[std::size(kAlgorithms) - 1];

const Algorithm& first_of(const Algorithm* list, const Context& context, const Product& p) {
  while (!list->accepts(context, p)) ++list;
  return *list;
}

std::atomic<const Algorithm*> forced{nullptr};
thread_local const char* last_used = "";

const Algorithm& choose(const Context& context, const Product& p) {
  if (!is_floating(context.dtype) || p.depth == 0) return naive;
  const Algorithm* wanted = forced.load(std::memory_order_relaxed);
  if (!wanted) return first_of(kAlgorithms, context, p);
  CR_CHECK(wanted->accepts(context, p), "matmul: the forced algorithm '", wanted->name,
           "' declines ", p.rows, " x ", p.depth, " times ", p.depth, " x ", p.cols);
  return *wanted;
}

// Little of C and a long sum: the depth is cut into pieces, a number given by the problem, each
// summed by one thread; the partial results are then added in order, as a row of ones times them.
constexpr int64_t kPieceDepth = 2048, kLeastPieces = 4;

struct Pieces {
  int64_t count;
  Product piece;  // the longest
  const Algorithm& inner;
  size_t partial_bytes, inner_bytes;

  Pieces(const Context& context, const Product& p)
      : count(std::max(p.depth / kPieceDepth, kLeastPieces)),
        piece(shortened(p, ceil_div(p.depth, count))),
        inner(first_of(kAlgorithms + 1, context, piece)),
        partial_bytes(align(static_cast<size_t>(count * p.rows * p.cols * context.size))),
        inner_bytes(align(inner.workspace(context, piece))) {}

  static Product shortened(Product p, int64_t depth) {
    p.depth = depth;
    p.accumulate = false;
    p.c_row = p.cols;
    return p;
  }
};

bool deep_accepts(const Context&, const Product& p) {
  constexpr int64_t kLittle = 128 * 128, kWork = 1 << 22;  // multiply-adds worth two regions
  const bool deep = p.depth >= kLeastPieces * kPieceDepth ||
                    (p.depth >= kPieceDepth && p.rows * p.cols * p.depth >= kWork);
  return deep && p.rows * p.cols <= kLittle && (p.c_row == p.cols || p.rows == 1) && !p.row_bias &&
         !p.col_bias;
}
size_t deep_workspace(const Context& context, const Product& p) {
  const Pieces pieces(context, p);
  return pieces.partial_bytes + static_cast<size_t>(max_workers()) * pieces.inner_bytes;
}
void deep_run(const Context& context, const Product& p, char* workspace) {
  const Pieces pieces(context, p);
  const Context partial(context.dtype);  // the activation is for the sum of the pieces
  const int64_t values = p.rows * p.cols;
  parallel(pieces.count, grain_for(context.nanoseconds(pieces.piece)),
           [&](int64_t begin, int64_t end, int worker) {
             for (int64_t i = begin; i < end; ++i) {
               const int64_t k = cut(i, pieces.count, p.depth);
               Product piece = Pieces::shortened(p, cut(i + 1, pieces.count, p.depth) - k);
               piece.a = advance(p.a, k * p.a_col * context.size);
               piece.b = advance(p.b, k * p.b_row * context.size);
               piece.c = workspace + i * values * context.size;
               pieces.inner.run(partial, piece,
                                workspace + pieces.partial_bytes +
                                    static_cast<size_t>(worker) * pieces.inner_bytes);
             }
           });
  static const float one = 1;
  static const double one_double = 1;
  Product sum = p;
  sum.rows = 1;
  sum.cols = sum.b_row = sum.c_row = values;
  sum.depth = pieces.count;
  sum.a = context.dtype == DType::kFloat64 ? static_cast<const void*>(&one_double) : &one;
  sum.a_row = sum.a_col = 0;
  sum.b = workspace;
  sum.b_col = 1;
  thin_run(context, sum, nullptr);
}

// The same problem in the form that most algorithms take: a single column is computed as the row
// it is in memory, and strides that are never used are set to what the algorithms look for.
Product normalized(const Product& p) {
  Product n = p;
  if (p.cols == 1 && p.rows != 1 && p.c_row == 1) {
    n.rows = 1;
    n.cols = p.rows;
    n.a = p.b;
    n.a_col = p.b_row;
    n.b = p.a;
    n.b_row = p.a_col;
    n.b_col = p.a_row;
    n.c_row = p.rows;
    n.row_bias = p.col_bias;
    n.col_bias = p.row_bias;
  }
  if (n.rows == 1) n.a_row = n.depth;
  if (n.cols == 1) n.b_col = 1;
  return n;
}

// So little that one call of a kernel takes many of a batch.
bool small_accepts(const Context& context, const Product& p) {
  constexpr int64_t kMultiplyAdds = 128 * 1024;
  return is_floating(context.dtype) && !forced.load(std::memory_order_relaxed) && p.depth > 0 &&
         p.rows * p.cols * p.depth <= kMultiplyAdds && !context.activation &&
         p.depth * context.padded(p.cols) <= context.kernels.small_values && !p.accumulate &&
         !p.row_bias && !p.col_bias;
}

// How a problem is run: the matrices of a batch side by side when each is small, else one by one.
struct Plan {
  Context context;
  Product product;
  const Algorithm& algorithm;
  int64_t batch;
  bool side_by_side, small;

  explicit Plan(const Gemm& gemm)
      : context(gemm.dtype, gemm.activation),
        product(normalized(gemm.product)),
        algorithm(choose(context, product)),
        batch(product.rows == 0 || product.cols == 0 ? 0 : numel(gemm.batch)),
        side_by_side(batch > 1 && context.nanoseconds(product) < 100e3),
        small(batch > 1 && small_accepts(context, product)) {}

  size_t bytes_each() const { return align(algorithm.workspace(context, product)); }
  size_t bytes() const {
    if (batch == 0 || small) return 0;
    return bytes_each() * static_cast<size_t>(side_by_side ? max_workers() : 1);
  }
};

Product of_batch(const Gemm& gemm, int64_t index) {
  const int64_t size = itemsize(gemm.dtype);
  Product p = gemm.product;
  for (int d = gemm.batch.size() - 1; d >= 0; --d) {
    const int64_t i = index % gemm.batch[d];
    index /= gemm.batch[d];
    p.a = advance(p.a, i * gemm.a_batch[d] * size);
    p.b = advance(p.b, i * gemm.b_batch[d] * size);
    p.c = advance(p.c, i * gemm.c_batch[d] * size);
  }
  return p;
}

void run_small(const Gemm& gemm, const Plan& plan) {
  const int64_t size = plan.context.size, inner = gemm.batch.back();
  const auto step = [size](const void* from, const void* to) {
    return (static_cast<const char*>(to) - static_cast<const char*>(from)) / size;
  };
  parallel(plan.batch, grain_for(8 + plan.context.nanoseconds(plan.product)),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t i = begin; i < end;) {
               SmallProducts products{normalized(of_batch(gemm, i)), 1, 0, 0, 0};
               products.count = std::min(end - i, inner - i % inner);
               if (products.count > 1) {
                 const Product &p = products.product, next = normalized(of_batch(gemm, i + 1));
                 products.a_step = step(p.a, next.a);
                 products.b_step = step(p.b, next.b);
                 products.c_step = step(p.c, next.c);
               }
               plan.context.kernels.small(products);
               i += products.count;
             }
           });
}

}  // namespace

size_t gemm_workspace(const Gemm& gemm) { return Plan(gemm).bytes(); }

void gemm_run(const Gemm& gemm, void* workspace, size_t bytes) {
  const Plan plan(gemm);
  last_used = plan.small ? "small" : plan.algorithm.name;
  CR_CHECK_STATE(plan.bytes() <= bytes, "matmul: the workspace has ", bytes, " bytes; expected ",
                 plan.bytes());
  if (plan.small) return run_small(gemm, plan);
  const size_t each = plan.batch == 0 ? 0 : plan.bytes_each();
  const auto run = [&](int64_t index, char* memory) {
    plan.algorithm.run(plan.context, normalized(of_batch(gemm, index)), memory);
  };
  if (plan.side_by_side) {
    parallel(plan.batch, grain_for(plan.context.nanoseconds(plan.product)),
             [&](int64_t begin, int64_t end, int worker) {
               char* memory = static_cast<char*>(workspace) + static_cast<size_t>(worker) * each;
               for (int64_t index = begin; index < end; ++index) run(index, memory);
             });
  } else {
    for (int64_t index = 0; index < plan.batch; ++index) run(index, static_cast<char*>(workspace));
  }
}

const char* last_gemm_algorithm() { return last_used; }

void force_gemm_algorithm(const char* name) {
  if (!*name) {
    forced = nullptr;
    return;
  }
  for (const Algorithm& algorithm : kAlgorithms) {
    if (std::strcmp(algorithm.name, name) == 0) {
      forced = &algorithm;
      return;
    }
  }
  fail(ErrorKind::kValue, "matmul: there is no algorithm '", name,
       "'; expected deep, dots, thin, direct, packed or naive");
}

}  // namespace cr

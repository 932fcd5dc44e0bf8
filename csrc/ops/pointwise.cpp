// Iterates block functions over tensors of any layout.
//
// Where along a row every operand is contiguous or one element (a column, a scalar), the rows block
// of the op takes them as they are. Other blocks see contiguous elements only. There an operand
// that is contiguous in the order of iteration is read in place; a broadcast scalar is spread once
// over a tile; anything else is gathered into a tile of kTile elements that stays in L1. So each op
// has one vectorised path, and a broadcast or strided operand costs one pass over L1 instead of a
// copy in memory. Transposed operands are gathered by panels of kPanelRows rows, so that a cache
// line is used whole.
#include "ops/pointwise.h"

#include <cstring>

#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/pointwise.kernel.h"

namespace cr {

// ---------------------------------------------------------------- types

DType float_type(DType dtype) { return is_floating(dtype) ? dtype : default_dtype(); }

void infer_pointwise(Call& call) {
  const bool select = call.op.pointwise == Pointwise::kSelect;
  const bool logical = call.op.pointwise == Pointwise::kLogical;
  const DType promoted = logical ? DType::kBool : result_type(call.in, select ? 1 : 0);
  DType compute = promoted, result = promoted;
  switch (call.op.pointwise) {
    case Pointwise::kFloat: compute = result = float_type(promoted); break;
    case Pointwise::kCompare: result = DType::kBool; break;
    case Pointwise::kPredicate:
      compute = float_type(promoted);
      result = DType::kBool;
      break;
    case Pointwise::kInteger:
      CR_CHECK_TYPE(!is_floating(promoted), call.name(), ": needs integer or bool tensors (got ",
                    promoted, ")");
      break;
    case Pointwise::kSelect:
      CR_CHECK_TYPE(call.in[0].dtype() == DType::kBool, call.name(),
                    ": the condition must be a bool tensor (got ", call.in[0].dtype(), ")");
      call.cast_from = 1;
      break;
    default: break;
  }
  CR_CHECK_TYPE(call.op.blocks[static_cast<int>(compute)], call.name(), ": not defined for ",
                compute, " tensors");
  call.compute = compute;
  call.out_meta[0].dtype = result;
  Dims& shape = call.out_meta[0].shape;
  shape = call.in[0].shape();
  for (int i = 1; i < call.in.size(); ++i) {
    if (call.in[i].shape() != shape)
      shape = broadcast_shapes(call.name(), shape, call.in[i].shape());
  }
}

void launch_pointwise(Call& call) {
  double params[kMaxAttrs];
  for (int k = 0; k < call.attrs.size(); ++k) params[k] = call.attrs.none(k) ? 0 : call.attrs.f(k);
  const double ns = call.op.pointwise == Pointwise::kFloat ? 1.0 : 0.25;
  const int dtype = static_cast<int>(call.compute);
  run_block(call.op.blocks[dtype], call.out[0], call.in, params, ns, call.op.row_blocks[dtype]);
}

// ---------------------------------------------------------------- iteration

namespace {

constexpr int64_t kTile = 1024;
constexpr int kMaxOperands = 5;      // the output and up to four inputs
constexpr int64_t kLongRow = 128;    // rows at least this long are walked one by one
constexpr int64_t kSpreadRun = 256;  // what one element of a column is spread over, and used again
constexpr int64_t kShortRow = 8;     // rows shorter than this are gathered into tiles
constexpr int64_t kPanelRows = 16, kPanelColumns = 256, kFewColumns = 64, kFewRows = 4;
constexpr int64_t kPanelElements = kPanelRows * kPanelColumns;
static_assert(kTile <= kPanelElements, "one buffer serves both");

enum class Layout : uint8_t { kFlat, kScalar, kStrided };

struct Operand {
  char* data;
  int64_t size;  // of an element, in bytes
  Layout layout;
  int64_t strides[kMaxRank];  // in bytes, of the coalesced dimensions
};

struct Plan {
  Block block;
  RowsBlock rows;
  const double* params;
  int operands;  // [0] is the output
  Operand operand[kMaxOperands];
  int rank;
  int64_t shape[kMaxRank];
};

// Neighbouring dimensions that every operand walks as one become one.
void coalesce(Plan& plan) {
  int kept = 0;
  for (int d = 0; d < plan.rank; ++d) {
    if (plan.shape[d] == 1) continue;
    bool merge = kept > 0;
    for (int i = 0; merge && i < plan.operands; ++i) {
      const Operand& x = plan.operand[i];
      merge = x.strides[kept - 1] == x.strides[d] * plan.shape[d];
    }
    const int to = merge ? kept - 1 : kept++;
    plan.shape[to] = merge ? plan.shape[to] * plan.shape[d] : plan.shape[d];
    for (int i = 0; i < plan.operands; ++i)
      plan.operand[i].strides[to] = plan.operand[i].strides[d];
  }
  plan.rank = kept;
}

void classify(Plan& plan) {
  for (int i = 0; i < plan.operands; ++i) {
    Operand& x = plan.operand[i];
    bool scalar = true, flat = true;
    int64_t step = x.size;
    for (int d = plan.rank - 1; d >= 0; --d) {
      scalar = scalar && x.strides[d] == 0;
      flat = flat && x.strides[d] == step;
      step *= plan.shape[d];
    }
    x.layout = plan.rank == 0 || flat ? Layout::kFlat : scalar ? Layout::kScalar : Layout::kStrided;
  }
}

// Moves n elements; a stride of 0 spreads one element.
template <class T>
void copy_run(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t n) {
  constexpr int64_t kSize = sizeof(T);
  T value;
  const auto move = [&](int64_t i, int64_t to_step, int64_t from_step) {
    std::memcpy(&value, from + i * from_step, sizeof(T));
    std::memcpy(to + i * to_step, &value, sizeof(T));
  };
  if (from_stride == 0 && to_stride == kSize) {
    std::memcpy(&value, from, sizeof(T));
    for (int64_t i = 0; i < n; ++i) std::memcpy(to + i * kSize, &value, sizeof(T));
  } else if (from_stride == -1 && to_stride == 1) {  // bytes, eight at a time
    int64_t i = 0;
    for (uint64_t eight; i + 8 <= n; i += 8) {
      std::memcpy(&eight, from - i - 7, 8);
      eight = __builtin_bswap64(eight);
      std::memcpy(to + i, &eight, 8);
    }
    for (; i < n; ++i) to[i] = from[-i];
  } else if (from_stride == -kSize && to_stride == kSize) {  // steps that the compiler knows
    for (int64_t i = 0; i < n; ++i) move(i, kSize, -kSize);
  } else if (from_stride == 2 * kSize && to_stride == kSize) {
    for (int64_t i = 0; i < n; ++i) move(i, kSize, 2 * kSize);
  } else {
    for (int64_t i = 0; i < n; ++i) move(i, to_stride, from_stride);
  }
}

void copy_elements(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t n,
                   int64_t size) {
  if (to_stride == size && from_stride == size) {
    std::memcpy(to, from, static_cast<size_t>(n * size));
    return;
  }
  switch (size) {
    case 1: return copy_run<uint8_t>(to, to_stride, from, from_stride, n);
    case 2: return copy_run<uint16_t>(to, to_stride, from, from_stride, n);
    case 4: return copy_run<uint32_t>(to, to_stride, from, from_stride, n);
    default: return copy_run<uint64_t>(to, to_stride, from, from_stride, n);
  }
}

// Short rows, `across` bytes apart, into a tile.
template <class T>
void copy_rows(char* to, const char* from, int64_t across, int64_t along, int64_t rows,
               int64_t width) {
  for (int64_t r = 0; r < rows; ++r, from += across) {
    for (int64_t i = 0; i < width; ++i, to += sizeof(T)) {
      std::memcpy(to, from + i * along, sizeof(T));
    }
  }
}

void copy_short_rows(char* to, const char* from, int64_t across, int64_t along, int64_t rows,
                     int64_t width, int64_t size) {
  switch (size) {
    case 1: return copy_rows<uint8_t>(to, from, across, along, rows, width);
    case 2: return copy_rows<uint16_t>(to, from, across, along, rows, width);
    case 4: return copy_rows<uint32_t>(to, from, across, along, rows, width);
    default: return copy_rows<uint64_t>(to, from, across, along, rows, width);
  }
}

// Position in the iteration space; walks the rows of a strided operand.
struct Cursor {
  int64_t index[kMaxRank];

  Cursor(const Plan& plan, int64_t flat) {
    for (int d = plan.rank - 1; d >= 0; --d) {
      index[d] = flat % plan.shape[d];
      flat /= plan.shape[d];
    }
  }
  char* address(const Plan& plan, const Operand& x) const {
    char* p = x.data;
    for (int d = 0; d < plan.rank; ++d) p += index[d] * x.strides[d];
    return p;
  }
  int64_t row_left(const Plan& plan) const {
    return plan.shape[plan.rank - 1] - index[plan.rank - 1];
  }
  void advance(const Plan& plan, int64_t n) { advance(plan, n, plan.rank - 1); }  // n <= row_left
  void advance(const Plan& plan, int64_t n, int d) {  // not beyond the end of dimension d
    index[d] += n;
    while (d > 0 && index[d] == plan.shape[d]) {
      index[d] = 0;
      ++index[--d];
    }
  }
};

// Moves n elements between a strided operand, from the cursor on, and a tile.
void gather(const Plan& plan, const Operand& x, Cursor at, char* tile, int64_t n) {
  const int last = plan.rank - 1;
  const int64_t stride = x.strides[last], width = plan.shape[last];
  while (n > 0) {
    if (last > 0 && width < kShortRow && at.index[last] == 0 && n >= width) {
      const int64_t rows = std::min(plan.shape[last - 1] - at.index[last - 1], n / width);
      copy_short_rows(tile, at.address(plan, x), x.strides[last - 1], stride, rows, width, x.size);
      tile += rows * width * x.size;
      n -= rows * width;
      at.advance(plan, rows, last - 1);
      continue;
    }
    const int64_t run = std::min(n, at.row_left(plan));
    copy_elements(tile, x.size, at.address(plan, x), stride, run, x.size);
    tile += run * x.size;
    n -= run;
    at.advance(plan, run);
  }
}

void scatter(const Plan& plan, const Operand& x, Cursor at, const char* tile, int64_t n) {
  const int64_t stride = x.strides[plan.rank - 1];
  while (n > 0) {
    const int64_t run = std::min(n, at.row_left(plan));
    copy_elements(at.address(plan, x), stride, tile, x.size, run, x.size);
    tile += run * x.size;
    n -= run;
    at.advance(plan, run);
  }
}

bool all_flat(const Plan& plan) {
  for (int i = 0; i < plan.operands; ++i) {
    if (plan.operand[i].layout != Layout::kFlat) return false;
  }
  return true;
}

void run_flat(const Plan& plan, int64_t begin, int64_t end) {
  const void* in[kMaxOperands];
  for (int i = 1; i < plan.operands; ++i)
    in[i - 1] = plan.operand[i].data + begin * plan.operand[i].size;
  plan.block(plan.operand[0].data + begin * plan.operand[0].size, in, end - begin, plan.params);
}

// ---------------------------------------------------------------- rows

// Is every operand contiguous or one element along a row?
bool wants_rows(const Plan& plan) {
  if (!plan.rows || plan.shape[plan.rank - 1] < kShortRow) return false;
  for (int i = 0; i < plan.operands; ++i) {
    const Operand& x = plan.operand[i];
    const int64_t along = x.strides[plan.rank - 1];
    if (along != x.size && (i == 0 || along != 0)) return false;
  }
  return true;
}

void run_rows(const Plan& plan, int64_t begin, int64_t end) {
  const int last = plan.rank - 1;
  const int64_t width = plan.shape[last];
  Rows rows;
  for (int i = 0; i < plan.operands; ++i) {
    const Operand& x = plan.operand[i];
    rows.strides[i] = last > 0 ? x.strides[last - 1] : 0;
    if (i > 0) rows.spread[i - 1] = x.strides[last] == 0;
  }
  Cursor at(plan, begin);
  while (begin < end) {
    const void* in[kMaxOperands];
    for (int i = 1; i < plan.operands; ++i) in[i - 1] = at.address(plan, plan.operand[i]);
    const bool whole = last > 0 && at.index[last] == 0 && end - begin >= width;
    if (whole) {
      rows.count = std::min(plan.shape[last - 1] - at.index[last - 1], (end - begin) / width);
      rows.length = width;
    } else {
      rows.count = 1;
      rows.length = std::min(at.row_left(plan), end - begin);
    }
    plan.rows(at.address(plan, plan.operand[0]), in, rows, plan.params);
    begin += rows.count * rows.length;
    if (whole) {
      at.advance(plan, rows.count, last - 1);
    } else {
      at.advance(plan, rows.length);
    }
  }
}

// ---------------------------------------------------------------- tiles

// The inputs of a block at the cursor: addresses where memory will do, else filled tiles.
class Tiles {
 public:
  Tiles(const Plan& plan, int64_t most) : plan_(plan) {
    for (int i = 1; i < plan.operands; ++i) {
      const Operand& x = plan.operand[i];
      for (int d = 0; d < plan.rank - 1; ++d) repeats_[i] = repeats_[i] && x.strides[d] == 0;
      if (x.layout != Layout::kScalar) continue;
      copy_elements(tile(i), x.size, x.data, 0, std::min(kTile, most), x.size);
      in_[i - 1] = tile(i);
    }
  }

  char* tile(int i) { return tiles_[i]; }
  const void* const* inputs() const { return in_; }
  void set(int i, const void* data) { in_[i - 1] = data; }

  // n elements of a strided operand from the cursor on; `row` are left in its row.
  void prepare(int i, const Cursor& at, int64_t n, int64_t row) {
    const Operand& x = plan_.operand[i];
    const int64_t stride = x.strides[plan_.rank - 1];
    const char* address = at.address(plan_, x);
    if (n > row || (stride != x.size && stride != 0)) {
      in_[i - 1] = tile(i);
      const bool same = repeats_[i] && spread_[i] == address && filled_[i] >= n;
      if (same) return;
      gather(plan_, x, at, tile(i), n);
      spread_[i] = repeats_[i] ? address : nullptr;
      filled_[i] = n;
      return;
    }
    in_[i - 1] = address;
    if (stride != 0) return;
    in_[i - 1] = tile(i);
    if (spread_[i] == address && filled_[i] >= n) return;
    spread_[i] = address;
    filled_[i] = std::min(row, std::max(n, kSpreadRun));
    copy_elements(tile(i), x.size, address, 0, filled_[i], x.size);
  }

 private:
  const Plan& plan_;
  const void* in_[kMaxOperands];
  const char* spread_[kMaxOperands] = {};  // the element an operand's tile is full of, or begins at
  bool repeats_[kMaxOperands] = {true, true, true, true, true};  // every row is the same
  int64_t filled_[kMaxOperands];
  alignas(64) char tiles_[kMaxOperands][kPanelElements * 8];
};

// Does a row of some input repeat one element?
bool spreads(const Plan& plan) {
  for (int i = 1; i < plan.operands; ++i) {
    const Operand& x = plan.operand[i];
    if (x.layout == Layout::kStrided && x.strides[plan.rank - 1] == 0) return true;
  }
  return false;
}

void run_tiles(const Plan& plan, int64_t begin, int64_t end) {
  Tiles tiles(plan, end - begin);
  const bool by_row = plan.shape[plan.rank - 1] >= kLongRow;
  // Tiles of short rows begin with a row, so that what repeats in every row is gathered once.
  const int64_t width = plan.shape[plan.rank - 1];
  const int64_t longest = !by_row ? kTile / width * width : spreads(plan) ? kSpreadRun : kTile;
  Cursor at(plan, begin);
  while (begin < end) {
    int64_t n = std::min(longest, end - begin);
    const int64_t row = at.row_left(plan);
    if (by_row || row < width) n = std::min(n, row);
    for (int i = 1; i < plan.operands; ++i) {
      const Operand& x = plan.operand[i];
      if (x.layout == Layout::kFlat) tiles.set(i, x.data + begin * x.size);
      if (x.layout == Layout::kStrided) tiles.prepare(i, at, n, row);
    }
    const Operand& out = plan.operand[0];
    if (out.layout == Layout::kFlat) {
      plan.block(out.data + begin * out.size, tiles.inputs(), n, plan.params);
    } else if (n <= row && out.strides[plan.rank - 1] == out.size) {
      plan.block(at.address(plan, out), tiles.inputs(), n, plan.params);
    } else {
      plan.block(tiles.tile(0), tiles.inputs(), n, plan.params);
      scatter(plan, out, at, tiles.tile(0), n);
    }
    begin += n;
    if (n <= row) {
      at.advance(plan, n);
    } else {
      at = Cursor(plan, begin);
    }
  }
}

// ---------------------------------------------------------------- panels

// Memory runs along the rows' dimension, not along a row.
bool transposed(const Plan& plan, const Operand& x) {
  const int64_t along = x.strides[plan.rank - 1];
  return x.layout == Layout::kStrided && along != x.size && along != 0 &&
         x.strides[plan.rank - 2] == x.size;
}

// Worth it for a transposed input and an output that is written row by row.
bool wants_panels(const Plan& plan) {
  if (plan.rank < 2 || plan.shape[plan.rank - 1] < kFewColumns) return false;
  if (plan.shape[plan.rank - 2] < kFewRows) return false;
  if (plan.operand[0].strides[plan.rank - 1] != plan.operand[0].size) return false;
  for (int i = 1; i < plan.operands; ++i) {
    if (transposed(plan, plan.operand[i])) return true;
  }
  return false;
}

// tile[r][c] = from[c][r]; a column of `from` has its elements side by side.
template <class T>
void transpose_panel(char* tile, const char* from, int64_t column_stride, int64_t rows,
                     int64_t columns) {
  for (int64_t c = 0; c < columns; ++c, from += column_stride) {
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(tile + (r * kPanelColumns + c) * sizeof(T), from + r * sizeof(T), sizeof(T));
    }
  }
}

void transpose_elements(char* tile, const char* from, int64_t column_stride, int64_t rows,
                        int64_t columns, int64_t size) {
  const int64_t stride = column_stride / size;
  switch (size) {
    case 1: return transpose_panel<uint8_t>(tile, from, column_stride, rows, columns);
    case 2: return transpose_panel<uint16_t>(tile, from, column_stride, rows, columns);
    case 4: return cast_table().transpose_4(from, stride, columns, rows, tile, kPanelColumns);
    default: return cast_table().transpose_8(from, stride, columns, rows, tile, kPanelColumns);
  }
}

int64_t bands(const Plan& plan) {  // of kPanelRows rows, in one matrix
  return ceil_div(plan.shape[plan.rank - 2], kPanelRows);
}

void run_band(const Plan& plan, int64_t band) {
  const int64_t height = plan.shape[plan.rank - 2], width = plan.shape[plan.rank - 1];
  const int64_t first = band % bands(plan) * kPanelRows;
  const int64_t rows = std::min(kPanelRows, height - first);
  const int64_t start = (band / bands(plan) * height + first) * width;
  Tiles tiles(plan, kPanelColumns);
  for (int64_t c = 0; c < width; c += kPanelColumns) {
    const int64_t columns = std::min(kPanelColumns, width - c);
    Cursor at(plan, start + c);
    for (int i = 1; i < plan.operands; ++i) {
      const Operand& x = plan.operand[i];
      if (!transposed(plan, x)) continue;
      transpose_elements(tiles.tile(i), at.address(plan, x), x.strides[plan.rank - 1], rows,
                         columns, x.size);
    }
    for (int64_t r = 0; r < rows; ++r, ++at.index[plan.rank - 2]) {
      for (int i = 1; i < plan.operands; ++i) {
        const Operand& x = plan.operand[i];
        if (x.layout == Layout::kScalar) continue;
        if (transposed(plan, x)) {
          tiles.set(i, tiles.tile(i) + r * kPanelColumns * x.size);
        } else {
          tiles.prepare(i, at, columns, width - c);
        }
      }
      plan.block(at.address(plan, plan.operand[0]), tiles.inputs(), columns, plan.params);
    }
  }
}

void describe(Plan& plan, int i, const Tensor& tensor, const Dims& shape) {
  Operand& x = plan.operand[i];
  x.data = tensor.data();
  x.size = itemsize(tensor.dtype());
  const int shift = shape.size() - tensor.rank();
  for (int d = 0; d < shape.size(); ++d) {
    const bool broadcast = d < shift || tensor.shape()[d - shift] == 1;
    x.strides[d] = broadcast ? 0 : tensor.strides()[d - shift] * x.size;
  }
}

}  // namespace

void run_block(Block block, const Tensor& out, const TensorList& in, const double* params,
               double ns_per_element, RowsBlock rows) {
  const int64_t n = out.numel();
  if (n == 0) return;
  // Small and contiguous: the common case of a small network, one direct call.
  bool direct = out.contiguous() && n <= kTile;
  const void* pointers[kMaxOperands];
  for (int i = 0; direct && i < in.size(); ++i) {
    direct = in[i].contiguous() && in[i].numel() == n;
    pointers[i] = in[i].data();
  }
  if (direct) return block(out.data(), pointers, n, params);

  Plan plan;
  plan.block = block;
  plan.rows = rows;
  plan.params = params;
  plan.operands = in.size() + 1;
  plan.rank = out.rank();
  for (int d = 0; d < plan.rank; ++d) plan.shape[d] = out.shape()[d];
  describe(plan, 0, out, out.shape());
  for (int i = 0; i < in.size(); ++i) describe(plan, i + 1, in[i], out.shape());
  coalesce(plan);
  classify(plan);
  const auto walk = all_flat(plan) ? run_flat : wants_rows(plan) ? run_rows : run_tiles;
  if (wants_panels(plan)) {
    const int64_t per_band = kPanelRows * plan.shape[plan.rank - 1];
    const int64_t matrices = n / (plan.shape[plan.rank - 2] * plan.shape[plan.rank - 1]);
    parallel(matrices * bands(plan), grain_for(ns_per_element * static_cast<double>(per_band)),
             [&](int64_t begin, int64_t end, int) {
               for (int64_t band = begin; band < end; ++band) run_band(plan, band);
             });
    return;
  }
  const int64_t grain = std::max<int64_t>(1, grain_for(ns_per_element) / kTile) * kTile;
  parallel(n, grain, [&](int64_t begin, int64_t end, int) { walk(plan, begin, end); });
}

// ---------------------------------------------------------------- kernels by name

namespace {

void resolve(const PointwiseTable& table) {
  for (int i = 0; i < table.count; ++i) {
    const PointwiseEntry& entry = table.entries[i];
    OpDef* op = const_cast<OpDef*>(find_op(entry.name));
    CR_CHECK_STATE(op, "kernel '", entry.name, "' has no row");
    for (int d = 0; d < kNumDTypes; ++d) {
      if (!entry.block[d]) continue;
      op->blocks[d] = entry.block[d];
      op->row_blocks[d] = entry.rows[d];
    }
  }
}

}  // namespace

void finish_registration() {
  resolve(arithmetic_table());
  resolve(math_table());
  for (OpDef* op : registry()) {
    if (op->pointwise == Pointwise::kNo) continue;
    op->infer = infer_pointwise;
    op->launch = launch_pointwise;
  }
}

}  // namespace cr

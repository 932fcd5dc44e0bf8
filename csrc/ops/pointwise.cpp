// Iterates block functions over tensors of any layout.
//
// Blocks see contiguous elements only. An operand that is contiguous in the order of iteration is
// read in place; a broadcast scalar is spread once over a tile; anything else is gathered into a
// tile of kTile elements that stays in L1. So each op has one vectorised path, and a broadcast or
// strided operand costs one pass over L1 instead of a copy in memory.
#include "ops/pointwise.h"

#include <cstring>

#include "core/parallel.h"
#include "ops/pointwise.kernel.h"

namespace cr {

// ---------------------------------------------------------------- types

DType result_type(const TensorList& inputs, int from) {
  DType tiers[3] = {DType::kUndefined, DType::kUndefined, DType::kUndefined};
  for (int i = from; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    const bool weak = inputs[i].impl()->weak;
    const int tier = weak ? 2 : inputs[i].rank() == 0 ? 1 : 0;
    DType dtype = inputs[i].dtype();
    if (weak && is_floating(dtype)) dtype = default_dtype();
    tiers[tier] = tiers[tier] == DType::kUndefined ? dtype : promote(tiers[tier], dtype);
  }
  DType result = tiers[0];
  for (int tier = 1; tier < 3; ++tier) {
    const DType lower = tiers[tier];
    if (lower == DType::kUndefined) continue;
    if (result == DType::kUndefined)
      result = lower;
    else if (category(lower) > category(result))
      result = promote(result, lower);
  }
  return result;
}

DType float_type(DType dtype) { return is_floating(dtype) ? dtype : default_dtype(); }

void infer_pointwise(Call& call) {
  const bool select = call.op.pointwise == Pointwise::kSelect;
  const DType promoted = result_type(call.in, select ? 1 : 0);
  DType compute = promoted, result = promoted;
  switch (call.op.pointwise) {
    case Pointwise::kFloat: compute = result = float_type(promoted); break;
    case Pointwise::kCompare: result = DType::kBool; break;
    case Pointwise::kLogical: compute = result = DType::kBool; break;
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
  run_block(call.op.blocks[static_cast<int>(call.compute)], call.out[0], call.in, params, ns);
}

// ---------------------------------------------------------------- iteration

namespace {

constexpr int64_t kTile = 1024;
constexpr int kMaxOperands = 5;    // the output and up to four inputs
constexpr int64_t kLongRow = 128;  // rows at least this long are walked one by one

enum class Layout : uint8_t { kFlat, kScalar, kStrided };

struct Operand {
  char* data;
  int64_t size;  // of an element, in bytes
  Layout layout;
  int64_t strides[kMaxRank];  // in bytes, of the coalesced dimensions
};

struct Plan {
  Block block;
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
  T value;
  std::memcpy(&value, from, sizeof(T));
  if (from_stride == 0 && to_stride == sizeof(T)) {
    for (int64_t i = 0; i < n; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(to + i * to_stride, from + i * from_stride, sizeof(T));
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
  void advance(const Plan& plan, int64_t n) {  // n <= row_left
    int d = plan.rank - 1;
    index[d] += n;
    while (d > 0 && index[d] == plan.shape[d]) {
      index[d] = 0;
      ++index[--d];
    }
  }
};

// Moves n elements between a strided operand, from the cursor on, and a tile.
void gather(const Plan& plan, const Operand& x, Cursor at, char* tile, int64_t n) {
  const int64_t stride = x.strides[plan.rank - 1];
  while (n > 0) {
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

void run_tiles(const Plan& plan, int64_t begin, int64_t end) {
  alignas(64) char tiles[kMaxOperands][kTile * 8];
  const void* in[kMaxOperands];
  for (int i = 1; i < plan.operands; ++i) {
    const Operand& x = plan.operand[i];
    if (x.layout == Layout::kScalar) {
      copy_elements(tiles[i], x.size, x.data, 0, std::min(kTile, end - begin), x.size);
      in[i - 1] = tiles[i];
    }
  }
  const bool by_row = plan.shape[plan.rank - 1] >= kLongRow;
  Cursor at(plan, begin);
  while (begin < end) {
    int64_t n = std::min(kTile, end - begin);
    const int64_t row = at.row_left(plan);
    if (by_row) n = std::min(n, row);
    for (int i = 1; i < plan.operands; ++i) {
      const Operand& x = plan.operand[i];
      if (x.layout == Layout::kFlat) {
        in[i - 1] = x.data + begin * x.size;
      } else if (x.layout == Layout::kStrided) {
        if (n <= row && x.strides[plan.rank - 1] == x.size) {
          in[i - 1] = at.address(plan, x);
        } else {
          gather(plan, x, at, tiles[i], n);
          in[i - 1] = tiles[i];
        }
      }
    }
    const Operand& out = plan.operand[0];
    if (out.layout == Layout::kFlat) {
      plan.block(out.data + begin * out.size, in, n, plan.params);
    } else if (n <= row && out.strides[plan.rank - 1] == out.size) {
      plan.block(at.address(plan, out), in, n, plan.params);
    } else {
      plan.block(tiles[0], in, n, plan.params);
      scatter(plan, out, at, tiles[0], n);
    }
    begin += n;
    for (int64_t left = n; left > 0;) {
      const int64_t run = std::min(left, at.row_left(plan));
      at.advance(plan, run);
      left -= run;
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
               double ns_per_element) {
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
  plan.params = params;
  plan.operands = in.size() + 1;
  plan.rank = out.rank();
  for (int d = 0; d < plan.rank; ++d) plan.shape[d] = out.shape()[d];
  describe(plan, 0, out, out.shape());
  for (int i = 0; i < in.size(); ++i) describe(plan, i + 1, in[i], out.shape());
  coalesce(plan);
  classify(plan);
  const bool flat = all_flat(plan);
  const int64_t grain = std::max<int64_t>(1, grain_for(ns_per_element) / kTile) * kTile;
  parallel(n, grain, [&](int64_t begin, int64_t end, int) {
    flat ? run_flat(plan, begin, end) : run_tiles(plan, begin, end);
  });
}

// ---------------------------------------------------------------- kernels by name

namespace {

void resolve(const PointwiseTable& table) {
  for (int i = 0; i < table.count; ++i) {
    const PointwiseEntry& entry = table.entries[i];
    OpDef* op = const_cast<OpDef*>(find_op(entry.name));
    CR_CHECK_STATE(op, "kernel '", entry.name, "' has no row");
    for (int d = 0; d < kNumDTypes; ++d) {
      if (entry.block[d]) op->blocks[d] = entry.block[d];
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

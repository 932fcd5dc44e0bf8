// Scaled dot-product attention. Kernels: attention.kernel.cpp, a block of queries at a time.
//
// `_attention` sees tensors (..., H, L, E) of equal leading dimensions, but that a head of keys and
// values may serve several neighbouring heads of queries. Its memory is linear in the lengths: what
// the backward pass needs of the weights is the logarithm of each row's sum of exponentials. With
// leading dimensions (..., H), results are laid out (..., L, H, E), as the projections around them
// have them: then heads are split and joined by views alone.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "core/table.h"
#include "ops/attention.kernel.h"
#include "ops/carver.h"
#include "ops/generator.h"
#include "ops/matmul.kernel.h"

namespace cr {
namespace {

template <class T>
const AttentionKernels<T>& kernels() {
  return part_for<T>(attention_table());
}

// (..., H, L, E) to (..., L, H, E) and back; without a batch in front of the heads nothing moves.
Dims swapped(Dims shape) {
  const int rank = shape.size();
  if (rank >= 4) std::swap(shape[rank - 3], shape[rank - 2]);
  return shape;
}
Tensor swap_back(const Tensor& x) { return x.rank() >= 4 ? OP(transpose)(x, -3, -2) : x; }
Tensor swap_back_alias(const Tensor& x) {
  Dims strides = swapped(x.strides());
  return x.alias(swapped(x.shape()), strides, 0);
}

// ---------------------------------------------------------------- the problem

struct Sizes {
  Dims lead;  // of the queries
  int64_t heads = 1, key_heads = 1, group = 1;
  int64_t queries, keys, features, value_features;

  Sizes(const Tensor& query, const Tensor& key, const Tensor& value)
      : lead(query.shape()),
        queries(query.size(-2)),
        keys(key.size(-2)),
        features(query.size(-1)),
        value_features(value.size(-1)) {
    lead.resize(query.rank() - 2);
    heads = numel(lead);
    if (!lead.empty() && key.size(-3) > 0) group = lead.back() / key.size(-3);
    key_heads = group > 0 ? heads / group : 0;
  }

  // The blocks of queries of a head: whole strips of the register tile, then what is left.
  template <class T>
  int64_t blocks() const {
    const AttentionKernels<T>& k = kernels<T>();
    return ceil_div(queries / k.strip, k.block_queries / k.strip) + (queries % k.strip > 0);
  }
  template <class T>
  int64_t block_begin(int64_t block) const {
    const AttentionKernels<T>& k = kernels<T>();
    return std::min(block * k.block_queries, block == blocks<T>() ? queries : whole<T>());
  }
  template <class T>
  int64_t whole() const {
    return queries / kernels<T>().strip * kernels<T>().strip;
  }

  // Keys of a head are cut when there are few heads: a number given by the problem alone.
  int64_t stretches() const {
    constexpr int64_t kItems = 16, kLeastKeys = 256;
    if (key_heads == 0) return 1;
    return std::clamp<int64_t>(keys / kLeastKeys, 1, ceil_div(kItems, key_heads));
  }

  template <class T>
  double nanoseconds(int64_t products) const {  // of one head
    const double pairs = static_cast<double>(queries) * static_cast<double>(keys);
    const double flops = static_cast<double>(products * (features + value_features));
    return pairs * (flops / matmul_table().gemm[sizeof(T) == 8].flops_per_ns + 1);
  }
};

// The matrix of head `index` of a tensor (lead..., rows, cols), the last of whose leading
// dimensions may be `group` times smaller than that of `lead`.
template <class T>
StridedMatrix<T> head(const Tensor& x, const Dims& lead, int64_t group, int64_t index) {
  if (!x) return {nullptr, 0, 0};
  int64_t offset = 0;
  for (int d = lead.size() - 1; d >= 0; --d) {
    const int64_t i = index % lead[d];
    offset += (d == lead.size() - 1 ? i / group : i) * x.strides()[d];
    index /= lead[d];
  }
  return {x.data<T>() + offset, x.strides()[x.rank() - 2], x.strides()[x.rank() - 1]};
}

template <class T>
RowMatrix<T> rows_of(const StridedMatrix<T>& x) {
  return {const_cast<T*>(x.data), x.row};
}

struct Options {
  double p;
  bool causal;
  double scale;

  explicit Options(const Attrs& attrs) : p(attrs.f(0)), causal(attrs.b(1)), scale(attrs.f(2)) {}
};

template <class T>
size_t carve(char* base, const Sizes& sizes, bool mask, bool dropout, bool backward,
             AttentionScratch<T>& scratch) {
  const int64_t width = kernels<T>().block_queries, tile = kernels<T>().key_tile * width;
  const int64_t lanes = kernels<T>().lanes;
  const auto padded = [&](int64_t n) { return round_up(n, lanes); };
  Carver carver(base);
  scratch.query = carver.take<T>(sizes.features * width);
  scratch.accumulated = carver.take<T>(std::max(sizes.features, sizes.value_features) * width);
  scratch.scores = carver.take<T>(tile);
  scratch.state = carver.take<T>(2 * width);
  if (mask) scratch.mask = carver.take<T>(tile);
  if (dropout) scratch.keep = carver.take<T>(tile);
  if (backward) {
    scratch.score_grad = carver.take<T>(tile);
    scratch.grad = carver.take<T>(sizes.value_features * width);
    scratch.out = carver.take<T>(sizes.value_features * width);
    scratch.query_rows = carver.take<T>(width * padded(sizes.features));
    scratch.grad_rows = carver.take<T>(width * padded(sizes.value_features));
  }
  return carver.used();
}

size_t scratch_bytes(DType dtype, const Sizes& sizes, bool mask, bool dropout, bool backward) {
  return dispatch_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    AttentionScratch<T> scratch{};
    return carve<T>(nullptr, sizes, mask, dropout, backward, scratch);
  });
}

// What the blocks of a call share.
template <class T>
AttentionBlock<T> block_of(const Sizes& sizes, const Options& options, const Stream& stream) {
  AttentionBlock<T> block{};
  block.features = sizes.features;
  block.value_features = sizes.value_features;
  block.all_keys = sizes.keys;
  block.causal = options.causal;
  block.scale = static_cast<T>(options.scale);
  block.dropout = {options.p, stream.seed, stream.position};
  return block;
}

// Moves the operands that follow the queries on to a block's first one.
template <class T>
void place(AttentionBlock<T>& block, const Sizes& sizes, int64_t head, int64_t number) {
  const int64_t first = sizes.block_begin<T>(number);
  block.first_query = first;
  block.queries = sizes.block_begin<T>(number + 1) - first;
  block.first_weight = (head * sizes.queries + first) * sizes.keys;
  block.query.data += first * block.query.row;
  block.out.data += first * block.out.row;
  block.log_sum += head * sizes.queries + first;
  if (block.mask.data) block.mask.data += first * block.mask.row;
}

// ---------------------------------------------------------------- forward

template <class T>
void launch_forward(Call& call) {
  const Tensor &query = call.in[0], &key = call.in[1], &value = call.in[2], &mask = call.in[3];
  const Sizes sizes(query, key, value);
  const Options options(call.attrs);
  const int64_t weights = sizes.heads * sizes.queries * sizes.keys;
  Stream stream{};
  if (options.p > 0) {
    copy_into(call.out[2], call.in[4]);
    stream = take(call.in[4], ceil_div(weights, 4));
  }
  const Tensor out = swap_back_alias(call.out[0]);
  const int64_t blocks = sizes.blocks<T>(), items = sizes.heads * blocks;
  if (items == 0) return;
  const size_t bytes =
      scratch_bytes(query.dtype(), sizes, static_cast<bool>(mask), options.p > 0, false);
  const double ns = sizes.nanoseconds<T>(2) / static_cast<double>(blocks);
  parallel(items, grain_for(ns), [&](int64_t begin, int64_t end, int worker) {
    AttentionBlock<T> shared = block_of<T>(sizes, options, stream);
    carve<T>(call.workspace + static_cast<size_t>(worker) * bytes, sizes, static_cast<bool>(mask),
             options.p > 0, false, shared.scratch);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t h = item / blocks;
      AttentionBlock<T> block = shared;
      block.query = head<T>(query, sizes.lead, 1, h);
      block.key = head<T>(key, sizes.lead, sizes.group, h);
      block.value = head<T>(value, sizes.lead, sizes.group, h);
      block.mask = head<T>(mask, sizes.lead, 1, h);
      block.out = rows_of(head<T>(out, sizes.lead, 1, h));
      block.log_sum = call.out[1].data<T>();
      block.last_key = sizes.keys;
      place(block, sizes, h, item % blocks);
      kernels<T>().forward(block);
    }
  });
}

// ---------------------------------------------------------------- backward

size_t partial_bytes(const Sizes& sizes, DType dtype) {
  const int64_t stretches = sizes.stretches();
  if (stretches == 1) return 0;
  const int64_t values = stretches * sizes.heads * sizes.queries * sizes.features;
  return static_cast<size_t>(values * itemsize(dtype) + 63) / 64 * 64;
}

// An item is a stretch of the keys of one head of keys: it alone adds to their gradients. Where
// there are several, each has a gradient of the queries of its own; they are summed in order.
template <class T>
void launch_backward(Call& call) {
  const Tensor &grad = call.in[0], &query = call.in[1], &key = call.in[2], &value = call.in[3];
  const Tensor& mask = call.in[4];
  const Sizes sizes(query, key, value);
  const Options options(call.attrs);
  const Stream stream = options.p > 0 ? stream_of(call.in[7]) : Stream{};
  const auto dense = [](const Tensor& x) { return x.contiguous() ? x : contiguous_copy(x); };
  const Tensor given = swap_back_alias(grad), out = swap_back_alias(dense(call.in[5]));
  const Tensor log_sum = dense(call.in[6]);
  Tensor result[3];
  for (int i = 0; i < 3; ++i) result[i] = swap_back_alias(call.out[i]);

  const int64_t stretches = sizes.stretches(), items = sizes.key_heads * stretches;
  const int64_t blocks = sizes.blocks<T>();
  const size_t bytes =
      scratch_bytes(query.dtype(), sizes, static_cast<bool>(mask), options.p > 0, true);
  T* partial = reinterpret_cast<T*>(call.workspace);
  char* scratch = call.workspace + partial_bytes(sizes, query.dtype());
  const int64_t all_values = sizes.heads * sizes.queries * sizes.features;
  const double ns = 2.5 * sizes.nanoseconds<T>(2) * static_cast<double>(sizes.group) /
                    static_cast<double>(stretches);
  parallel(items, grain_for(ns), [&](int64_t begin, int64_t end, int worker) {
    AttentionBlock<T> shared = block_of<T>(sizes, options, stream);
    carve<T>(scratch + static_cast<size_t>(worker) * bytes, sizes, static_cast<bool>(mask),
             options.p > 0, true, shared.scratch);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t stretch = item % stretches, key_head = item / stretches;
      shared.first_key = stretch * sizes.keys / stretches;
      shared.last_key = (stretch + 1) * sizes.keys / stretches;
      for (int64_t h = key_head * sizes.group; h < (key_head + 1) * sizes.group; ++h) {
        shared.key = head<T>(key, sizes.lead, sizes.group, h);
        shared.value = head<T>(value, sizes.lead, sizes.group, h);
        shared.key_grad = rows_of(head<T>(result[1], sizes.lead, sizes.group, h));
        shared.value_grad = rows_of(head<T>(result[2], sizes.lead, sizes.group, h));
        if (h == key_head * sizes.group) {
          const auto clear = [&](const RowMatrix<T>& x, int64_t cols) {
            for (int64_t k = shared.first_key; k < shared.last_key; ++k) {
              std::fill_n(x.data + k * x.row, cols, T(0));
            }
          };
          clear(shared.key_grad, sizes.features);
          clear(shared.value_grad, sizes.value_features);
        }
        for (int64_t number = 0; number < blocks; ++number) {
          AttentionBlock<T> block = shared;
          block.query = head<T>(query, sizes.lead, 1, h);
          block.mask = head<T>(mask, sizes.lead, 1, h);
          block.grad = head<T>(given, sizes.lead, 1, h);
          block.out = rows_of(head<T>(out, sizes.lead, 1, h));
          block.log_sum = log_sum.data<T>();
          if (stretches == 1) {
            block.query_grad = rows_of(head<T>(result[0], sizes.lead, 1, h));
          } else {
            T* own = partial + stretch * all_values + h * sizes.queries * sizes.features;
            block.query_grad = {own, sizes.features};
          }
          place(block, sizes, h, number);
          block.grad.data += block.first_query * block.grad.row;
          block.query_grad.data += block.first_query * block.query_grad.row;
          kernels<T>().backward(block);
        }
      }
    }
  });
  if (stretches == 1) return;
  parallel(sizes.heads * sizes.queries,
           grain_for(0.3 * static_cast<double>(stretches * sizes.features)),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t row = begin; row < end; ++row) {
               const int64_t h = row / sizes.queries;
               const StridedMatrix<T> to = head<T>(result[0], sizes.lead, 1, h);
               T* sum = const_cast<T*>(to.data) + row % sizes.queries * to.row;
               const T* from = partial + row * sizes.features;
               std::copy_n(from, sizes.features, sum);
               for (int64_t s = 1; s < stretches; ++s) {
                 const T* part = from + s * all_values;
                 for (int64_t e = 0; e < sizes.features; ++e) sum[e] += part[e];
               }
             }
           });
}

// ---------------------------------------------------------------- gradients by ops

struct Gradients {
  Tensor query, key, value, mask;
};

// (..., H, L, E) to (..., key heads, group, L, E).
Tensor split_heads(const Tensor& x, int64_t group) {
  Dims shape(x.shape().begin(), x.shape().end() - 3);
  shape.push_back(x.size(-3) / group);
  for (int64_t size : {group, x.size(-2), x.size(-1)}) shape.push_back(size);
  return OP(reshape)(x, shape);
}

Tensor future(int64_t queries, int64_t keys) {
  const Tensor hidden = Tensor::empty({queries, keys}, DType::kBool);
  bool* flag = hidden.data<bool>();
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t k = 0; k < keys; ++k) *flag++ = k > i;
  }
  return hidden;
}

// The gradients written with ops on whole matrices of weights: they can be differentiated again,
// and give the mask's gradient.
Gradients taped_gradients(Tensor grad, Tensor query, Tensor key, Tensor value, Tensor mask,
                          const Tensor& start, const Options& options) {
  const Sizes sizes(query, key, value);
  const bool grouped = sizes.group > 1;
  const Dims query_shape = query.shape();
  if (grouped) {
    query = split_heads(query, sizes.group);
    grad = split_heads(grad, sizes.group);
    if (mask) mask = split_heads(mask, sizes.group);
    key = OP(unsqueeze)(key, -3);
    value = OP(unsqueeze)(value, -3);
  }
  const auto flipped = [](const Tensor& x) { return OP(transpose)(x, -2, -1); };
  Tensor scores = OP(matmul)(query, flipped(key)) * options.scale;
  if (mask) scores = scores + mask;
  const double nothing = -std::numeric_limits<double>::infinity();
  if (options.causal) scores = OP(where)(future(sizes.queries, sizes.keys), nothing, scores);
  Tensor weights;
  if (mask && scores.numel() > 0) {  // rows that see no key have weights of zero
    const Tensor blind = OP(eq)(OP(amax)(scores, Dims{-1}, true), nothing);
    weights = OP(where)(blind, 0.0, OP(softmax)(OP(where)(blind, 0.0, scores), -1));
  } else {
    weights = OP(softmax)(scores, -1);
  }
  const auto drop = [&](const Tensor& x) {
    return options.p > 0 ? OP(_dropout_grad)(x, start, options.p) : x;
  };
  const Tensor score_grad = OP(_softmax_grad)(drop(OP(matmul)(grad, flipped(value))), weights);
  Gradients d;
  d.query = OP(matmul)(score_grad, key) * options.scale;
  d.key = OP(matmul)(flipped(score_grad), query) * options.scale;
  d.value = OP(matmul)(flipped(drop(weights)), grad);
  d.mask = score_grad;
  if (grouped) {
    d.query = OP(reshape)(d.query, query_shape);
    d.key = OP(sum)(d.key, Dims{-3});
    d.value = OP(sum)(d.value, Dims{-3});
    Dims mask_shape = query_shape;
    mask_shape.back() = sizes.keys;
    d.mask = OP(reshape)(d.mask, mask_shape);
  }
  return d;
}

// ---------------------------------------------------------------- rows

// Shapes are checked where names and hints are known, in nn.functional; here is what memory needs.
Sizes checked_sizes(const Call& call, const Tensor& query, const Tensor& key, const Tensor& value,
                    const Tensor& mask) {
  const int rank = query.rank();
  CR_CHECK(rank >= 2 && key.rank() == rank && value.rank() == rank, call.name(), ": got shapes ",
           query.shape(), ", ", key.shape(), " and ", value.shape(),
           "; expected (..., L, E), (..., S, E) and (..., S, Ev)");
  bool fits = key.size(-1) == query.size(-1) && value.size(-2) == key.size(-2);
  for (int d = 0; d < rank - 2; ++d) {
    const int64_t n = query.size(d), m = key.size(d);
    fits = fits && value.size(d) == m && (n == m || (d == rank - 3 && m > 0 && n % m == 0));
  }
  CR_CHECK(fits, call.name(), ": query ", query.shape(), ", key ", key.shape(), " and value ",
           value.shape(), " do not fit; expected (..., L, E), (..., S, E) and (..., S, Ev)");
  for (const Tensor* x : {&query, &key, &value, &mask}) {
    CR_CHECK_TYPE(!*x || (is_floating(x->dtype()) && x->dtype() == query.dtype()), call.name(),
                  ": needs floating-point tensors of one dtype (got ", query.dtype(), " and ",
                  *x ? x->dtype() : query.dtype(), ")");
  }
  if (mask) {
    Dims shape = query.shape();
    shape.back() = key.size(-2);
    CR_CHECK(mask.shape() == shape, call.name(), ": the mask has shape ", mask.shape(),
             "; expected ", shape);
  }
  return Sizes(query, key, value);
}

void check_operand(const Call& call, const Tensor& x, const Dims& shape, DType dtype) {
  CR_CHECK(x.shape() == shape && x.dtype() == dtype, call.name(), ": got ", x.dtype(), " of shape ",
           x.shape(), "; expected ", dtype, " of shape ", shape);
}

const Row attention_row =
    Row("_attention(Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor? state, float p, "
        "bool causal, float scale) -> (Tensor out, Tensor log_sum, Tensor start)")
        .doc(
            "``softmax(scale * query @ key.T + mask) @ value`` without a whole matrix of weights. "
            "``out`` is laid out (..., L, H, Ev) when there is a batch before the heads.")
        .infer([](Call& call) {
          const Tensor &query = call.in[0], &value = call.in[2];
          const Sizes sizes = checked_sizes(call, query, call.in[1], value, call.in[3]);
          const double p = call.attrs.f(0);
          CR_CHECK(p >= 0 && p <= 1, call.name(), ": p must lie in [0, 1] (got ", p, ")");
          if (p > 0) {
            CR_CHECK_TYPE(static_cast<bool>(call.in[4]), call.name(), ": dropout needs a state");
            check_state(call.name(), call.in[4]);
          }
          Dims shape = query.shape(), rows = sizes.lead;
          shape.back() = sizes.value_features;
          rows.push_back(sizes.queries);
          call.outputs = 3;
          call.set_output(0, swapped(shape), query.dtype());
          call.set_output(1, rows, query.dtype());
          call.set_output(2, {p > 0 ? 2 : 0}, DType::kInt64);
          call.workspace_bytes =
              static_cast<size_t>(max_workers()) *
              scratch_bytes(query.dtype(), sizes, static_cast<bool>(call.in[3]), p > 0, false);
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(),
                            [&](auto tag) { launch_forward<typename decltype(tag)::type>(call); });
        })
        .saves("query, key, value, mask, out, log_sum, start")
        .vjp([](Vjp& v) {
          const Tensor query = v.in(0), key = v.in(1), value = v.in(2), mask = v.in(3);
          const Tensor grad = v.grad(0), start = v.out(2);
          const Options options(v.attrs());
          if (GradMode::enabled() || v.needs(3)) {
            const Gradients d =
                taped_gradients(swap_back(grad), query, key, value, mask, start, options);
            v.set(0, d.query);
            v.set(1, d.key);
            v.set(2, d.value);
            v.set(3, d.mask);
            return;
          }
          Tensor out[kMaxOutputs];
          run(OP(_attention_grad), {grad, query, key, value, mask, v.out(0), v.out(1), start},
              v.attrs(), out);
          for (int i = 0; i < 3; ++i) v.set(i, swap_back(out[i]));
        });

const Row attention_grad_row =
    Row("_attention_grad(Tensor grad, Tensor query, Tensor key, Tensor value, Tensor? mask, "
        "Tensor out, Tensor log_sum, Tensor start, float p, bool causal, float scale) -> "
        "(Tensor query_grad, Tensor key_grad, Tensor value_grad)")
        .doc("Gradients of ``_attention``, laid out as its result; the weights are made again.")
        .infer([](Call& call) {
          const Tensor &query = call.in[1], &key = call.in[2], &value = call.in[3];
          const Sizes sizes = checked_sizes(call, query, key, value, call.in[4]);
          Dims result = query.shape(), rows = sizes.lead;
          result.back() = sizes.value_features;
          rows.push_back(sizes.queries);
          for (int i : {0, 5}) check_operand(call, call.in[i], swapped(result), query.dtype());
          check_operand(call, call.in[6], rows, query.dtype());
          if (call.attrs.f(0) > 0) check_state(call.name(), call.in[7]);
          call.outputs = 3;
          for (int i = 0; i < 3; ++i) {
            call.set_output(i, swapped(call.in[1 + i].shape()), query.dtype());
          }
          call.workspace_bytes =
              partial_bytes(sizes, query.dtype()) +
              static_cast<size_t>(max_workers()) * scratch_bytes(query.dtype(), sizes,
                                                                 static_cast<bool>(call.in[4]),
                                                                 call.attrs.f(0) > 0, true);
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[1].dtype(),
                            [&](auto tag) { launch_backward<typename decltype(tag)::type>(call); });
        });

}  // namespace
}  // namespace cr

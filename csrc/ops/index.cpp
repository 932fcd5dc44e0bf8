// Rows that pick or place elements by index tensors.
//
// Gathering and adding are each other's gradients: {index, index_put}, {gather, scatter_add},
// {index_select, index_add}. Index values are checked before anything is written; equal indices
// add up in the order of the index tensor, whatever the thread count.
#include "ops/index.h"

#include <cstring>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/index.kernel.h"
#include "ops/pointwise.h"

namespace cr {

void check_index_type(const char* op, const Tensor& index) {
  CR_CHECK_INDEX(is_integral(index.dtype()), op, ": indices must be integers (got ", index.dtype(),
                 ")");
}

Tensor checked_indices(const char* op, const Tensor& index, int64_t size, int dim, bool wrap) {
  check_index_type(op, index);
  Tensor result = Tensor::empty(index.shape(), DType::kInt64);
  const bool direct = index.dtype() == DType::kInt64 && index.contiguous();
  if (!direct) copy_into(result, index);
  int64_t* values = result.data<int64_t>();
  const int64_t* from = direct ? index.data<int64_t>() : values;
  if (!index_kernels().check(from, result.numel(), size, wrap, values)) {
    for (int64_t i = 0; i < result.numel(); ++i) {
      CR_CHECK_INDEX(values[i] >= 0 && values[i] < size, op, ": index ",
                     wrap && values[i] < 0 ? values[i] - size : values[i],
                     " is out of bounds for dimension ", dim, " with size ", size);
    }
  }
  return result;
}

void gather_rows(const Tensor& x, const int64_t* index, int64_t count, const Tensor& out) {
  const int64_t bytes = x.size(0) ? x.nbytes() / x.size(0) : 0;
  // Chunks of a few microseconds: two cores read from L3 at twice the speed of one.
  parallel(count, grain_for(4 + 0.2 * static_cast<double>(bytes)),
           [&](int64_t begin, int64_t end, int) {
             index_kernels().gather(x.data(), index + begin, end - begin, bytes,
                                    out.data() + begin * bytes);
           });
}

namespace {

// ---------------------------------------------------------------- x[i, j, ...]

// The geometry of advanced indexing. `arrays[d]` indexes dimension d (undefined: taken whole).
struct Picked {
  Dims index_shape;  // broadcast shape of the index arrays
  Dims result_shape;
  TensorList arrays;  // int64, contiguous, broadcast
  int first = -1;     // dimension of the result where index_shape stands
  Dims whole;         // dimensions taken whole, in order
  int64_t count = 1;  // of index tuples
};

Picked pick(const char* op, const Tensor& x, const TensorList& in, int first_array, int count) {
  CR_CHECK_INDEX(count <= x.rank(), op, ": too many indices (got ", count, " for a tensor with ",
                 x.rank(), " dimensions)");
  Picked picked;
  bool adjacent = true;
  int last = -1;
  for (int d = 0; d < count; ++d) {
    const Tensor& array = in[first_array + d];
    if (!array) continue;
    if (picked.first < 0)
      picked.first = d;
    else
      adjacent = adjacent && last == d - 1;
    last = d;
    picked.index_shape = broadcast_shapes(op, picked.index_shape, array.shape());
  }
  // NumPy's rule: index arrays next to each other keep their place, else they come first.
  if (!adjacent) picked.first = 0;
  picked.count = numel(picked.index_shape);
  for (int d = 0; d < x.rank(); ++d) {
    const Tensor array = d < count ? in[first_array + d] : Tensor();
    if (!array) {
      picked.whole.push_back(d);
      picked.arrays.push_back(Tensor());
      continue;
    }
    const Tensor checked = checked_indices(op, array, x.shape()[d], d, true);
    picked.arrays.push_back(contiguous_copy(OP(expand)(checked, picked.index_shape)));
  }
  int placed = 0;
  for (int64_t d : picked.whole) {
    if (placed++ == picked.first) {
      for (int64_t size : picked.index_shape) picked.result_shape.push_back(size);
    }
    picked.result_shape.push_back(x.shape()[static_cast<int>(d)]);
  }
  if (picked.whole.size() <= picked.first || picked.whole.empty()) {
    for (int64_t size : picked.index_shape) picked.result_shape.push_back(size);
  }
  return picked;
}

// Offset in elements of index tuple i.
int64_t offset_of(const Picked& picked, const Tensor& x, int64_t i) {
  int64_t offset = 0;
  for (int d = 0; d < x.rank(); ++d) {
    if (picked.arrays[d]) offset += picked.arrays[d].data<int64_t>()[i] * x.strides()[d];
  }
  return offset;
}

// Calls f(part of x for tuple i, part of the result for tuple i), both tensors of the whole dims.
template <class F>
void for_each_tuple(const Picked& picked, const Tensor& x, const Tensor& result, F&& f) {
  Dims whole_shape, x_strides, result_strides, index_strides;
  int at = 0;
  const int rank = picked.index_shape.size();
  for (int d = 0; d < result.rank(); ++d) {
    if (d >= picked.first && d < picked.first + rank) {
      index_strides.push_back(result.strides()[d]);
      continue;
    }
    const int dim = static_cast<int>(picked.whole[at++]);
    whole_shape.push_back(x.shape()[dim]);
    x_strides.push_back(x.strides()[dim]);
    result_strides.push_back(result.strides()[d]);
  }
  Dims position = Dims::filled(rank, 0);
  for (int64_t i = 0; i < picked.count; ++i) {
    int64_t offset = 0;
    for (int d = 0; d < rank; ++d) offset += position[d] * index_strides[d];
    f(x.alias(whole_shape, x_strides, offset_of(picked, x, i)),
      result.alias(whole_shape, result_strides, offset));
    for (int d = rank - 1; d >= 0 && ++position[d] == picked.index_shape[d]; --d) position[d] = 0;
  }
}

// The common case: index arrays on the first dimensions of a contiguous x only. x is then a matrix
// with a row for every index tuple, and `numbers` says which row each one is.
struct Rows {
  Tensor matrix, numbers;  // undefined where the indices lie otherwise

  Rows(const Picked& picked, const Tensor& x) {
    int leading = 0;
    while (leading < x.rank() && picked.arrays[leading]) ++leading;
    bool apt = leading > 0 && x.contiguous() && x.numel() > 0;
    for (int d = leading; d < x.rank(); ++d) apt = apt && !picked.arrays[d];
    if (!apt) return;
    int64_t rows = 1;
    for (int d = 0; d < leading; ++d) rows *= x.shape()[d];
    matrix = x.alias(Dims{rows, x.numel() / rows}, Dims{x.numel() / rows, 1}, 0);
    numbers = picked.arrays[0];
    if (leading == 1) return;
    numbers = Tensor::empty(Dims{picked.count}, DType::kInt64);
    copy_into(numbers, OP(reshape)(picked.arrays[0], Dims{-1}));
    int64_t* to = numbers.data<int64_t>();
    for (int d = 1; d < leading; ++d) {
      const int64_t size = x.shape()[d];
      const int64_t* next = picked.arrays[d].data<int64_t>();
      for (int64_t i = 0; i < picked.count; ++i) to[i] = to[i] * size + next[i];
    }
  }
  explicit operator bool() const { return matrix.defined(); }
};

int64_t row_bytes(const Tensor& x) {
  int64_t bytes = itemsize(x.dtype());
  for (int d = 1; d < x.rank(); ++d) bytes *= x.shape()[d];
  return bytes;
}

// target[index[i]] += source[i], one after another: deterministic. Columns are split over threads.
void add_rows(const Tensor& target, const int64_t* index, int64_t count, const Tensor& source) {
  const int64_t width = row_bytes(target) / itemsize(target.dtype());
  dispatch(target.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = target.data<T>();
    const T* from = source.data<T>();
    const int64_t grain = std::max<int64_t>(16, grain_for(0.5 * static_cast<double>(count)));
    parallel(width, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = 0; i < count; ++i) {
        T* row = to + index[i] * width;
        const T* values = from + i * width;
        for (int64_t j = begin; j < end; ++j) row[j] = static_cast<T>(row[j] + values[j]);
      }
    });
  });
}

// Row index[i] of target = row i of source, one after another: the last of repeated ones stays.
void put_rows(const Tensor& target, const int64_t* index, const Tensor& source) {
  const int64_t bytes = row_bytes(target), count = source.nbytes() / bytes;
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(target.data() + index[i] * bytes, source.data() + i * bytes,
                static_cast<size_t>(bytes));
  }
}

int index_count(const Call& call) { return static_cast<int>(call.attrs.i(0)); }

// The call with masks among the indices replaced by the places where they hold, one index for each
// dimension of a mask; declines when there is none.
Tensor with_places(const OpDef& op, const TensorList& in, const Attrs& attrs) {
  const int count = static_cast<int>(attrs.i(0));
  TensorList list{in[0]};
  bool masks = false;
  for (int i = 1; i <= count; ++i) {
    const Tensor& index = in[i];
    if (!index || index.dtype() != DType::kBool) {
      list.push_back(index);
      continue;
    }
    masks = true;
    const int dim = list.size() - 1;
    bool fits = index.rank() > 0 && dim + index.rank() <= in[0].rank();
    for (int d = 0; fits && d < index.rank(); ++d)  // a size of 0 picks nothing
      fits = index.shape()[d] == in[0].shape()[dim + d] || index.shape()[d] == 0;
    CR_CHECK_INDEX(fits, op.name(), ": mask of shape ", index.shape(),
                   " does not match the tensor of shape ", in[0].shape(), " at dimension ", dim);
    const Tensor places = OP(nonzero)(index);
    for (int d = 0; d < index.rank(); ++d) list.push_back(OP(select)(places, 1, d));
  }
  if (!masks) return Tensor();
  Attrs expanded;
  expanded.push_int(list.size() - 1);
  for (int i = count + 1; i < in.size(); ++i) list.push_back(in[i]);
  if (attrs.size() > 1) expanded.push_bool(attrs.b(1));
  return run(op, list, expanded);
}

const Row index_row =
    Row("index(Tensor input, Tensor?[] indices)")
        .doc(R"(``input[indices]`` with one integer tensor (or None for the whole) per dimension.

A bool mask stands for as many dimensions as it has.

Gradient: added to the elements that were picked, repeated ones as often as they were.

Example:
    >>> cr.index(cr.tensor([10, 20, 30]), [cr.tensor([2, 0])])
    tensor([30, 10])
)")
        .moves()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return with_places(OP(index), in, attrs);
        })
        .infer([](Call& call) {
          const Picked picked = pick("index", call.in[0], call.in, 1, index_count(call));
          call.set_output(0, picked.result_shape, call.in[0].dtype());
        })
        .launch([](Call& call) {
          const Tensor& x = call.in[0];
          const Picked picked = pick("index", x, call.in, 1, index_count(call));
          if (call.out[0].numel() == 0) return;
          if (const Rows rows(picked, x); rows) {
            return gather_rows(rows.matrix, rows.numbers.data<int64_t>(), picked.count,
                               call.out[0]);
          }
          for_each_tuple(picked, x, call.out[0],
                         [](const Tensor& from, const Tensor& to) { copy_into(to, from); });
        })
        .saves("indices")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            TensorList in{v.zeros_like_input(0)};
            for (int i = 1; i < v.inputs(); ++i) in.push_back(v.in(i));
            in.push_back(v.grad());
            Attrs attrs;
            attrs.push_int(v.inputs() - 1);
            attrs.push_bool(true);
            return run(OP(index_put), in, attrs);
          });
        });

const Row index_put_row =
    Row("index_put(Tensor input, Tensor?[] indices, Tensor values, bool accumulate=False)")
        .doc(R"(Copy of ``input`` with ``values`` put (or added) at ``indices``.

Without ``accumulate`` the last of repeated indices wins.

Example:
    >>> cr.index_put(cr.zeros(3), [cr.tensor([0, 0])], cr.ones(2), accumulate=True)
    tensor([2., 0., 0.])
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return with_places(OP(index_put), in, attrs);
        })
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          const Tensor& values = call.in[call.in.size() - 1];
          const Picked picked = pick("index_put", x, call.in, 1, index_count(call));
          CR_CHECK(broadcastable_to(values.shape(), picked.result_shape),
                   "index_put: values of shape ", values.shape(),
                   " do not broadcast to the indexed shape ", picked.result_shape);
          CR_CHECK_TYPE(values.dtype() == x.dtype() || values.impl()->weak || values.rank() == 0 ||
                            can_cast(values.dtype(), x.dtype()),
                        "index_put: values of dtype ", values.dtype(),
                        " cannot be put into a tensor of ", x.dtype());
          call.out_meta[0] = x.meta();
        })
        .launch([](Call& call) {
          const Tensor& out = call.out[0];
          copy_into(out, call.in[0]);
          const Picked picked = pick("index_put", out, call.in, 1, index_count(call));
          if (numel(picked.result_shape) == 0) return;
          const Tensor spread = OP(expand)(call.in[call.in.size() - 1], picked.result_shape);
          Tensor values = Tensor::empty(picked.result_shape, out.dtype());
          copy_into(values, spread);
          const Rows rows(picked, out);
          if (!call.attrs.b(1)) {
            if (rows) return put_rows(rows.matrix, rows.numbers.data<int64_t>(), values);
            return for_each_tuple(picked, out, values, [](const Tensor& to, const Tensor& from) {
              copy_into(to, from);
            });
          }
          if (rows) {
            return add_rows(rows.matrix, rows.numbers.data<int64_t>(), picked.count, values);
          }
          const Block add = OP(add).blocks[static_cast<int>(out.dtype())];
          for_each_tuple(picked, out, values, [&](const Tensor& to, const Tensor& from) {
            run_block(add, to, {to, from}, nullptr, 0.3);
          });
        })
        .broadcasts()
        .saves("indices")
        .vjp([](Vjp& v) {
          const int last = v.inputs() - 1;
          TensorList indices;
          for (int i = 1; i < last; ++i) indices.push_back(v.in(i));
          v.set(0, [&] {
            if (v.attrs().b(1)) return v.grad();
            TensorList in{v.grad()};
            for (const Tensor& index : indices) in.push_back(index);
            in.push_back(Tensor::scalar(0.0, v.in_dtype(0)));
            Attrs attrs;
            attrs.push_int(indices.size());
            attrs.push_bool(false);
            return run(OP(index_put), in, attrs);
          });
          v.set(last, [&] { return OP(index)(v.grad(), indices); });
        });

// ---------------------------------------------------------------- one dimension

const Row index_select_row =
    Row("index_select(Tensor input, int dim, Tensor index)")
        .doc(R"(The given indices of one dimension.

Args:
    index: integers, a vector.

Example:
    >>> cr.index_select(cr.tensor([[1, 2], [3, 4]]), 1, cr.tensor([1]))
    tensor([[2],
            [4]])
)")
        .moves()
        .infer([](Call& call) {
          const Tensor &x = call.in[0], &index = call.in[1];
          const int dim = normalize_dim("index_select", call.attrs.i(0), x.rank());
          CR_CHECK(index.rank() <= 1, "index_select: index must be a vector (got shape ",
                   index.shape(), ")");
          check_index_type("index_select", index);
          Dims shape = x.shape();
          if (x.rank() > 0) shape[dim] = index.numel();
          call.set_output(0, shape, x.dtype());
        })
        .launch([](Call& call) {
          const Tensor &x = call.in[0], &out = call.out[0];
          const int dim = normalize_dim("index_select", call.attrs.i(0), x.rank());
          const int64_t size = x.rank() ? x.shape()[dim] : 1;
          const Tensor index = checked_indices("index_select", call.in[1], size, dim, false);
          if (out.numel() == 0) return;
          if (x.rank() == 0) return copy_into(out, x);
          if (dim == 0 && x.contiguous())
            return gather_rows(x, index.data<int64_t>(), index.numel(), out);
          Dims shape = x.shape(), x_strides = x.strides(), out_strides = out.strides();
          shape.erase(dim);
          x_strides.erase(dim);
          out_strides.erase(dim);
          for (int64_t i = 0; i < index.numel(); ++i) {
            copy_into(out.alias(shape, out_strides, i * out.strides()[dim]),
                      x.alias(shape, x_strides, index.data<int64_t>()[i] * x.strides()[dim]));
          }
        })
        .saves("index")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const int64_t dim = v.attrs().i(0);
            if (dim == 0 && !v.in_shape(0).empty() && is_floating(v.in_dtype(0))) {
              return OP(_sum_rows)(v.grad(), v.in(1), v.in_shape(0)[0]);
            }
            return OP(index_add)(v.zeros_like_input(0), dim, v.in(1), v.grad());
          });
        });

const Row index_add_row =
    Row("index_add(Tensor input, int dim, Tensor index, Tensor source, *, float alpha=1)")
        .doc(
            R"(Copy of ``input`` with ``alpha * source`` added at the given indices of one dimension.

Example:
    >>> cr.index_add(cr.zeros(3), 0, cr.tensor([1, 1]), cr.ones(2))
    tensor([0., 2., 0.])
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          if (attrs.f(1) == 1) return Tensor();
          const double alpha = attrs.f(1);
          const bool whole = alpha == static_cast<double>(static_cast<int64_t>(alpha));
          CR_CHECK(whole || is_floating(in[2].dtype()),
                   "index_add: alpha must be a whole number for integer tensors (got ", alpha, ")");
          const Tensor scaled =
              whole ? OP(mul)(in[2], static_cast<int64_t>(alpha)) : OP(mul)(in[2], alpha);
          return OP(index_add)(in[0], attrs.i(0), in[1], scaled);
        })
        .infer([](Call& call) {
          const Tensor &x = call.in[0], &index = call.in[1], &source = call.in[2];
          const int dim = normalize_dim("index_add", call.attrs.i(0), x.rank());
          check_index_type("index_add", index);
          Dims expected = x.shape();
          if (x.rank() > 0) expected[dim] = index.numel();
          CR_CHECK(index.rank() <= 1 && source.shape() == expected, "index_add: source has shape ",
                   source.shape(), "; expected ", expected, " for ", index.numel(), " indices");
          CR_CHECK_TYPE(source.dtype() == x.dtype(), "index_add: source is ", source.dtype(),
                        ", input is ", x.dtype(), "; they must be the same");
          call.out_meta[0] = x.meta();
        })
        .launch([](Call& call) {
          const Tensor& out = call.out[0];
          copy_into(out, call.in[0]);
          const int dim = normalize_dim("index_add", call.attrs.i(0), out.rank());
          const int64_t size = out.rank() ? out.shape()[dim] : 1;
          const Tensor index = checked_indices("index_add", call.in[1], size, dim, false);
          const Tensor source = call.in[2].contiguous() ? call.in[2] : contiguous_copy(call.in[2]);
          if (source.numel() == 0) return;
          if (dim == 0 && out.rank() > 0)
            return add_rows(out, index.data<int64_t>(), index.numel(), source);
          const Block add = OP(add).blocks[static_cast<int>(out.dtype())];
          if (out.rank() == 0) return run_block(add, out, {out, source}, nullptr, 0.3);
          Dims shape = out.shape(), to_strides = out.strides(), from_strides = source.strides();
          shape.erase(dim);
          to_strides.erase(dim);
          from_strides.erase(dim);
          for (int64_t i = 0; i < index.numel(); ++i) {
            const Tensor to =
                out.alias(shape, to_strides, index.data<int64_t>()[i] * out.strides()[dim]);
            run_block(add, to, {to, source.alias(shape, from_strides, i * source.strides()[dim])},
                      nullptr, 0.3);
          }
        })
        .saves("index")
        .vjp([](Vjp& v) {
          v.set(0, v.grad());
          v.set(2, [&] {
            const Tensor picked = OP(index_select)(v.grad(), v.attrs().i(0), v.in(1));
            return OP(reshape)(picked, v.in_shape(2));
          });
        });

// ---------------------------------------------------------------- gather and scatter

// out[i][j] = x[index[i][j]][j] and its reverse walk all positions of `index`: `visit(a, b)` gets
// the offsets of the indexed element (strides a) and of the position itself (strides b).
template <class F>
void walk_index(const Tensor& index, int dim, const Dims& indexed, const Dims& plain, F&& visit) {
  const int last = index.rank() - 1;
  const int64_t width = index.shape()[last];
  const int64_t across = indexed[dim], along = dim == last ? 0 : indexed[last], step = plain[last];
  const int64_t* row = index.data<int64_t>();
  Dims at = Dims::filled(last, 0);
  for (int64_t i = 0, n = index.numel(); i < n; i += width, row += width) {
    int64_t a = 0, b = 0;
    for (int d = 0; d < last; ++d) {
      if (d != dim) a += at[d] * indexed[d];
      b += at[d] * plain[d];
    }
    for (int64_t j = 0; j < width; ++j) visit(a + row[j] * across + j * along, b + j * step);
    for (int d = last - 1; d >= 0 && ++at[d] == index.shape()[d]; --d) at[d] = 0;
  }
}

// 0-d tensors count as vectors of one element.
Tensor at_least_vector(const Tensor& x) { return x.rank() ? x : x.alias(Dims{1}, Dims{1}, 0); }

void check_index_shape(const char* op, const Tensor& index, Dims limit, int skip,
                       const char* what) {
  if (limit.empty()) limit.push_back(1);
  bool fits = index.rank() == limit.size() || (index.rank() == 0 && limit.size() == 1);
  for (int d = 0; fits && index.rank() > 0 && d < limit.size(); ++d)
    fits = d == skip || index.shape()[d] <= limit[d];
  CR_CHECK(fits, op, ": index of shape ", index.shape(), " does not fit ", what, " of shape ",
           limit, "; it may be larger in the indexed dimension only");
}

const Row gather_row =
    Row("gather(Tensor input, int dim, Tensor index)")
        .doc(R"(Pick along one dimension: ``out[i][j] = input[i][index[i][j]]`` for ``dim=1``.

Example:
    >>> cr.gather(cr.tensor([[1, 2], [3, 4]]), 1, cr.tensor([[0], [1]]))
    tensor([[1],
            [4]])
)")
        .moves()
        .infer([](Call& call) {
          const Tensor &x = call.in[0], &index = call.in[1];
          const int dim = normalize_dim("gather", call.attrs.i(0), x.rank());
          check_index_type("gather", index);
          if (index.numel() > 0) check_index_shape("gather", index, x.shape(), dim, "the input");
          call.set_output(0, index.shape(), x.dtype());
        })
        .launch([](Call& call) {
          const Tensor x = at_least_vector(call.in[0]), out = at_least_vector(call.out[0]);
          const int dim = normalize_dim("gather", call.attrs.i(0), x.rank());
          const Tensor index =
              at_least_vector(checked_indices("gather", call.in[1], x.shape()[dim], dim, false));
          if (index.numel() == 0) return;
          dispatch(x.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T* from = x.data<T>();
            T* to = out.data<T>();
            walk_index(index, dim, x.strides(), out.strides(),
                       [&](int64_t a, int64_t b) { to[b] = from[a]; });
          });
        })
        .saves("index")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(scatter_add)(v.zeros_like_input(0), v.attrs().i(0), v.in(1), v.grad());
          });
        });

void infer_scatter(Call& call) {
  const Tensor &x = call.in[0], &index = call.in[1], &src = call.in[2];
  const int dim = normalize_dim(call.name(), call.attrs.i(0), x.rank());
  check_index_type(call.name(), index);
  if (index.numel() > 0) {
    check_index_shape(call.name(), index, x.shape(), dim, "the input");
    if (src.rank() > 0 || index.rank() == 0)
      check_index_shape(call.name(), index, src.shape(), -1, "the source");
  }
  CR_CHECK_TYPE(src.dtype() == x.dtype() || src.impl()->weak, call.name(), ": source is ",
                src.dtype(), ", input is ", x.dtype(), "; they must be the same");
  call.compute = x.dtype();
  call.cast_from = 2;
  call.out_meta[0] = x.meta();
}

void launch_scatter(Call& call, bool add) {
  copy_into(call.out[0], call.in[0]);
  const Tensor out = at_least_vector(call.out[0]);
  const int dim = normalize_dim(call.name(), call.attrs.i(0), out.rank());
  const Tensor index =
      at_least_vector(checked_indices(call.name(), call.in[1], out.shape()[dim], dim, false));
  if (index.numel() == 0) return;
  Tensor src = call.in[2];
  if (src.rank() == 0) src = src.alias(index.shape(), Dims::filled(index.rank(), 0), 0);
  dispatch(out.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = out.data<T>();
    const T* from = src.data<T>();
    if (add) {
      walk_index(index, dim, out.strides(), src.strides(),
                 [&](int64_t a, int64_t b) { to[a] = static_cast<T>(to[a] + from[b]); });
    } else {
      walk_index(index, dim, out.strides(), src.strides(),
                 [&](int64_t a, int64_t b) { to[a] = from[b]; });
    }
  });
}

// The part of src that index covers gets a gradient; the rest was not used.
Tensor source_grad(const Vjp& v) {
  Tensor picked = OP(gather)(v.grad(), v.attrs().i(0), v.in(1));
  const Dims& shape = v.in_shape(2);
  if (picked.shape() == shape) return picked;
  if (picked.rank() == 0) picked = OP(reshape)(picked, Dims{1});
  if (shape.empty()) return OP(sum)(picked);
  Dims pad;
  for (int d = shape.size() - 1; d >= 0; --d) {
    pad.push_back(0);
    pad.push_back(shape[d] - picked.shape()[d]);
  }
  return OP(_constant_pad)(picked, pad, 0.0);
}

const Row scatter_row =
    Row("scatter(Tensor input, int dim, Tensor index, Operand src)")
        .doc(R"(Copy of ``input`` with ``out[i][index[i][j]] = src[i][j]`` for ``dim=1``.

The last of repeated indices wins; the gradient is then right for it alone.

Example:
    >>> cr.scatter(cr.zeros(3), 0, cr.tensor([2]), cr.tensor([5.]))
    tensor([0., 0., 5.])
)")
        .inplace()
        .moves()
        .infer(infer_scatter)
        .launch([](Call& call) { launch_scatter(call, false); })
        .saves("index")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(scatter)(v.grad(), v.attrs().i(0), v.in(1), 0.0); });
          v.set(2, [&] { return source_grad(v); });
        });

const Row scatter_add_row =
    Row("scatter_add(Tensor input, int dim, Tensor index, Tensor src)")
        .doc(R"(Copy of ``input`` with ``out[i][index[i][j]] += src[i][j]`` for ``dim=1``.

Example:
    >>> cr.scatter_add(cr.zeros(3), 0, cr.tensor([2, 2]), cr.ones(2))
    tensor([0., 0., 2.])
)")
        .inplace()
        .infer(infer_scatter)
        .launch([](Call& call) { launch_scatter(call, true); })
        .saves("index")
        .vjp([](Vjp& v) {
          v.set(0, v.grad());
          v.set(2, [&] { return source_grad(v); });
        });

// ---------------------------------------------------------------- masks

const Row masked_fill_row =
    Row("masked_fill(Tensor input, Tensor mask, Operand value)")
        .doc(R"(``value`` where the bool mask holds, ``input`` elsewhere.

Example:
    >>> x = cr.tensor([1., -2.])
    >>> x.masked_fill(x < 0, 0)
    tensor([1., 0.])
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs&) {
          CR_CHECK_TYPE(in[1].dtype() == DType::kBool, "masked_fill: the mask must be bool (got ",
                        in[1].dtype(), ")");
          CR_CHECK(in[2].rank() == 0,
                   "masked_fill: value must be a number or 0-d tensor (got shape ", in[2].shape(),
                   ")");
          CR_CHECK_TYPE(can_cast(in[2].dtype(), in[0].dtype()), "masked_fill: a value of dtype ",
                        in[2].dtype(), " does not fit a tensor of ", in[0].dtype());
          return OP(where)(in[1], OP(to)(in[2], in[0].dtype()), in[0]);
        });

const Row nonzero_row =
    Row("nonzero(Tensor input)")
        .doc(R"(Indices of the elements that are not zero, one row each, in row-major order.

Example:
    >>> cr.nonzero(cr.tensor([0, 5, 6]))
    tensor([[1],
            [2]])
)")
        .infer([](Call& call) {
          // The output's shape depends on the data: counted here, found again by the launch.
          call.contiguous = true;
          const Tensor& x = call.in[0];
          const Tensor flags = x.dtype() == DType::kBool ? x : OP(ne)(x, int64_t{0});
          call.set_output(0, {item_int(OP(sum)(flags)), x.rank()}, DType::kInt64);
        })
        .launch([](Call& call) {
          const Tensor& x = call.in[0];
          const Tensor flags = x.dtype() == DType::kBool ? x : OP(ne)(x, int64_t{0});
          const bool* flag = flags.data<bool>();
          int64_t* out = call.out[0].data<int64_t>();
          const int64_t* end = out + call.out[0].numel();
          const Dims& shape = x.shape();
          const int last = shape.size() - 1;
          const int64_t width = last < 0 ? 1 : shape[last];
          Dims at = Dims::filled(last < 0 ? 0 : last, 0);  // the row
          for (; out < end; flag += width) {
            for (int64_t j = 0; j < width && out < end; ++j) {
              if (last <= 1) {  // every index is written, and stays where its flag is set
                if (last == 1) out[0] = at[0];
                out[last] = j;
                out += flag[j] ? last + 1 : 0;
              } else if (flag[j]) {
                for (int64_t index : at) *out++ = index;
                *out++ = j;
              }
            }
            for (int d = last - 1; d >= 0 && ++at[d] == shape[d]; --d) at[d] = 0;
          }
        });

const Row masked_select_row =
    Row("masked_select(Tensor input, Tensor mask)")
        .doc(R"(The elements where the bool mask holds, as a vector.

Example:
    >>> x = cr.tensor([1., -2., 3.])
    >>> cr.masked_select(x, x > 0)
    tensor([1., 3.])
)")
        .compose([](const TensorList& in, const Attrs&) {
          CR_CHECK_TYPE(in[1].dtype() == DType::kBool, "masked_select: the mask must be bool (got ",
                        in[1].dtype(), ")");
          const Dims shape = broadcast_shapes("masked_select", in[0].shape(), in[1].shape());
          const Tensor flat = OP(reshape)(OP(expand)(in[0], shape), Dims{-1});
          const Tensor places = OP(nonzero)(OP(reshape)(OP(expand)(in[1], shape), Dims{-1}));
          return OP(index_select)(flat, 0, OP(reshape)(places, Dims{-1}));
        });

}  // namespace
}  // namespace cr

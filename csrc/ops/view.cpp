// Rows whose result shares the input's memory, and the rows that are their gradients.
#include "ops/view.h"

#include "autograd/node.h"
#include "core/rounding.h"

namespace cr {

SliceRange slice_range(const Attrs& attrs, int first, int64_t size) {
  const int64_t asked = attrs.none(first + 2) ? 1 : attrs.i(first + 2);
  CR_CHECK(asked != 0, "slice: step must not be 0");
  // A step beyond the size takes one element, as a step of the size does.
  const int64_t limit = std::max<int64_t>(size, 1);
  const int64_t step = std::min(std::max(asked, -limit), limit);
  const auto bound = [&](int k, int64_t otherwise) {
    if (attrs.none(k)) return otherwise;
    int64_t value = attrs.i(k);
    if (value < 0) value += size;
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    return std::min(std::max(value, low), high);
  };
  const int64_t start = bound(first, step > 0 ? 0 : size - 1);
  const int64_t stop = bound(first + 1, step > 0 ? size : -1);
  const int64_t distance = step > 0 ? stop - start : start - stop;
  const int64_t stride = step > 0 ? step : -step;
  return {start, distance <= 0 ? 0 : ceil_div(distance, stride), step};
}

bool reshape_strides(const Tensor& tensor, const Dims& shape, Dims& strides) {
  strides = contiguous_strides(shape);
  if (tensor.contiguous()) return true;
  // Walk both shapes from the back; a group of new axes must lie within one run of old axes
  // that memory walks as one.
  int old = tensor.rank() - 1;
  int64_t run_size = 1, run_stride = 1;
  const auto next_run = [&] {
    while (old >= 0 && tensor.shape()[old] == 1) --old;
    if (old < 0) return false;
    run_size = tensor.shape()[old];
    run_stride = tensor.strides()[old--];
    while (old >= 0 &&
           (tensor.shape()[old] == 1 || tensor.strides()[old] == run_stride * run_size)) {
      run_size *= tensor.shape()[old--];
    }
    return true;
  };
  int64_t used = 1;
  next_run();
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] == 1) continue;
    if (used == run_size) {
      used = 1;
      if (!next_run()) return false;
    }
    strides[i] = run_stride * used;
    used *= shape[i];
    if (run_size % used != 0) return false;
  }
  return true;
}

namespace {

// Replaces one -1 by what is left over.
Dims infer_size(const char* op, Dims shape, int64_t total) {
  Dims known = shape;
  int unknown = -1;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      CR_CHECK(unknown < 0, op, ": only one size can be -1 (got ", shape, ")");
      unknown = i;
      known[i] = 1;
    } else {
      CR_CHECK(shape[i] >= 0, op, ": negative size in shape ", shape);
    }
  }
  if (unknown >= 0) {
    const int64_t rest = checked_numel(known);
    CR_CHECK(rest > 0 && total % rest == 0, op, ": cannot fill shape ", shape, " with ", total,
             " elements");
    shape[unknown] = total / rest;
  }
  return shape;
}

void infer_reshape(Call& call, bool may_copy) {
  const Tensor& x = call.in[0];
  const Dims shape = infer_size(call.name(), call.attrs.ints(0), x.numel());
  CR_CHECK(checked_numel(shape) == x.numel(), call.name(), ": cannot give shape ", shape, " to ",
           x.numel(), " elements of shape ", x.shape());
  call.set_output(0, shape, x.dtype());
  if (x.numel() > 0 && !reshape_strides(x, shape, call.view_strides)) {
    CR_CHECK(may_copy, "view: shape ", shape, " needs a copy of the tensor of shape ", x.shape(),
             " and strides ", x.strides(), "; use .reshape()");
    call.materialize = true;
  }
  if (x.numel() == 0) call.view_strides = contiguous_strides(shape);
}

void keep_layout(Call& call) {
  call.out_meta[0] = call.in[0].meta();
  call.view_strides = call.in[0].strides();
}

const Row reshape_row =
    Row("reshape(Tensor input, int... shape)")
        .doc(R"(Give another shape to the same elements; one size may be -1. A view where possible.

Raises:
    ValueError: when the number of elements differs.

Example:
    >>> cr.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
)")
        .view()
        .infer([](Call& call) { infer_reshape(call, true); })
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(reshape)(v.grad(), v.in_shape(0)); }); });

const Row view_row =
    Row("view(Tensor input, int... shape)")
        .doc(R"(Like ``reshape``, but always a view: raises when a copy would be needed.

Given a dtype instead of sizes, the same bytes are read as that dtype; where its elements are
smaller or larger, the last dimension grows or shrinks.

Example:
    >>> cr.arange(6).view(3, 2).shape
    (3, 2)
    >>> cr.tensor([1.0, -2.0]).view(cr.int32)
    tensor([ 1065353216, -1073741824], dtype=chainrule.int32)
)")
        .view()
        .by_dtype("_view_dtype")
        .infer([](Call& call) { infer_reshape(call, false); })
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(reshape)(v.grad(), v.in_shape(0)); }); });

// The dimensions of x read as elements of `size` bytes.
void infer_bytes(Call& call, int64_t size) {
  const Tensor& x = call.in[0];
  const int64_t old = itemsize(x.dtype());
  const int last = x.rank() - 1;
  CR_CHECK(x.rank() > 0 && (x.strides()[last] == 1 || x.size(-1) == 1),
           "view: elements of another size need a last dimension without gaps (got shape ",
           x.shape(), " with strides ", x.strides(), "); use .contiguous() first");
  Dims& shape = call.out_meta[0].shape;
  Dims& strides = call.view_strides;
  bool fits = reinterpret_cast<uintptr_t>(x.data()) % static_cast<uintptr_t>(size) == 0 &&
              shape[last] * old % size == 0;
  shape[last] = shape[last] * old / size;
  strides[last] = 1;
  for (int d = 0; d < last; ++d) {
    fits = fits && strides[d] * old % size == 0;
    strides[d] = strides[d] * old / size;
  }
  CR_CHECK(fits, "view: ", call.out_meta[0].dtype, " does not divide the memory evenly (got shape ",
           x.shape(), " with strides ", x.strides(), " of ", x.dtype(), ")");
}

const Row view_dtype_row =
    Row("_view_dtype(Tensor input, dtype dtype)")
        .doc("The same bytes as another dtype: ``view`` with a dtype.")
        .view()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return attrs.dtype(0) == in[0].dtype() ? OP(view)(in[0], in[0].shape()) : Tensor();
        })
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          const DType dtype = call.attrs.dtype(0);
          CR_CHECK_TYPE(dtype != DType::kBool || x.dtype() == DType::kBool, "view: the bytes of ",
                        x.dtype(), " need not be bools; use != 0");
          call.set_output(0, x.shape(), dtype);
          call.view_strides = x.strides();
          if (itemsize(dtype) != itemsize(x.dtype())) infer_bytes(call, itemsize(dtype));
        });

const Row flatten_row =
    Row("flatten(Tensor input, int start_dim=0, int end_dim=-1)")
        .doc(R"(Merge the dimensions from ``start_dim`` to ``end_dim`` into one.

Example:
    >>> cr.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          if (x.rank() == 0) return OP(reshape)(x, Dims{1});
          const int first = normalize_dim("flatten", attrs.i(0), x.rank());
          const int last = normalize_dim("flatten", attrs.i(1), x.rank());
          CR_CHECK(first <= last, "flatten: start_dim ", first, " comes after end_dim ", last);
          if (first == last) return x;
          Dims shape;
          for (int i = 0; i < x.rank(); ++i) {
            if (i <= first || i > last)
              shape.push_back(x.shape()[i]);
            else
              shape.back() *= x.shape()[i];
          }
          return OP(reshape)(x, shape);
        });

const Row permute_row =
    Row("permute(Tensor input, int... dims)")
        .doc(R"(Reorder the dimensions (a view).

Example:
    >>> cr.zeros(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
)")
        .view()
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          const Dims dims = call.attrs.ints(0);
          CR_CHECK(dims.size() == x.rank(), "permute: got ", dims.size(), " dims ", dims,
                   " for a tensor with ", x.rank(), " dimensions");
          Dims shape, strides;
          uint32_t seen = 0;
          for (int64_t dim : dims) {
            const int axis = normalize_dim("permute", dim, x.rank());
            CR_CHECK(!(seen >> axis & 1), "permute: dimension ", axis, " appears twice in ", dims);
            seen |= 1u << axis;
            shape.push_back(x.shape()[axis]);
            strides.push_back(x.strides()[axis]);
          }
          call.set_output(0, shape, x.dtype());
          call.view_strides = strides;
        })
        .vjp([](Vjp& v) {
          const Dims dims = v.attrs().ints(0);
          Dims inverse = dims;
          for (int i = 0; i < dims.size(); ++i) {
            inverse[normalize_dim("permute", dims[i], dims.size())] = i;
          }
          v.set(0, [&] { return OP(permute)(v.grad(), inverse); });
        });

const Row transpose_row =
    Row("transpose(Tensor input, int dim0, int dim1)")
        .doc(R"(Swap two dimensions (a view).

Example:
    >>> cr.zeros(2, 3).transpose(0, 1).shape
    (3, 2)
)")
        .view()
        .inplace()
        .infer([](Call& call) {
          keep_layout(call);
          const int a = normalize_dim("transpose", call.attrs.i(0), call.in[0].rank());
          const int b = normalize_dim("transpose", call.attrs.i(1), call.in[0].rank());
          if (a == b) return;
          std::swap(call.out_meta[0].shape[a], call.out_meta[0].shape[b]);
          std::swap(call.view_strides[a], call.view_strides[b]);
        })
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(transpose)(v.grad(), v.attrs().i(0), v.attrs().i(1)); });
        });

const Row t_row = Row("t(Tensor input)")
                      .doc(R"(Transpose a matrix (a view); vectors stay as they are.

Example:
    >>> cr.zeros(2, 3).t().shape
    (3, 2)
)")
                      .view()
                      .inplace()
                      .compose([](const TensorList& in, const Attrs&) {
                        CR_CHECK(in[0].rank() <= 2, "t: expected at most 2 dimensions (got shape ",
                                 in[0].shape(), "); use .transpose(dim0, dim1) or .mT");
                        return in[0].rank() < 2 ? in[0] : OP(transpose)(in[0], 0, 1);
                      });

const Row squeeze_row =
    Row("squeeze(Tensor input, int[]? dim=None)")
        .doc(R"(Drop dimensions of size 1: all of them, or those given (a view).

Example:
    >>> cr.zeros(1, 3, 1).squeeze().shape
    (3,)
)")
        .view()
        .inplace()
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          const bool some = !call.attrs.none(0) && !call.attrs.ints(0).empty();
          const Dims dims = some ? normalize_dims("squeeze", call.attrs.ints(0), x.rank()) : Dims{};
          Dims shape, strides;
          for (int i = 0; i < x.rank(); ++i) {
            const bool chosen = call.attrs.none(0) || dims.contains(i);
            if (x.shape()[i] == 1 && chosen) continue;
            shape.push_back(x.shape()[i]);
            strides.push_back(x.strides()[i]);
          }
          call.set_output(0, shape, x.dtype());
          call.view_strides = strides;
        })
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(reshape)(v.grad(), v.in_shape(0)); }); });

const Row unsqueeze_row =
    Row("unsqueeze(Tensor input, int dim)")
        .doc(R"(Insert a dimension of size 1 (a view).

Example:
    >>> cr.zeros(3).unsqueeze(0).shape
    (1, 3)
)")
        .view()
        .inplace()
        .infer([](Call& call) {
          keep_layout(call);
          const int at = normalize_dim("unsqueeze", call.attrs.i(0), call.in[0].rank() + 1);
          call.out_meta[0].shape.insert(at, 1);
          const bool inner = at == call.in[0].rank();
          call.view_strides.insert(at,
                                   inner ? 1 : call.in[0].shape()[at] * call.in[0].strides()[at]);
        })
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(reshape)(v.grad(), v.in_shape(0)); }); });

const Row expand_row =
    Row("expand(Tensor input, int... size)")
        .doc(R"(Repeat dimensions of size 1 without copying (a view); -1 keeps a size.

Gradient: summed over the repetitions.

Example:
    >>> cr.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
)")
        .view()
        .broadcasts()
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          Dims size = call.attrs.ints(0), strides = size;
          const int shift = size.size() - x.rank();
          CR_CHECK(shift >= 0, "expand: size ", size,
                   " has fewer dimensions than the tensor of shape ", x.shape());
          for (int i = 0; i < size.size(); ++i) {
            const int64_t old = i < shift ? 1 : x.shape()[i - shift];
            if (size[i] == -1 && i >= shift) size[i] = old;
            CR_CHECK(size[i] >= 0 && (old == 1 || old == size[i]), "expand: cannot expand shape ",
                     x.shape(), " to ", size, "; only dimensions of size 1 can grow");
            strides[i] = i < shift || (old == 1 && size[i] != 1) ? 0 : x.strides()[i - shift];
          }
          checked_numel(size);
          call.set_output(0, size, x.dtype());
          call.view_strides = strides;
        })
        .vjp([](Vjp& v) { v.set(0, v.grad()); });

// ---------------------------------------------------------------- parts of a tensor

const Row slice_row =
    Row("slice(Tensor input, int dim, int? start=None, int? end=None, int? step=None)")
        .doc(R"(``input[start:end:step]`` along one dimension (a view); negative steps are allowed.

Example:
    >>> cr.slice(cr.arange(5), 0, 1, None, 2)
    tensor([1, 3])
)")
        .view()
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          CR_CHECK_INDEX(x.rank() > 0, "slice: a 0-d tensor cannot be sliced");
          keep_layout(call);
          const int dim = normalize_dim("slice", call.attrs.i(0), x.rank());
          const SliceRange range = slice_range(call.attrs, 1, x.shape()[dim]);
          call.out_meta[0].shape[dim] = range.length;
          if (range.length > 0) call.view_offset = range.start * x.strides()[dim];
          call.view_strides[dim] *= range.step;
        })
        .vjp([](Vjp& v) {
          const int dim = normalize_dim("slice", v.attrs().i(0), v.in_shape(0).size());
          const SliceRange range = slice_range(v.attrs(), 1, v.in_shape(0)[dim]);
          v.set(0, [&] {
            return OP(_slice_grad)(v.grad(), v.in_shape(0), dim, range.start, range.step);
          });
        });

const Row slice_grad_row =
    Row("_slice_grad(Tensor grad, int[] shape, int dim, int start, int step)")
        .doc("Zeros of ``shape`` with ``grad`` at ``start, start + step, ...`` of one dimension.")
        .moves()
        .infer([](Call& call) { call.set_output(0, call.attrs.ints(0), call.in[0].dtype()); })
        .launch([](Call& call) {
          const Tensor& out = call.out[0];
          __builtin_memset(out.data(), 0, static_cast<size_t>(out.nbytes()));
          const int dim = static_cast<int>(call.attrs.i(1));
          Dims strides = out.strides();
          const int64_t offset = call.attrs.i(2) * strides[dim];
          strides[dim] *= call.attrs.i(3);
          if (call.in[0].numel())
            copy_into(out.alias(call.in[0].shape(), strides, offset), call.in[0]);
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          const int dim = static_cast<int>(a.i(1));
          const int64_t start = a.i(2), step = a.i(3), length = v.in_shape(0)[dim];
          const int64_t end = start + step * length;
          v.set(0, [&] {
            return end < 0 ? OP(slice)(v.grad(), dim, start, nullptr, step)
                           : OP(slice)(v.grad(), dim, start, end, step);
          });
        });

const Row narrow_row =
    Row("narrow(Tensor input, int dim, int start, int length)")
        .doc(R"(``length`` elements from ``start`` on along one dimension (a view).

Raises:
    IndexError: when the range does not lie inside the dimension.

Example:
    >>> cr.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          const int dim = normalize_dim("narrow", attrs.i(0), in[0].rank());
          CR_CHECK(in[0].rank() > 0, "narrow: a 0-d tensor cannot be narrowed");
          const int64_t size = in[0].shape()[dim], length = attrs.i(2);
          const int64_t start = attrs.i(1) < 0 ? attrs.i(1) + size : attrs.i(1);
          CR_CHECK_INDEX(start >= 0 && start <= size && length >= 0 && length <= size - start,
                         "narrow: start ", attrs.i(1), " and length ", length,
                         " do not fit dimension ", dim, " of size ", size);
          return OP(slice)(in[0], dim, start, start + length);
        });

const Row select_row =
    Row("select(Tensor input, int dim, int index)")
        .doc(R"(One index of one dimension, which disappears (a view).

Raises:
    IndexError: when the index lies outside the dimension.

Example:
    >>> cr.arange(6).reshape(2, 3).select(0, 1)
    tensor([3, 4, 5])
)")
        .view()
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          CR_CHECK_INDEX(x.rank() > 0, "select: a 0-d tensor has no dimension to index");
          const int dim = normalize_dim("select", call.attrs.i(0), x.rank());
          const int64_t size = x.shape()[dim];
          const int64_t index = call.attrs.i(1) < 0 ? call.attrs.i(1) + size : call.attrs.i(1);
          CR_CHECK_INDEX(index >= 0 && index < size, "index ", call.attrs.i(1),
                         " is out of bounds for dimension ", dim, " with size ", size);
          keep_layout(call);
          call.view_offset = index * x.strides()[dim];
          call.out_meta[0].shape.erase(dim);
          call.view_strides.erase(dim);
        })
        .vjp([](Vjp& v) {
          const int dim = normalize_dim("select", v.attrs().i(0), v.in_shape(0).size());
          const int64_t size = v.in_shape(0)[dim], index = v.attrs().i(1);
          v.set(0, [&] {
            return OP(_slice_grad)(OP(unsqueeze)(v.grad(), dim), v.in_shape(0), dim,
                                   index < 0 ? index + size : index, 1);
          });
        });

// Offset, strides and shape of a diagonal.
struct Diagonal {
  Dims shape, strides;
  int64_t offset = 0;
};

Diagonal diagonal_of(const Dims& shape, const Dims& strides, int64_t offset, int64_t dim1,
                     int64_t dim2) {
  const int rank = shape.size();
  const int a = normalize_dim("diagonal", dim1, rank), b = normalize_dim("diagonal", dim2, rank);
  CR_CHECK(rank >= 2 && a != b, "diagonal: needs two different dimensions (got dim1 ", dim1,
           " and dim2 ", dim2, " of shape ", shape, ")");
  Diagonal d;
  const int64_t rows = shape[a], columns = shape[b];
  const int64_t length =
      offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns);
  if (length > 0) d.offset = offset >= 0 ? offset * strides[b] : -offset * strides[a];
  for (int i = 0; i < rank; ++i) {
    if (i == a || i == b) continue;
    d.shape.push_back(shape[i]);
    d.strides.push_back(strides[i]);
  }
  d.shape.push_back(std::max<int64_t>(length, 0));
  d.strides.push_back(strides[a] + strides[b]);
  return d;
}

const Row diagonal_row =
    Row("diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1)")
        .doc(R"(Diagonal of two dimensions, as the last dimension of a view.

Example:
    >>> cr.arange(9).reshape(3, 3).diagonal()
    tensor([0, 4, 8])
)")
        .view()
        .infer([](Call& call) {
          const Attrs& a = call.attrs;
          const Diagonal d =
              diagonal_of(call.in[0].shape(), call.in[0].strides(), a.i(0), a.i(1), a.i(2));
          call.set_output(0, d.shape, call.in[0].dtype());
          call.view_strides = d.strides;
          call.view_offset = d.offset;
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] {
            return OP(_diagonal_grad)(v.grad(), v.in_shape(0), a.i(0), a.i(1), a.i(2));
          });
        });

const Row diagonal_grad_row =
    Row("_diagonal_grad(Tensor grad, int[] shape, int offset, int dim1, int dim2)")
        .doc("Zeros of ``shape`` with ``grad`` on a diagonal.")
        .moves()
        .infer([](Call& call) { call.set_output(0, call.attrs.ints(0), call.in[0].dtype()); })
        .launch([](Call& call) {
          const Tensor& out = call.out[0];
          const Attrs& a = call.attrs;
          __builtin_memset(out.data(), 0, static_cast<size_t>(out.nbytes()));
          const Diagonal d = diagonal_of(out.shape(), out.strides(), a.i(1), a.i(2), a.i(3));
          copy_into(out.alias(d.shape, d.strides, d.offset), call.in[0]);
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] { return OP(diagonal)(v.grad(), a.i(1), a.i(2), a.i(3)); });
        });

// ---------------------------------------------------------------- any strided view

void check_region(const char* op, const Tensor& base, const Attrs& attrs, int first) {
  const Dims size = attrs.ints(first), stride = attrs.ints(first + 1);
  CR_CHECK(size.size() == stride.size(), op, ": size ", size, " and stride ", stride,
           " must have the same length");
  int64_t low, span;
  bool fits = !__builtin_add_overflow(base.storage_offset(), attrs.i(first + 2), &low);
  int64_t high = low;
  for (int i = 0; i < size.size(); ++i) {
    if (size[i] == 0) return;
    int64_t& end = stride[i] < 0 ? low : high;
    fits = fits && !__builtin_mul_overflow(size[i] - 1, stride[i], &span) &&
           !__builtin_add_overflow(end, span, &end);
  }
  const int64_t capacity = static_cast<int64_t>(base.storage()->bytes()) / itemsize(base.dtype());
  CR_CHECK(fits && low >= 0 && high < capacity, op, ": size ", size, " with stride ", stride,
           " and offset ", attrs.i(first + 2), " reaches outside the tensor's memory of ", capacity,
           " elements");
}

// A strided region of a row-major tensor; what lies outside of it reads as 0.
Tensor region_or_zeros(const Tensor& x, const Dims& size, const Dims& stride, int64_t offset) {
  int64_t low = offset, high = offset;
  for (int i = 0; i < size.size(); ++i) {
    if (size[i] == 0) return OP(zeros)(size, x.dtype());
    (stride[i] < 0 ? low : high) += (size[i] - 1) * stride[i];
  }
  const int64_t before = std::max<int64_t>(-low, 0),
                after = std::max<int64_t>(high - (x.numel() - 1), 0);
  if (before == 0 && after == 0) return OP(as_strided)(OP(contiguous)(x), size, stride, offset);
  const Tensor flat = OP(reshape)(x, Dims{-1});
  return OP(as_strided)(OP(_constant_pad)(flat, Dims{before, after}, 0.0), size, stride,
                        offset + before);
}

const Row as_strided_row =
    Row("as_strided(Tensor input, int[] size, int[] stride, int storage_offset=0)")
        .doc(R"(View with given sizes and strides (in elements), from the tensor's first element.

Raises:
    ValueError: when the view would reach outside the tensor's memory.

Example:
    >>> cr.arange(5).as_strided((3, 3), (1, 1))
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4]])
)")
        .view()
        .inplace()
        .infer([](Call& call) {
          checked_numel(call.attrs.ints(0));
          check_region("as_strided", call.in[0], call.attrs, 0);
          const Tensor& x = call.in[0];
          CR_CHECK_STATE(x.contiguous() || !x.requires_grad() || !GradMode::enabled(),
                         "as_strided: has no gradient for a non-contiguous tensor (got shape ",
                         x.shape(), " with strides ", x.strides(), "); use .contiguous() first");
          call.set_output(0, call.attrs.ints(0), call.in[0].dtype());
          call.view_strides = call.attrs.ints(1);
          call.view_offset = call.attrs.i(2);
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] {
            return OP(_as_strided_grad)(v.grad(), v.in_shape(0), a.ints(0), a.ints(1), a.i(2));
          });
        });

// Adds grad to a zero base one element after another: the regions of a view may overlap. A view may
// also reach memory outside of its input, where nobody wants a gradient.
const Row as_strided_grad_row =
    Row("_as_strided_grad(Tensor grad, int[] shape, int[] size, int[] stride, int storage_offset)")
        .doc("Zeros of ``shape`` (row-major) with ``grad`` added at the places of a strided view.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.set_output(0, call.attrs.ints(0), call.in[0].dtype());
        })
        .launch([](Call& call) {
          const Dims size = call.attrs.ints(1), stride = call.attrs.ints(2);
          const Tensor& out = call.out[0];
          __builtin_memset(out.data(), 0, static_cast<size_t>(out.nbytes()));
          dispatch(out.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T* grad = call.in[0].data<T>();
            T* to = out.data<T>();
            Dims index = Dims::filled(size.size(), 0);
            for (int64_t n = call.in[0].numel(); n > 0; --n) {
              int64_t at = call.attrs.i(3);
              for (int d = 0; d < size.size(); ++d) at += index[d] * stride[d];
              if (at >= 0 && at < out.numel()) to[at] = static_cast<T>(to[at] + *grad);
              ++grad;
              for (int d = size.size() - 1; d >= 0 && ++index[d] == size[d]; --d) index[d] = 0;
            }
          });
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] { return region_or_zeros(v.grad(), a.ints(1), a.ints(2), a.i(3)); });
        });

const Row as_strided_scatter_row =
    Row("as_strided_scatter(Tensor input, Tensor src, int[] size, int[] stride, int "
        "storage_offset=0)")
        .doc(R"(Copy of ``input`` with a strided region replaced by ``src``.

Example:
    >>> cr.as_strided_scatter(cr.zeros(4), cr.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])
)")
        .function_only()
        .moves()
        .infer([](Call& call) {
          call.contiguous = true;
          CR_CHECK(call.in[1].shape() == call.attrs.ints(0), call.name(), ": src has shape ",
                   call.in[1].shape(), "; expected ", call.attrs.ints(0));
          call.out_meta[0] = call.in[0].meta();
        })
        .launch([](Call& call) {
          copy_into(call.out[0], call.in[0]);
          check_region("as_strided_scatter", call.out[0], call.attrs, 0);
          const Attrs& a = call.attrs;
          copy_into(call.out[0].alias(a.ints(0), a.ints(1), a.i(2)), call.in[1]);
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          const Tensor grad = OP(contiguous)(v.grad());
          v.set(0, [&] {
            return OP(as_strided_scatter)(grad, OP(zeros)(v.in_shape(1), v.in_dtype(1)), a.ints(0),
                                          a.ints(1), a.i(2));
          });
          v.set(1, [&] { return OP(as_strided)(grad, a.ints(0), a.ints(1), a.i(2)); });
        });

}  // namespace
}  // namespace cr

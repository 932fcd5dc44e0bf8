// Rows that reduce or accumulate along dimensions. Kernels: reduce.kernel.cpp.
#include <cmath>
#include <limits>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/pointwise.h"
#include "ops/reduce.kernel.h"
#include "ops/scan.kernel.h"

namespace cr {
namespace {

// ---------------------------------------------------------------- the general reduction

// Shape after reducing `axes` (sorted).
Dims reduced_shape(const Dims& shape, const Dims& axes, bool keepdim) {
  Dims result;
  for (int i = 0; i < shape.size(); ++i) {
    if (!axes.contains(i))
      result.push_back(shape[i]);
    else if (keepdim)
      result.push_back(1);
  }
  return result;
}

// The input as a contiguous [rows, n, inner] with the reduced axes in the middle.
struct Folded {
  Tensor x;
  int64_t rows = 1, n = 1, inner = 1;
};

Folded fold_axes(const Tensor& x, const Dims& axes) {
  Folded folded;
  bool adjacent = true;
  for (int i = 1; i < axes.size(); ++i) adjacent = adjacent && axes[i] == axes[i - 1] + 1;
  for (int64_t axis : axes) folded.n *= x.shape()[static_cast<int>(axis)];
  if (adjacent && x.contiguous()) {
    folded.x = x;
    const int first = axes.empty() ? x.rank() : static_cast<int>(axes[0]);
    for (int i = 0; i < first; ++i) folded.rows *= x.shape()[i];
    for (int i = first + axes.size(); i < x.rank(); ++i) folded.inner *= x.shape()[i];
    return folded;
  }
  // Reduced axes last, in memory order: transposed inputs are then copied without a shuffle.
  Dims shape, strides;
  for (int i = 0; i < x.rank(); ++i) {
    if (axes.contains(i)) continue;
    folded.rows *= x.shape()[i];
    shape.push_back(x.shape()[i]);
    strides.push_back(x.strides()[i]);
  }
  for (int64_t axis : axes) {
    shape.push_back(x.shape()[static_cast<int>(axis)]);
    strides.push_back(x.strides()[static_cast<int>(axis)]);
  }
  folded.x = contiguous_copy(x.alias(shape, strides, 0));
  return folded;
}

// A long axis of few results is cut into pieces whose results are reduced again.
constexpr int64_t kPiece = 1 << 16;
constexpr int64_t kPieceColumns = 2048;

int64_t piece_lines(const Folded& f) { return std::max<int64_t>(kPiece / f.inner, 1); }

bool cut_pieces(Reduction kind, const Folded& f) {
  const bool reducible = kind != Reduction::kArgMax && kind != Reduction::kArgMin;
  return reducible && f.inner <= kPieceColumns && f.rows < 8 && f.n >= 2 * piece_lines(f);
}

// f(shape) over the parts of a reduction or scan.
template <class F>
void over_parts(const Folded& f, F&& run) {
  // Columns and rows are independent; chunk over rows, or over columns when there is one row.
  const double ns_per_row = 0.3 * static_cast<double>(f.n) * static_cast<double>(f.inner);
  if (f.rows == 1 && f.inner > 1) {
    // Long enough stretches of each line for the memory to follow.
    const int64_t grain = (grain_for(0.08 * static_cast<double>(f.n)) + 1023) / 1024 * 1024;
    parallel(f.inner, grain, [&](int64_t begin, int64_t end, int) {
      run(ReduceShape{f.n, f.inner, 0, 1, begin, end});
    });
    return;
  }
  parallel(f.rows, grain_for(ns_per_row), [&](int64_t begin, int64_t end, int) {
    run(ReduceShape{f.n, f.inner, begin, end, 0, f.inner});
  });
}

void run_kernel(ReduceKernel kernel, const Folded& f, const Tensor& out) {
  over_parts(f, [&](const ReduceShape& shape) { kernel(f.x.data(), out.data(), shape); });
}

// What joins results of `kind`.
Reduction joining(Reduction kind) {
  const bool sums = kind == Reduction::kSumSquares || kind == Reduction::kSumNumbers;
  return sums ? Reduction::kSum : kind;
}

// The dimensions in the order of memory, where that makes x contiguous and keeps the order of the
// results: `x` becomes such a view, `axes` the same axes in it.
bool in_memory_order(Tensor& x, Dims& axes) {
  Dims order;
  for (int d = 0; d < x.rank(); ++d) {
    int at = order.size();
    while (at > 0 && x.strides()[static_cast<int>(order[at - 1])] < x.strides()[d]) --at;
    order.insert(at, d);
  }
  Dims shape, strides, moved;
  int64_t kept = -1;
  for (int i = 0; i < order.size(); ++i) {
    const int d = static_cast<int>(order[i]);
    if (axes.contains(d)) {
      moved.push_back(i);
    } else if (x.shape()[d] > 1) {
      if (d < kept) return false;
      kept = d;
    }
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  const Tensor view = x.alias(shape, strides, 0);
  if (!view.contiguous()) return false;
  x = view;
  axes = moved;
  return true;
}

void reduce_into(Reduction kind, Tensor x, Dims axes, const Tensor& out) {
  if (!x.contiguous()) in_memory_order(x, axes);
  // Axes that lie apart, as those of channels' sums: the last run of neighbours first, so that
  // nothing is copied. (Indices have one axis.)
  int run = axes.size() - 1;
  while (run > 0 && axes[run - 1] + 1 == axes[run]) --run;
  if (run > 0 && x.contiguous() && x.numel() > 0) {
    const Dims last(axes.begin() + run, axes.end()), before(axes.begin(), axes.begin() + run);
    const Tensor partial = Tensor::empty(reduced_shape(x.shape(), last, true), out.dtype());
    reduce_into(kind, x, last, partial);
    return reduce_into(joining(kind), partial, before, out);
  }
  const Folded f = fold_axes(x, axes);
  if (f.rows * f.inner == 0) return;
  const ReduceKernel kernel =
      reduce_table().kernel[static_cast<int>(kind)][static_cast<int>(x.dtype())];
  if (!cut_pieces(kind, f)) return run_kernel(kernel, f, out);
  // Whole pieces as extra rows, the rest as one more.
  const int64_t lines = piece_lines(f), pieces = f.n / lines, rest = f.n - pieces * lines;
  const int64_t partials = pieces + (rest > 0);
  const Tensor partial = Tensor::empty({f.rows, partials, f.inner}, out.dtype());
  const int64_t in_size = f.inner * itemsize(x.dtype()), out_size = f.inner * itemsize(out.dtype());
  parallel(f.rows * partials, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / partials, piece = i % partials;
      kernel(f.x.data() + (row * f.n + piece * lines) * in_size, partial.data() + i * out_size,
             {piece < pieces ? lines : rest, f.inner, 0, 1, 0, f.inner});
    }
  });
  Folded again;
  again.x = partial;
  again.rows = f.rows;
  again.n = partials;
  again.inner = f.inner;
  const ReduceKernel second =
      reduce_table().kernel[static_cast<int>(joining(kind))][static_cast<int>(out.dtype())];
  run_kernel(second, again, out);
}

// Argument k of either kind, `int? dim` or `int[]? dim`; empty when None.
Dims dims_argument(const Attrs& attrs, int k) {
  return attrs.kind(k) == Attrs::Kind::kInt ? Dims{attrs.i(k)} : attrs.ints(k);
}

// dims argument k (None: all), keepdim argument k + 1.
Dims axes_of(const Call& call, int k = 0) {
  return normalize_dims(call.name(), dims_argument(call.attrs, k), call.in[0].rank());
}

void infer_reduction(Call& call, DType compute, DType result) {
  call.compute = compute;
  call.set_output(0, reduced_shape(call.in[0].shape(), axes_of(call), call.attrs.b(1)), result);
}

void check_not_empty(const Call& call, const Dims& axes) {
  for (int64_t axis : axes) {
    CR_CHECK_INDEX(call.in[0].shape()[static_cast<int>(axis)] > 0, call.name(),
                   ": cannot reduce over dimension ", axis, " of size 0 (got shape ",
                   call.in[0].shape(), "); it has no identity");
  }
}

// The gradient of a reduction with its dropped dimensions put back as size 1.
Tensor with_kept_dims(const Tensor& value, const Vjp& v, int k = 0) {
  const Dims axes = normalize_dims("sum", dims_argument(v.attrs(), k), v.in_shape(0).size());
  return OP(reshape)(value, reduced_shape(v.in_shape(0), axes, true));
}

DType sum_type(const Call& call) {
  const DType dtype = call.in[0].dtype();
  return call.attrs.dtype(2, is_floating(dtype) ? dtype : DType::kInt64);
}

// Integers are added and multiplied in int64; another `dtype` (argument k) is converted to before
// and after, and uint64 stays uint64: modulo 2^64 the two are the same. Undefined when there is
// nothing to convert.
Tensor in_other_integers(const OpDef& op, const TensorList& in, const Attrs& attrs, int k) {
  const bool wide = in[0].dtype() == DType::kUInt64;
  const DType dtype = attrs.dtype(k, wide ? DType::kUInt64 : DType::kInt64);
  if (is_floating(dtype) || dtype == DType::kInt64) return Tensor();
  Attrs plain;
  for (int i = 0; i < attrs.size(); ++i) {
    i == k ? plain.push_none() : plain.push_from(attrs, i);
  }
  Tensor x = OP(to)(in[0], dtype);
  if (dtype == DType::kUInt64) x = OP(to)(x, DType::kInt64);
  return OP(to)(run(op, {x}, plain), dtype);
}

// ---------------------------------------------------------------- sums and means

const Row sum_row =
    Row("sum(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)")
        .doc(R"(Sum over some dimensions, or over all of them. Integers and bools give int64.

Accuracy: blockwise with compensation; the error does not grow with the number of elements.

Example:
    >>> cr.tensor([[1., 2.], [3., 4.]]).sum(0)
    tensor([4., 6.])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          return in_other_integers(OP(sum), in, attrs, 2);
        })
        .infer([](Call& call) {
          const DType result = is_floating(sum_type(call)) ? sum_type(call) : DType::kInt64;
          const bool counts = call.in[0].dtype() == DType::kBool && result == DType::kInt64;
          infer_reduction(call, counts ? DType::kBool : result, result);
        })
        .launch([](Call& call) {
          reduce_into(Reduction::kSum, call.in[0], axes_of(call), call.out[0]);
        })
        .vjp([](Vjp& v) { v.set(0, [&] { return with_kept_dims(v.grad(), v); }); });

const Row mean_row =
    Row("mean(Tensor input, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)")
        .doc(R"(Mean over some dimensions, or over all of them.

Raises:
    TypeError: for integers and bools without a floating ``dtype``.

Example:
    >>> cr.tensor([[1., 2.], [3., 4.]]).mean(1)
    tensor([1.5000, 3.5000])
)")
        .infer([](Call& call) {
          const DType dtype = call.attrs.dtype(2, call.in[0].dtype());
          CR_CHECK_TYPE(is_floating(dtype), "mean: needs a floating-point tensor (got ", dtype,
                        "); convert with .float() or pass dtype=");
          infer_reduction(call, dtype, dtype);
        })
        .launch([](Call& call) {
          const Tensor& x = call.in[0];
          const Tensor& out = call.out[0];
          reduce_into(Reduction::kSum, x, axes_of(call), out);
          const double n = static_cast<double>(x.numel()) /
                           static_cast<double>(std::max<int64_t>(out.numel(), 1));
          const auto divide = reduce_table().divide[out.dtype() == DType::kFloat64];
          parallel(out.numel(), grain_for(0.2), [&](int64_t begin, int64_t end, int) {
            divide(out.data() + begin * itemsize(out.dtype()), end - begin, n);
          });
        })
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const double n = static_cast<double>(numel(v.in_shape(0))) /
                             static_cast<double>(std::max<int64_t>(numel(v.out_shape()), 1));
            return with_kept_dims(v.grad() / n, v);
          });
        });

// Whether all elements are so far from 0 and from overflow that quotients keep their digits.
bool all_normal(const Tensor& x) {
  const NoGrad no_tape;
  const double tiny = x.dtype() == DType::kFloat32 ? 0x1p-120 : 0x1p-1000;
  const Tensor size = OP(abs)(x);
  const Tensor normal = OP(logical_and)(OP(gt)(size, tiny), OP(lt)(size, 1 / tiny));
  return item_int(OP(all)(OP(reshape)(normal, Dims{-1}))) != 0;
}

// Product of all others: the quotient where that is safe, else by products from the left and from
// the right, which are right at zeros too.
const Row prod_row =
    Row("prod(Tensor input, int? dim=None, bool keepdim=False, *, dtype? dtype=None)")
        .doc(R"(Product over one dimension, or over all elements.

Example:
    >>> cr.tensor([1., 2., 3.]).prod()
    tensor(6.)
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          if (!attrs.none(0)) return in_other_integers(OP(prod), in, attrs, 2);
          const Tensor all = OP(prod)(OP(reshape)(in[0], Dims{-1}), 0, false, attrs.dtype(2));
          return attrs.b(1) ? OP(reshape)(all, Dims::filled(in[0].rank(), 1)) : all;
        })
        .infer([](Call& call) {
          const DType result = sum_type(call);
          const DType compute = is_floating(result) ? result : DType::kInt64;
          infer_reduction(call, compute, compute);
        })
        .launch([](Call& call) {
          reduce_into(Reduction::kProd, call.in[0], axes_of(call), call.out[0]);
        })
        .saves("input, out")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const Tensor x = v.in(0);
            if (x.rank() == 0) return v.grad();
            const int dim = normalize_dim("prod", v.attrs().i(0), x.rank());
            const int64_t n = x.shape()[dim];
            if (n == 0) return v.zeros_like_input(0);
            if (all_normal(v.out())) return with_kept_dims(v.grad() * v.out(), v) / x;
            Dims one = x.shape();
            one[dim] = 1;
            const Tensor edge = OP(ones)(one, x.dtype());
            const Tensor left =
                OP(cumprod)(OP(cat)(TensorList{edge, OP(slice)(x, dim, 0, n - 1)}, dim), dim);
            const Tensor reversed = OP(flip)(x, Dims{dim});
            const Tensor right = OP(flip)(
                OP(cumprod)(OP(cat)(TensorList{edge, OP(slice)(reversed, dim, 0, n - 1)}, dim),
                            dim),
                Dims{dim});
            return with_kept_dims(v.grad(), v) * left * right;
          });
        });

double correction_of(const Attrs& attrs) {
  return attrs.none(3) ? attrs.f(1) : static_cast<double>(attrs.b(3));
}

const Row var_row =
    Row("var(Tensor input, int[]? dim=None, *, float correction=1, bool keepdim=False, "
        "bool? unbiased=None)")
        .doc(
            R"(Variance: squared deviations from the mean, summed and divided by ``n - correction``.

``unbiased=False`` is another way to say ``correction=0``.

Example:
    >>> cr.tensor([1., 2., 3., 4.]).var()
    tensor(1.6667)
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          CR_CHECK_TYPE(is_floating(x.dtype()), "var: needs a floating-point tensor (got ",
                        x.dtype(), ")");
          const Dims axes = normalize_dims("var", attrs.ints(0), x.rank());
          int64_t n = 1;
          for (int64_t axis : axes) n *= x.shape()[static_cast<int>(axis)];
          const Tensor deviation = x - OP(mean)(x, axes, true);
          const double divisor = std::max(static_cast<double>(n) - correction_of(attrs), 0.0);
          return OP(_sum_squares)(deviation, axes, attrs.b(2)) / divisor;
        });

const Row std_row =
    Row("std(Tensor input, int[]? dim=None, *, float correction=1, bool keepdim=False, "
        "bool? unbiased=None)")
        .doc(R"(Standard deviation, the square root of ``var``.

Example:
    >>> cr.tensor([1., 3.]).std()
    tensor(1.4142)
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          return OP(sqrt)(OP(var)(in[0], attrs.ints(0), correction_of(attrs), attrs.b(2)));
        });

// ---------------------------------------------------------------- extremes

void infer_same_type(Call& call) {
  const DType dtype = call.in[0].dtype();
  infer_reduction(call, dtype, dtype);
  check_not_empty(call, axes_of(call));
}

// Ties share the gradient equally, as torch's amax and amin do.
void extreme_vjp(Vjp& v) {
  v.set(0, [&] {
    const Tensor hits = OP(eq)(v.in(0), with_kept_dims(v.out(), v));
    const Dims axes = normalize_dims("amax", v.attrs().ints(0), v.in_shape(0).size());
    const Tensor count = OP(sum)(hits, axes, true);
    return OP(where)(hits, with_kept_dims(v.grad(), v) / count, 0.0);
  });
}

const Row amax_row =
    Row("amax(Tensor input, int[]? dim=None, bool keepdim=False)")
        .doc(R"(Largest element over some dimensions; NaN wins. Gradient: shared equally by ties.

Example:
    >>> cr.tensor([[1, 5], [7, 2]]).amax(1)
    tensor([5, 7])
)")
        .infer(infer_same_type)
        .launch([](Call& call) {
          reduce_into(Reduction::kMax, call.in[0], axes_of(call), call.out[0]);
        })
        .saves("input, out")
        .vjp(extreme_vjp);

const Row amin_row =
    Row("amin(Tensor input, int[]? dim=None, bool keepdim=False)")
        .doc(R"(Smallest element over some dimensions; NaN wins. Gradient: shared equally by ties.

Example:
    >>> cr.tensor([[1, 5], [7, 2]]).amin(1)
    tensor([1, 2])
)")
        .infer(infer_same_type)
        .launch([](Call& call) {
          reduce_into(Reduction::kMin, call.in[0], axes_of(call), call.out[0]);
        })
        .saves("input, out")
        .vjp(extreme_vjp);

void infer_arg(Call& call) {
  infer_reduction(call, call.in[0].dtype(), DType::kInt64);
  check_not_empty(call, axes_of(call));
}

Tensor arg_of_all(const OpDef& op, const TensorList& in, const Attrs& attrs) {
  if (!attrs.none(0) || in[0].rank() == 1) return Tensor();
  Tensor result = op(OP(reshape)(in[0], Dims{-1}), 0);
  return attrs.b(1) ? OP(reshape)(result, Dims::filled(in[0].rank(), 1)) : result;
}

const Row argmax_row =
    Row("argmax(Tensor input, int? dim=None, bool keepdim=False)")
        .doc(R"(Index of the (first) largest element along a dimension, or in the flattened tensor.

Example:
    >>> cr.tensor([[1, 5], [7, 2]]).argmax(1)
    tensor([1, 0])
)")
        .compose([](const TensorList& in, const Attrs& a) { return arg_of_all(OP(argmax), in, a); })
        .infer(infer_arg)
        .launch([](Call& call) {
          reduce_into(Reduction::kArgMax, call.in[0], axes_of(call), call.out[0]);
        });

const Row argmin_row =
    Row("argmin(Tensor input, int? dim=None, bool keepdim=False)")
        .doc(R"(Index of the (first) smallest element along a dimension, or in the flattened tensor.

Example:
    >>> cr.tensor([[1, 5], [7, 2]]).argmin(1)
    tensor([0, 1])
)")
        .compose([](const TensorList& in, const Attrs& a) { return arg_of_all(OP(argmin), in, a); })
        .infer(infer_arg)
        .launch([](Call& call) {
          reduce_into(Reduction::kArgMin, call.in[0], axes_of(call), call.out[0]);
        });

// Values and indices along one dimension; the gradient goes to the element that won.
void infer_extreme_dim(Call& call) {
  infer_same_type(call);
  call.outputs = 2;
  call.set_output(1, call.out_meta[0].shape, DType::kInt64);
}

void launch_extreme_dim(Call& call, Reduction value, Reduction index) {
  const Dims axes = axes_of(call);
  reduce_into(value, call.in[0], axes, call.out[0]);
  reduce_into(index, call.in[0], axes, call.out[1]);
}

void extreme_dim_vjp(Vjp& v) {
  v.set(0, [&] {
    if (v.in_shape(0).empty()) return v.grad();
    const Tensor index = with_kept_dims(v.out(1), v), grad = with_kept_dims(v.grad(), v);
    return OP(scatter_add)(v.zeros_like_input(0), v.attrs().i(0), index, grad);
  });
}

const Row max_row =
    Row("_max(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)")
        .doc("Largest elements along a dimension and where the first of them stand.")
        .infer(infer_extreme_dim)
        .launch([](Call& call) { launch_extreme_dim(call, Reduction::kMax, Reduction::kArgMax); })
        .saves("indices")
        .vjp(extreme_dim_vjp);

const Row min_row =
    Row("_min(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)")
        .doc("Smallest elements along a dimension and where the first of them stand.")
        .infer(infer_extreme_dim)
        .launch([](Call& call) { launch_extreme_dim(call, Reduction::kMin, Reduction::kArgMin); })
        .saves("indices")
        .vjp(extreme_dim_vjp);

// ---------------------------------------------------------------- logic

void infer_logic(Call& call) { infer_reduction(call, call.in[0].dtype(), DType::kBool); }

const Row any_row = Row("any(Tensor input, int[]? dim=None, bool keepdim=False)")
                        .doc(R"(True where any element is nonzero.

Example:
    >>> cr.tensor([[0, 1], [0, 0]]).any(1)
    tensor([ True, False])
)")
                        .infer(infer_logic)
                        .launch([](Call& call) {
                          reduce_into(Reduction::kAny, call.in[0], axes_of(call), call.out[0]);
                        });

const Row all_row = Row("all(Tensor input, int[]? dim=None, bool keepdim=False)")
                        .doc(R"(True where all elements are nonzero.

Example:
    >>> cr.tensor([[0, 1], [1, 1]]).all(1)
    tensor([False,  True])
)")
                        .infer(infer_logic)
                        .launch([](Call& call) {
                          reduce_into(Reduction::kAll, call.in[0], axes_of(call), call.out[0]);
                        });

// ---------------------------------------------------------------- norms

const Row sum_squares_row =
    Row("_sum_squares(Tensor input, int[]? dim, bool keepdim)")
        .doc("Sum of squares over some dimensions, in one pass.")
        .infer([](Call& call) {
          const DType dtype = call.in[0].dtype();
          infer_reduction(call, dtype, dtype);
        })
        .launch([](Call& call) {
          reduce_into(Reduction::kSumSquares, call.in[0], axes_of(call), call.out[0]);
        })
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return with_kept_dims(v.grad(), v) * v.in(0) * 2.0; }); });

const Row sum_numbers_row =
    Row("_nansum(Tensor input, int[]? dim, bool keepdim)")
        .doc("Sum over some dimensions of the elements that are numbers, in one pass.")
        .infer([](Call& call) {
          const DType dtype = call.in[0].dtype();
          infer_reduction(call, dtype, dtype);
        })
        .launch([](Call& call) {
          reduce_into(Reduction::kSumNumbers, call.in[0], axes_of(call), call.out[0]);
        })
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(where)(OP(isnan)(v.in(0)), 0.0, with_kept_dims(v.grad(), v)); });
        });

const Row norm_row =
    Row("norm(Tensor input, float p=2, int[]? dim=None, bool keepdim=False)")
        .doc(R"(Vector norm ``sum(abs(x)**p)**(1/p)``; ``p`` may be 0, 1, 2, inf or -inf.

Gradient: 0 where the norm is 0, and for ``p`` below 1 where an element is.

Example:
    >>> cr.tensor([3., 4.]).norm()
    tensor(5.)
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const double p = attrs.f(0);
          const bool keepdim = attrs.b(2);
          CR_CHECK_TYPE(is_floating(x.dtype()), "norm: needs a floating-point tensor (got ",
                        x.dtype(), ")");
          const Dims axes = normalize_dims("norm", attrs.ints(1), x.rank());
          if (p == 2) {
            // sqrt has an infinite slope at 0; the norm's subgradient there is 0.
            const Tensor square = OP(_sum_squares)(x, axes, keepdim);
            const Tensor zero = OP(eq)(square, 0.0);
            return OP(where)(zero, square, OP(sqrt)(OP(where)(zero, 1.0, square)));
          }
          const Tensor size = OP(abs)(x);
          if (p == 1) return OP(sum)(size, axes, keepdim);
          if (p == 0) {  // a step function: its gradient is 0, but it has one
            const Tensor counted = OP(to)(OP(ne)(x, 0.0), x.dtype());
            return OP(sum)(x.requires_grad() ? counted + OP(sign)(x) * 0.0 : counted, axes,
                           keepdim);
          }
          if (std::isinf(p))
            return p > 0 ? OP(amax)(size, axes, keepdim) : OP(amin)(size, axes, keepdim);
          Tensor powers;
          if (p < 1) {  // an infinite slope at 0 again, element by element
            const Tensor none = OP(eq)(size, 0.0);
            powers = OP(where)(none, p > 0 ? 0.0 : std::numeric_limits<double>::infinity(),
                               OP(pow)(OP(where)(none, 1.0, size), p));
          } else {
            powers = OP(pow)(size, p);
          }
          const Tensor total = OP(sum)(powers, axes, keepdim);
          const Tensor zero = OP(eq)(total, 0.0);
          return OP(where)(zero, total, OP(pow)(OP(where)(zero, 1.0, total), 1 / p));
        });

// ---------------------------------------------------------------- running sums

void infer_cumulative(Call& call) {
  const DType dtype = call.in[0].dtype();
  const DType result = call.attrs.dtype(1, is_floating(dtype) ? dtype : DType::kInt64);
  call.compute = is_floating(result) ? result : DType::kInt64;
  call.contiguous = true;
  normalize_dim(call.name(), call.attrs.i(0), call.in[0].rank());
  call.set_output(0, call.in[0].shape(), call.compute);
}

void launch_cumulative(Call& call, const ScanKernels& kernels) {
  const Tensor& x = call.in[0];
  if (x.numel() == 0) return;
  Dims axes;
  if (x.rank() > 0) axes.push_back(normalize_dim(call.name(), call.attrs.i(0), x.rank()));
  run_kernel(kernels.of(x.dtype()), fold_axes(x, axes), call.out[0]);
}

const Row reverse_cumsum_row =
    Row("_reverse_cumsum(Tensor input, int dim)")
        .doc("Running sum along a dimension, from its end.")
        .infer([](Call& call) {
          call.contiguous = true;
          normalize_dim(call.name(), call.attrs.i(0), call.in[0].rank());
          call.out_meta[0] = call.in[0].meta();
        })
        .launch([](Call& call) { launch_cumulative(call, scan_table().reverse_cumsum); })
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(cumsum)(v.grad(), v.attrs().i(0)); }); });

const Row cumsum_row =
    Row("cumsum(Tensor input, int dim, *, dtype? dtype=None)")
        .doc(R"(Running sum along a dimension.

Example:
    >>> cr.tensor([1., 2., 3.]).cumsum(0)
    tensor([1., 3., 6.])
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return in_other_integers(OP(cumsum), in, attrs, 1);
        })
        .infer(infer_cumulative)
        .launch([](Call& call) { launch_cumulative(call, scan_table().cumsum); })
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_reverse_cumsum)(v.grad(), v.attrs().i(0)); });
        });

// d out[k] / d x[i] is the product of the others up to k. Without zeros it is out[k] / x[i]; with
// them each output is expanded, so that the gradient is right for every input.
const Row cumprod_row =
    Row("cumprod(Tensor input, int dim, *, dtype? dtype=None)")
        .doc(R"(Running product along a dimension.

Example:
    >>> cr.tensor([1., 2., 3.]).cumprod(0)
    tensor([1., 2., 6.])
)")
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return in_other_integers(OP(cumprod), in, attrs, 1);
        })
        .infer(infer_cumulative)
        .launch([](Call& call) { launch_cumulative(call, scan_table().cumprod); })
        .saves("input, out")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const Tensor x = v.in(0);
            if (x.rank() == 0) return v.grad();
            const int dim = normalize_dim("cumprod", v.attrs().i(0), x.rank());
            if (x.numel() == 0) return v.grad();
            if (item_int(OP(all)(OP(reshape)(x, Dims{-1})))) {
              return OP(_reverse_cumsum)(v.grad() * v.out(), dim) / x;
            }
            const int64_t n = x.shape()[dim];
            TensorList parts;
            for (int64_t i = 0; i < n; ++i) {
              // x with element i replaced by 1, times the running product before it.
              const Tensor rest = OP(slice)(x, dim, i + 1, nullptr);
              Dims one = x.shape();
              one[dim] = 1;
              const Tensor head =
                  i == 0 ? OP(ones)(one, x.dtype()) : OP(prod)(OP(slice)(x, dim, 0, i), dim, true);
              const Tensor products = OP(cumprod)(OP(cat)(TensorList{head, rest}, dim), dim);
              parts.push_back(
                  OP(sum)(products * OP(slice)(v.grad(), dim, i, nullptr), Dims{dim}, true));
            }
            return OP(cat)(parts, dim);
          });
        });

const Row running_extreme_row =
    Row("_running_extreme(Tensor input, int dim, bool smallest) -> "
        "(Tensor values, Tensor indices)")
        .doc("The largest or smallest element so far and its last place: int64 and floats.")
        .infer([](Call& call) {
          const DType dtype = call.in[0].dtype();
          CR_CHECK_TYPE(dtype == DType::kInt64 || is_floating(dtype), call.name(), ": got dtype ",
                        dtype, "; expected int64, float32 or float64");
          CR_CHECK(call.in[0].rank() > 0, call.name(), ": needs a dimension (got shape ())");
          normalize_dim(call.name(), call.attrs.i(0), call.in[0].rank());
          call.contiguous = true;
          call.outputs = 2;
          call.out_meta[0] = call.in[0].meta();
          call.set_output(1, call.in[0].shape(), DType::kInt64);
        })
        .launch([](Call& call) {
          const Tensor& x = call.in[0];
          if (x.numel() == 0) return;
          const Folded f =
              fold_axes(x, Dims{normalize_dim(call.name(), call.attrs.i(0), x.rank())});
          const ScanTable& table = scan_table();
          const RunningKernel kernel =
              (call.attrs.b(1) ? table.cummin : table.cummax).of(x.dtype());
          over_parts(f, [&](const ReduceShape& shape) {
            kernel(x.data(), call.out[0].data(), call.out[1].data<int64_t>(), shape);
          });
        })
        .saves("indices")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(scatter_add)(v.zeros_like_input(0), v.attrs().i(0), v.out(1), v.grad());
          });
        });

}  // namespace
}  // namespace cr

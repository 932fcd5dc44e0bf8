// Windows of one dimension as a view, and their transpose. {windows, its gradient} is closed under
// differentiation; F.unfold (im2col) and F.fold are made of both.
#include "autograd/node.h"

namespace cr {
namespace {

// Attributes from `first` on: dim, size, step, dilation.
struct Windows {
  int dim;
  int64_t size, step, dilation, count;

  Windows(const char* op, const Dims& shape, const Attrs& attrs, int first)
      : size(attrs.i(first + 1)), step(attrs.i(first + 2)), dilation(attrs.i(first + 3)) {
    CR_CHECK_INDEX(!shape.empty(), op, ": a 0-d tensor has no windows");
    dim = normalize_dim(op, attrs.i(first), shape.size());
    CR_CHECK(size >= 0 && step >= 1 && dilation >= 1, op,
             ": size must be at least 0, step and dilation at least 1 (got size ", size, ", step ",
             step, ", dilation ", dilation, ")");
    const int64_t extent = shape[dim];
    int64_t reach = 0;
    const bool overflows = size > 0 && (__builtin_mul_overflow(dilation, size - 1, &reach) ||
                                        __builtin_add_overflow(reach, 1, &reach));
    CR_CHECK(!overflows && reach <= extent, op, ": windows of ", size, " elements (dilation ",
             dilation, ") do not fit dimension ", dim, " of shape ", shape);
    count = (extent - reach) / step + 1;
  }

  // Where the windows are in memory laid out by `shape` and `strides`.
  void place(Dims& shape, Dims& strides) const {
    const int64_t stride = strides[dim];
    shape[dim] = count;
    strides[dim] = count > 1 ? step * stride : stride;
    shape.push_back(size);
    strides.push_back(size > 1 ? dilation * stride : stride);
  }
};

const Row windows_row =
    Row("_windows(Tensor input, int dim, int size, int step, int dilation)")
        .doc("Windows of one dimension, their elements as a new last dimension (a view).")
        .view()
        .infer([](Call& call) {
          const Tensor& x = call.in[0];
          const Windows windows("unfold", x.shape(), call.attrs, 0);
          Dims shape = x.shape(), strides = x.strides();
          windows.place(shape, strides);
          checked_numel(shape);
          call.set_output(0, shape, x.dtype());
          call.view_strides = strides;
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] {
            return OP(_windows_grad)(v.grad(), v.in_shape(0), a.i(0), a.i(1), a.i(2), a.i(3));
          });
        });

const Row windows_grad_row =
    Row("_windows_grad(Tensor grad, int[] shape, int dim, int size, int step, int dilation)")
        .doc("Zeros of ``shape`` with every element of every window added to its place.")
        .infer([](Call& call) {
          const Dims shape = call.attrs.ints(0);
          const Windows windows("fold", shape, call.attrs, 1);
          Dims expected = shape, strides = contiguous_strides(shape);
          windows.place(expected, strides);
          CR_CHECK(call.in[0].shape() == expected, "fold: got windows of shape ",
                   call.in[0].shape(), "; expected ", expected, " for an output of shape ", shape);
          checked_numel(shape);
          call.set_output(0, shape, call.in[0].dtype());
        })
        .launch([](Call& call) {
          const Tensor &grad = call.in[0], &out = call.out[0];
          __builtin_memset(out.data(), 0, static_cast<size_t>(out.nbytes()));
          if (grad.numel() == 0) return;
          const Windows windows("fold", out.shape(), call.attrs, 1);
          const NoGrad untaped;
          // Element k of all windows at once: these do not overlap.
          Dims shape = out.shape(), strides = out.strides();
          windows.place(shape, strides);
          const int64_t stride = strides.back(), grad_stride = grad.strides().back();
          shape.pop_back();
          strides.pop_back();
          const Dims from(grad.strides().begin(), grad.strides().end() - 1);
          for (int64_t k = 0; k < windows.size; ++k) {
            const Tensor target = out.alias(shape, strides, k * stride);
            const Tensor part = grad.alias(shape, from, k * grad_stride);
            Attrs attrs;
            attrs.push_float(1.0);
            run_inplace(OP(add), {target, part}, attrs);
          }
        })
        .vjp([](Vjp& v) {
          const Attrs& a = v.attrs();
          v.set(0, [&] { return OP(_windows)(v.grad(), a.i(1), a.i(2), a.i(3), a.i(4)); });
        });

const Row unfold_row =
    Row("unfold(Tensor input, int dimension, int size, int step)")
        .doc(R"(All windows of ``size`` elements of a dimension, ``step`` apart, as a view.

Args:
    input: tensor of at least one dimension.
    dimension: the dimension; its new size is the number of windows.
    size: elements of a window, which become a new last dimension.
    step: distance between windows; below ``size`` they overlap.

Raises:
    IndexError: when there is no such dimension.
    ValueError: when a window is larger than the dimension, or the step is not positive.

Gradient: added up where windows overlap.

Example:
    >>> cr.arange(5).unfold(0, 3, 1)
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4]])
)")
        .compose([](const TensorList& in, const Attrs& a) {
          return OP(_windows)(in[0], a.i(0), a.i(1), a.i(2), 1);
        });

}  // namespace
}  // namespace cr

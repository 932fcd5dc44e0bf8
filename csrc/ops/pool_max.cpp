// Max pooling. Windows run over the last one or two dimensions; all others count as planes.
// {max pool, unpool, take} is closed under differentiation.
#include "autograd/node.h"
#include "ops/pool_plan.h"

namespace cr {
namespace {

template <class T>
void run_max(const PoolProblem& p, const Tensor& input, const Tensor& out, const Tensor& indices,
             char* workspace) {
  const bool wide = indices && indices.dtype() == DType::kInt64;
  const PoolWork<T> work(p, PoolKind::kMax, wide, workspace);
  const T* in = input.data<T>();
  const T* stop = in + input.numel();
  int32_t* places = !indices ? nullptr : wide ? work.indices : indices.data<int32_t>();
  over_planes(p, [&](int64_t begin, int64_t end, int worker) {
    if (p.split()) {
      pool_kernels<T>().max_split(work.plan, begin, end, in, stop, out.data<T>(), places,
                                  work.worker(worker));
    } else {
      pool_kernels<T>().max_windows(work.plan, begin, end, in, out.data<T>(), places);
    }
  });
  if (wide) std::copy_n(places, indices.numel(), indices.data<int64_t>());
}

// Attributes kernel_size, stride, padding, dilation, ceil_mode.
PoolProblem max_problem(const Call& call) {
  const Attrs& a = call.attrs;
  return window_problem(call.name(), call.in[0].shape(), call.in[0].dtype(), a.ints(0),
                        a.ints(a.none(1) ? 0 : 1), a.ints(2), a.ints(3), a.b(4));
}

template <MakeProblem problem, DType index>
void infer_max(Call& call) {
  const PoolProblem p = problem(call);
  const DType dtype = call.in[0].dtype();
  const Dims shape = out_shape(call.in[0].shape(), spatial_dims(call), p);
  call.contiguous = true;
  call.outputs = 2;
  call.set_output(0, shape, dtype);
  call.set_output(1, shape, index);
  call.workspace_bytes = pool_workspace(p, PoolKind::kMax, dtype, index == DType::kInt64);
}

// Only the maxima, for where no gradient will ask for their places.
template <MakeProblem problem>
void infer_values(Call& call) {
  infer_max<problem, DType::kInt32>(call);
  call.outputs = 1;
}

template <MakeProblem problem>
void launch_max(Call& call) {
  const PoolProblem p = problem(call);
  dispatch_floating(call.in[0].dtype(), [&](auto tag) {
    run_max<typename decltype(tag)::type>(p, call.in[0], call.out[0], call.out[1], call.workspace);
  });
}

void max_vjp(Vjp& v) {
  v.set(0, [&] {
    const int spatial = v.attrs().ints(0).size();
    return OP(_max_unpool)(v.grad(), OP(to)(v.out(1), DType::kInt32),
                           spatial_of(v.in_shape(0), spatial));
  });
}

Tensor first_output(const OpDef& op, const TensorList& in, const Attrs& attrs) {
  Tensor out[kMaxOutputs];
  run(op, in, attrs, out);
  return std::move(out[0]);
}

void check_indices(const Call& call, const Dims& input, const Dims& out, int spatial) {
  const bool fits = input.size() == out.size() && input.size() >= spatial;
  bool same = fits;
  for (int d = 0; fits && d < input.size() - spatial; ++d) same = same && input[d] == out[d];
  CR_CHECK(same, call.name(), ": planes of shapes ", input, " and ", out, " do not match");
  CR_CHECK_TYPE(call.in[1].dtype() == DType::kInt32 && is_floating(call.in[0].dtype()), call.name(),
                ": got dtypes ", call.in[0].dtype(), " and ", call.in[1].dtype(),
                "; expected floats and int32 indices");
}

// The planes and sizes of an unpool or take; `in_plane` is the side that indices point into.
template <class T>
using MoveKernel = void (*)(int64_t, int64_t, int64_t, int64_t, const T*, const int32_t*, T*);

template <class T>
void move_planes(MoveKernel<T> kernel, const Dims& shape, const Dims& small, int spatial,
                 const Call& call) {
  int64_t planes = 1, plane = 1, out_plane = 1;
  for (int d = 0; d < shape.size(); ++d) {
    (d < shape.size() - spatial ? planes : plane) *= shape[d];
    if (d >= shape.size() - spatial) out_plane *= small[d];
  }
  parallel(planes, grain_for(10 + 0.1 * plane + out_plane), [&](int64_t begin, int64_t end, int) {
    kernel(plane, out_plane, begin, end, call.in[0].data<T>(), call.in[1].data<int32_t>(),
           call.out[0].data<T>());
  });
}

const Row unpool_row =
    Row("_max_unpool(Tensor grad, Tensor indices, int[] size)")
        .doc("Add every value to the place its index names, in zero planes of the given size.")
        .infer([](Call& call) {
          const Dims size = call.attrs.ints(0);
          const Dims& small = call.in[0].shape();
          CR_CHECK(small == call.in[1].shape() && small.size() >= size.size(), call.name(),
                   ": got values ", small, " and indices ", call.in[1].shape(),
                   "; expected equal shapes");
          const Dims shape = with_spatial(small, size);
          check_indices(call, shape, small, size.size());
          checked_numel(shape);
          call.contiguous = true;
          call.set_output(0, shape, call.in[0].dtype());
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            move_planes<T>(pool_kernels<T>().unpool, call.out[0].shape(), call.in[0].shape(),
                           spatial_dims(call), call);
          });
        })
        .saves("indices for grad")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(_max_take)(v.grad(), v.in(1), int64_t{v.attrs().ints(0).size()});
          });
        });

const Row take_row =
    Row("_max_take(Tensor input, Tensor indices, int spatial)")
        .doc("From every plane the values its indices name.")
        .infer([](Call& call) {
          check_indices(call, call.in[0].shape(), call.in[1].shape(),
                        static_cast<int>(call.attrs.i(0)));
          call.contiguous = true;
          call.set_output(0, call.in[1].shape(), call.in[0].dtype());
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            move_planes<T>(pool_kernels<T>().take, call.in[0].shape(), call.in[1].shape(),
                           static_cast<int>(call.attrs.i(0)), call);
          });
        })
        .saves("indices for input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(_max_unpool)(v.grad(), v.in(1),
                                   spatial_of(v.in_shape(0), static_cast<int>(v.attrs().i(0))));
          });
        });

const Row max_pool_row =
    Row("_max_pool(Tensor input, int[] kernel_size, int[]? stride, int[] padding, int[] dilation, "
        "bool ceil_mode) -> (Tensor values, Tensor indices)")
        .doc("Max pooling over as many dimensions as kernel_size has, with compact indices.")
        .infer(infer_max<max_problem, DType::kInt32>)
        .launch(launch_max<max_problem>)
        .saves("indices")
        .vjp(max_vjp);

const Row adaptive_max_row =
    Row("_adaptive_max_pool(Tensor input, int[] output_size) -> (Tensor values, Tensor indices)")
        .doc("Adaptive max pooling with compact indices.")
        .infer(infer_max<adaptive_problem, DType::kInt32>)
        .launch(launch_max<adaptive_problem>)
        .saves("indices")
        .vjp(max_vjp);

const Row max_values_row =
    Row("_max_pool_values(Tensor input, int[] kernel_size, int[]? stride, int[] padding, "
        "int[] dilation, bool ceil_mode)")
        .doc("Max pooling without indices, and so without a gradient.")
        .infer(infer_values<max_problem>)
        .launch(launch_max<max_problem>);

const Row adaptive_max_values_row =
    Row("_adaptive_max_pool_values(Tensor input, int[] output_size)")
        .doc("Adaptive max pooling without indices, and so without a gradient.")
        .infer(infer_values<adaptive_problem>)
        .launch(launch_max<adaptive_problem>);

// ---------------------------------------------------------------- what users call

bool needs_places(const Tensor& x) { return GradMode::enabled() && x.requires_grad(); }

Tensor compose_max(const TensorList& in, const Attrs& attrs) {
  return first_output(needs_places(in[0]) ? OP(_max_pool) : OP(_max_pool_values), in, attrs);
}
Tensor compose_adaptive_max(const TensorList& in, const Attrs& attrs) {
  const OpDef& op = needs_places(in[0]) ? OP(_adaptive_max_pool) : OP(_adaptive_max_pool_values);
  return first_output(op, in, attrs);
}

const Row max_pool2d_row =
    Row("max_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, "
        "int[2] dilation=1, bool ceil_mode=False)")
        .doc(R"(The largest element of every window of every plane.

Of equal elements the first counts; a window with a NaN gives NaN.

Args:
    input: ``(N, C, H, W)`` or ``(C, H, W)``, float32 or float64.
    kernel_size: height and width of the window, an int or a pair, as the next three.
    stride: step of the window; the window's size when None.
    padding: minus infinity around the plane, at most half the window.
    dilation: distance between the elements of a window.
    ceil_mode: round the output size up: the last window may stick out.

Returns:
    ``(N, C, P, Q)`` with ``P = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``.

Raises:
    ValueError: a size is out of range, or the window is larger than the padded input.
    TypeError: an integer dtype.

Gradient: to the largest elements, of any order.

Example:
    >>> cr.nn.functional.max_pool2d(cr.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
)")
        .compose(compose_max)
        .nn();

const Row max_pool1d_row =
    Row("max_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, "
        "int[1] dilation=1, bool ceil_mode=False)")
        .doc(
            R"(The largest element of every window of every sequence: ``max_pool2d`` in one dimension.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.

Returns:
    ``(N, C, M)`` with ``M = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``.

Raises:
    ValueError: a size is out of range, or the window is larger than the padded input.
    TypeError: an integer dtype.

Example:
    >>> cr.nn.functional.max_pool1d(cr.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])
)")
        .compose(compose_max)
        .nn();

const Row max_pool2d_indices_row =
    Row("max_pool2d_with_indices(Tensor input, int[2] kernel_size, int[2]? stride=None, "
        "int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> (Tensor out, Tensor "
        "indices)")
        .doc(
            R"(``max_pool2d`` and where the largest elements stand in their flattened planes (int64).

Example:
    >>> cr.nn.functional.max_pool2d_with_indices(cr.arange(16.0).reshape(1, 1, 4, 4), 2)[1]
    tensor([[[[ 5,  7],
              [13, 15]]]])
)")
        .infer(infer_max<max_problem, DType::kInt64>)
        .launch(launch_max<max_problem>)
        .saves("indices")
        .vjp(max_vjp)
        .nn();

const Row max_pool1d_indices_row =
    Row("max_pool1d_with_indices(Tensor input, int[1] kernel_size, int[1]? stride=None, "
        "int[1] padding=0, int[1] dilation=1, bool ceil_mode=False) -> (Tensor out, Tensor "
        "indices)")
        .doc(R"(``max_pool1d`` and where the largest elements stand in their sequences (int64).

Example:
    >>> cr.nn.functional.max_pool1d_with_indices(cr.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)[1]
    tensor([[1, 3]])
)")
        .infer(infer_max<max_problem, DType::kInt64>)
        .launch(launch_max<max_problem>)
        .saves("indices")
        .vjp(max_vjp)
        .nn();

const Row adaptive_max_pool2d_row =
    Row("adaptive_max_pool2d(Tensor input, int[2] output_size)")
        .doc(R"(The largest element of each cell of a grid laid over every plane.

Row ``i`` of ``P`` covers the rows ``floor(i H / P)`` to ``ceil((i + 1) H / P)``.

Args:
    input: ``(N, C, H, W)`` or ``(C, H, W)``, float32 or float64.
    output_size: ``(P, Q)`` or an int for both; -1 keeps the input's size.

Returns:
    ``(N, C, P, Q)``.

Raises:
    ValueError: a size below 1.
    TypeError: an integer dtype.

Example:
    >>> cr.nn.functional.adaptive_max_pool2d(cr.arange(12.0).reshape(1, 3, 4), 2)
    tensor([[[ 5.,  7.],
             [ 9., 11.]]])
)")
        .compose(compose_adaptive_max)
        .nn();

const Row adaptive_max_pool1d_row =
    Row("adaptive_max_pool1d(Tensor input, int[1] output_size)")
        .doc(R"(The largest element of each of ``output_size`` stretches of every sequence.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.
    output_size: the output's length; -1 keeps the input's.

Example:
    >>> cr.nn.functional.adaptive_max_pool1d(cr.tensor([[1.0, 4.0, 2.0]]), 2)
    tensor([[4., 4.]])
)")
        .compose(compose_adaptive_max)
        .nn();

const Row adaptive_max_pool2d_indices_row =
    Row("adaptive_max_pool2d_with_indices(Tensor input, int[2] output_size) "
        "-> (Tensor out, Tensor indices)")
        .doc(
            R"(``adaptive_max_pool2d`` and where the largest elements stand in their planes (int64).

Example:
    >>> cr.nn.functional.adaptive_max_pool2d_with_indices(cr.arange(12.0).reshape(1, 3, 4), 1)[1]
    tensor([[[11]]])
)")
        .infer(infer_max<adaptive_problem, DType::kInt64>)
        .launch(launch_max<adaptive_problem>)
        .saves("indices")
        .vjp(max_vjp)
        .nn();

const Row adaptive_max_pool1d_indices_row =
    Row("adaptive_max_pool1d_with_indices(Tensor input, int[1] output_size) "
        "-> (Tensor out, Tensor indices)")
        .doc(
            R"(``adaptive_max_pool1d`` and where the largest elements stand in their sequences (int64).

Example:
    >>> cr.nn.functional.adaptive_max_pool1d_with_indices(cr.tensor([[1.0, 4.0, 2.0]]), 1)[1]
    tensor([[1]])
)")
        .infer(infer_max<adaptive_problem, DType::kInt64>)
        .launch(launch_max<adaptive_problem>)
        .saves("indices")
        .vjp(max_vjp)
        .nn();

}  // namespace
}  // namespace cr

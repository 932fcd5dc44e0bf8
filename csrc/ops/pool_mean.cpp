// Average pooling. Windows run over the last one or two dimensions; all others count as planes.
// {average, its gradient} is closed under differentiation.
#include "autograd/node.h"
#include "ops/pool_plan.h"
#include "ops/reduce.kernel.h"

namespace cr {
namespace {

// The mean of whole planes: their sums as those of rows.
template <class T>
void run_plane_mean(const PoolProblem& p, const Tensor& input, const Tensor& out) {
  const ReduceKernel sum =
      reduce_table().kernel[static_cast<int>(Reduction::kSum)][static_cast<int>(input.dtype())];
  const int64_t n = p.h.extent * p.w.extent;
  const T divisor = static_cast<T>(p.divisor ? p.divisor : n);
  over_planes(p, [&](int64_t begin, int64_t end, int) {
    T* means = out.data<T>();
    sum(input.data(), means, {n, 1, begin, end, 0, 1});
    for (int64_t i = begin; i < end; ++i) means[i] /= divisor;
  });
}

// Large windows side by side: sums down the rows of each row of windows, then along those sums.
bool large_tiles(const PoolProblem& p) { return p.tiles() && p.h.kernel * p.w.kernel >= 16; }

template <class T>
T tile_divisor(const PoolProblem& p) {
  return static_cast<T>(p.divisor ? p.divisor : p.h.kernel * p.w.kernel);
}

// Planes whose sums are formed together, and the elements of those sums.
int64_t tile_group(const PoolProblem& p) {
  constexpr int64_t kElements = 4096;
  return std::max<int64_t>(kElements / (p.h.out * p.w.extent), 1);
}
int64_t tile_line(const PoolProblem& p) { return tile_group(p) * p.h.out * p.w.extent; }

template <class T>
void run_tile_mean(const PoolProblem& p, const Tensor& input, const Tensor& out, char* workspace) {
  const int type = static_cast<int>(input.dtype());
  const ReduceKernel sum = reduce_table().kernel[static_cast<int>(Reduction::kSum)][type];
  const auto divide = reduce_table().divide[sizeof(T) == 8];
  const int64_t width = p.w.extent, plane = p.h.out * p.w.out, group = tile_group(p);
  over_planes(p, [&](int64_t begin, int64_t end, int worker) {
    T* lines = reinterpret_cast<T*>(workspace) + worker * tile_line(p);
    for (int64_t n = begin; n < end; n += group) {
      const int64_t planes = std::min(group, end - n);
      T* means = out.data<T>() + n * plane;
      sum(input.data<T>() + n * p.h.extent * width, lines,
          {p.h.kernel, width, 0, planes * p.h.out, 0, width});
      sum(lines, means, {p.w.kernel, 1, 0, planes * plane, 0, 1});
      divide(means, planes * plane, tile_divisor<T>(p));
    }
  });
}

template <class T>
void run_mean(const PoolProblem& p, const Tensor& input, const Tensor& out, char* workspace) {
  if (p.whole_planes()) return run_plane_mean<T>(p, input, out);
  if (large_tiles(p)) return run_tile_mean<T>(p, input, out, workspace);
  const PoolWork<T> work(p, PoolKind::kMean, false, workspace);
  const T* in = input.data<T>();
  const T* stop = in + input.numel();
  over_planes(p, [&](int64_t begin, int64_t end, int worker) {
    if (p.split()) {
      pool_kernels<T>().mean_split(work.plan, begin, end, in, stop, out.data<T>(),
                                   work.worker(worker));
    } else {
      pool_kernels<T>().mean_windows(work.plan, begin, end, in, out.data<T>());
    }
  });
}

template <class T>
void run_spread(const PoolProblem& p, const Tensor& grad, const Tensor& out, char* workspace) {
  const PoolWork<T> work(p, PoolKind::kSpread, false, workspace);
  if (p.tiles()) {
    return over_planes(p, [&](int64_t begin, int64_t end, int) {
      pool_kernels<T>().spread_tiles(work.plan, p.h.kernel, p.w.kernel, tile_divisor<T>(p), begin,
                                     end, grad.data<T>(), out.data<T>());
    });
  }
  over_planes(p, [&](int64_t begin, int64_t end, int worker) {
    if (p.split()) {
      pool_kernels<T>().spread_split(work.plan, begin, end, grad.data<T>(), out.data<T>(),
                                     work.worker(worker));
    } else {
      pool_kernels<T>().spread_windows(work.plan, begin, end, grad.data<T>(), out.data<T>());
    }
  });
}

// Attributes kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override from
// `first` on (1-d averages have no divisor_override).
PoolProblem mean_problem(const Call& call, const Dims& shape, int first) {
  const Attrs& a = call.attrs;
  const Dims kernel = a.ints(first);
  PoolProblem p = window_problem(call.name(), shape, call.in[0].dtype(), kernel,
                                 a.none(first + 1) ? kernel : a.ints(first + 1), a.ints(first + 2),
                                 Dims::filled(kernel.size(), 1), a.b(first + 3));
  p.count_include_pad = a.b(first + 4);
  if (a.size() > first + 5 && !a.none(first + 5)) {
    p.divisor = a.i(first + 5);
    CR_CHECK(p.divisor != 0, call.name(), ": divisor_override must not be 0");
  }
  return p;
}

PoolProblem mean_problem(const Call& call) { return mean_problem(call, call.in[0].shape(), 0); }

// The gradients' inputs have the output's shape; attribute 0 is the input's spatial size.
PoolProblem mean_grad_problem(const Call& call) {
  return mean_problem(call, with_spatial(call.in[0].shape(), call.attrs.ints(0)), 1);
}
PoolProblem adaptive_grad_problem(const Call& call) {
  const Dims &grad = call.in[0].shape(), size = call.attrs.ints(0);
  return adaptive_problem(call.name(), with_spatial(grad, size), call.in[0].dtype(),
                          spatial_of(grad, size.size()));
}

template <MakeProblem problem>
void infer_mean(Call& call) {
  const PoolProblem p = problem(call);
  const DType dtype = call.in[0].dtype();
  call.contiguous = true;
  call.set_output(0, out_shape(call.in[0].shape(), spatial_dims(call), p), dtype);
  call.workspace_bytes = pool_workspace(p, PoolKind::kMean, dtype, false);
  if (large_tiles(p)) {
    call.workspace_bytes = static_cast<size_t>(max_workers() * tile_line(p) * itemsize(dtype));
  }
}

template <MakeProblem problem>
void launch_mean(Call& call) {
  const PoolProblem p = problem(call);
  dispatch_floating(call.in[0].dtype(), [&](auto tag) {
    run_mean<typename decltype(tag)::type>(p, call.in[0], call.out[0], call.workspace);
  });
}

template <MakeProblem problem>
void infer_spread(Call& call) {
  const Dims &grad = call.in[0].shape(), size = call.attrs.ints(0);
  CR_CHECK(grad.size() >= size.size(), call.name(), ": got gradient ", grad, " for size ", size);
  const PoolProblem p = problem(call);
  const Dims shape = with_spatial(grad, size), out = out_shape(shape, size.size(), p);
  CR_CHECK(grad == out, call.name(), ": the gradient has shape ", grad, "; expected the output's, ",
           out);
  checked_numel(shape);
  call.contiguous = true;
  call.set_output(0, shape, call.in[0].dtype());
  call.workspace_bytes = pool_workspace(p, PoolKind::kSpread, call.in[0].dtype(), false);
}

template <MakeProblem problem>
void launch_spread(Call& call) {
  const PoolProblem p = problem(call);
  dispatch_floating(call.in[0].dtype(), [&](auto tag) {
    run_spread<typename decltype(tag)::type>(p, call.in[0], call.out[0], call.workspace);
  });
}

void mean_vjp(Vjp& v) {
  v.set(0, [&] {
    const Attrs& a = v.attrs();
    Attrs attrs;
    const Dims size = spatial_of(v.in_shape(0), a.ints(0).size());
    attrs.push_ints(size.begin(), size.end());
    for (int k = 0; k < a.size(); ++k) attrs.push_from(a, k);
    if (a.size() < 6) attrs.push_none();
    return run(OP(_avg_pool_grad), {v.grad()}, attrs);
  });
}

void adaptive_mean_vjp(Vjp& v) {
  v.set(0, [&] {
    return OP(_adaptive_avg_pool_grad)(v.grad(),
                                       spatial_of(v.in_shape(0), v.attrs().ints(0).size()));
  });
}

const Row mean_grad_row =
    Row("_avg_pool_grad(Tensor grad, int[] size, int[] kernel_size, int[]? stride, int[] padding, "
        "bool ceil_mode, bool count_include_pad, int? divisor_override)")
        .doc("Gradient of an average pool with respect to an input of the given spatial size.")
        .infer(infer_spread<mean_grad_problem>)
        .launch(launch_spread<mean_grad_problem>)
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const Attrs& a = v.attrs();
            const bool planes = a.ints(0).size() == 2;
            Attrs attrs;
            for (int k = 1; k < (planes ? 7 : 6); ++k) attrs.push_from(a, k);
            return run(planes ? OP(avg_pool2d) : OP(avg_pool1d), {v.grad()}, attrs);
          });
        });

const Row adaptive_grad_row =
    Row("_adaptive_avg_pool_grad(Tensor grad, int[] size)")
        .doc("Gradient of an adaptive average pool with respect to an input of the given size.")
        .infer(infer_spread<adaptive_grad_problem>)
        .launch(launch_spread<adaptive_grad_problem>)
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const int spatial = v.attrs().ints(0).size();
            const Dims size = spatial_of(v.in_shape(0), spatial);
            return spatial == 2 ? OP(adaptive_avg_pool2d)(v.grad(), size)
                                : OP(adaptive_avg_pool1d)(v.grad(), size);
          });
        });

// ---------------------------------------------------------------- what users call

const Row avg_pool2d_row =
    Row("avg_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, "
        "bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)")
        .doc(R"(The mean of every window of every plane.

Args:
    input: ``(N, C, H, W)`` or ``(C, H, W)``, float32 or float64.
    kernel_size: height and width of the window, an int or a pair, as the next two.
    stride: step of the window; the window's size when None.
    padding: zeros around the plane, at most half the window.
    ceil_mode: round the output size up: the last window may stick out.
    count_include_pad: whether the padding counts in the divisor.
    divisor_override: divide by this instead of the size of the window.

Returns:
    ``(N, C, P, Q)`` with ``P = (H + 2 padding - kernel_size) // stride + 1`` and Q alike.

Raises:
    ValueError: a size is out of range, or the window is larger than the padded input.
    TypeError: an integer dtype.

Gradient: of any order.

Example:
    >>> cr.nn.functional.avg_pool2d(cr.arange(16.0).reshape(1, 1, 4, 4), 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
)")
        .infer(infer_mean<mean_problem>)
        .launch(launch_mean<mean_problem>)
        .vjp(mean_vjp)
        .nn();

const Row avg_pool1d_row =
    Row("avg_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, "
        "bool ceil_mode=False, bool count_include_pad=True)")
        .doc(R"(The mean of every window of every sequence: ``avg_pool2d`` in one dimension.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.

Returns:
    ``(N, C, M)`` with ``M = (L + 2 padding - kernel_size) // stride + 1``.

Raises:
    ValueError: a size is out of range, or the window is larger than the padded input.
    TypeError: an integer dtype.

Example:
    >>> cr.nn.functional.avg_pool1d(cr.tensor([[1.0, 3.0, 2.0, 6.0]]), 2)
    tensor([[2., 4.]])
)")
        .infer(infer_mean<mean_problem>)
        .launch(launch_mean<mean_problem>)
        .vjp(mean_vjp)
        .nn();

const Row adaptive_avg_pool2d_row =
    Row("adaptive_avg_pool2d(Tensor input, int[2] output_size)")
        .doc(R"(The mean of each cell of a grid laid over every plane.

Row ``i`` of ``P`` covers the rows ``floor(i H / P)`` to ``ceil((i + 1) H / P)``.

Args:
    input: ``(N, C, H, W)`` or ``(C, H, W)``, float32 or float64.
    output_size: ``(P, Q)`` or an int for both; -1 keeps the input's size.

Returns:
    ``(N, C, P, Q)``.

Raises:
    ValueError: a size below 1.
    TypeError: an integer dtype.

Gradient: of any order.

Example:
    >>> cr.nn.functional.adaptive_avg_pool2d(cr.arange(12.0).reshape(1, 3, 4), 1)
    tensor([[[5.5000]]])
)")
        .infer(infer_mean<adaptive_problem>)
        .launch(launch_mean<adaptive_problem>)
        .vjp(adaptive_mean_vjp)
        .nn();

const Row adaptive_avg_pool1d_row =
    Row("adaptive_avg_pool1d(Tensor input, int[1] output_size)")
        .doc(R"(The mean of each of ``output_size`` stretches of every sequence.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.
    output_size: the output's length; -1 keeps the input's.

Example:
    >>> cr.nn.functional.adaptive_avg_pool1d(cr.tensor([[1.0, 3.0, 5.0]]), 2)
    tensor([[2., 4.]])
)")
        .infer(infer_mean<adaptive_problem>)
        .launch(launch_mean<adaptive_problem>)
        .vjp(adaptive_mean_vjp)
        .nn();

}  // namespace
}  // namespace cr

#include "ops/pool_plan.h"

namespace cr {
namespace {

constexpr int64_t kMaxPlane = (int64_t{1} << 31) - 1;  // indices within a plane are 32 bits wide

const char* kShapes[] = {"", "(N, C, L) or (C, L)", "(N, C, H, W) or (C, H, W)"};

// Checks the input and starts a problem over its last `spatial` dimensions.
PoolProblem begin_problem(const char* op, const Dims& shape, DType dtype, int spatial) {
  CR_CHECK_TYPE(is_floating(dtype), op, ": got input of dtype ", dtype,
                "; expected float32 or float64; use .to(dtype)");
  CR_CHECK(shape.size() == spatial + 1 || shape.size() == spatial + 2, op, ": got input of shape ",
           shape, "; expected ", kShapes[spatial]);
  PoolProblem p;
  for (int d = 0; d < shape.size() - spatial; ++d) p.planes *= shape[d];
  p.w.extent = shape.back();
  if (spatial == 2) p.h.extent = shape[shape.size() - 2];
  CR_CHECK(p.h.extent > 0 && p.w.extent > 0, op, ": the planes are empty (got shape ", shape, ")");
  CR_CHECK(p.h.extent <= kMaxPlane / p.w.extent, op, ": planes of 2**31 elements or more (got ",
           shape, ")");
  return p;
}

// Output pixels as torch counts them: with ceil_mode the last window may stick out, but must begin
// within the plane or the padding before it.
void set_window(const char* op, const Dims& shape, PoolAxis& axis, int64_t kernel, int64_t stride,
                int64_t padding, int64_t dilation, bool ceil_mode) {
  const auto got = [&] {
    return concat("got input ", shape, ", kernel_size=", kernel, ", stride=", stride,
                  ", padding=", padding, ", dilation=", dilation);
  };
  CR_CHECK(kernel >= 1 && stride >= 1 && dilation >= 1 && padding >= 0, op,
           ": kernel_size, stride and dilation must be at least 1 and padding at least 0 (", got(),
           ")");
  CR_CHECK(kernel <= kMaxPlane && stride <= kMaxPlane && dilation <= kMaxPlane, op,
           ": sizes of 2**31 or more (", got(), ")");
  const int64_t reach = dilation * (kernel - 1) + 1;
  CR_CHECK(padding <= reach / 2, op, ": padding is more than half the window (", got(), ")");
  const int64_t room = axis.extent + 2 * padding - reach;
  axis.kernel = kernel;
  axis.stride = stride;
  axis.padding = padding;
  axis.dilation = dilation;
  axis.out = room < 0 ? 0 : (ceil_mode ? ceil_div(room, stride) : room / stride) + 1;
  if (ceil_mode && (axis.out - 1) * stride >= axis.extent + padding) --axis.out;
  CR_CHECK(axis.out >= 1, op, ": the window is larger than the padded input (", got(), ")");
}

// An output that divides the plane evenly is ordinary pooling.
void set_adaptive(const char* op, const Dims& shape, PoolAxis& axis, int64_t out) {
  CR_CHECK(out >= 1 && out <= kMaxPlane, op, ": output_size must be at least 1 (got ", out,
           " for input ", shape, ")");
  axis.out = out;
  axis.adaptive = true;
}

void finish_adaptive(PoolProblem& p) {
  if (p.h.extent % p.h.out != 0 || p.w.extent % p.w.out != 0) return;
  for (PoolAxis* axis : {&p.h, &p.w}) {
    axis->kernel = axis->stride = axis->extent / axis->out;
    axis->adaptive = false;
  }
}

}  // namespace

PoolProblem window_problem(const char* op, const Dims& shape, DType dtype, const Dims& kernel,
                           const Dims& stride, const Dims& padding, const Dims& dilation,
                           bool ceil_mode) {
  const int spatial = kernel.size();
  PoolProblem p = begin_problem(op, shape, dtype, spatial);
  for (int d = 0; d < spatial; ++d) {
    set_window(op, shape, spatial == 2 && d == 0 ? p.h : p.w, kernel[d], stride[d], padding[d],
               dilation[d], ceil_mode);
  }
  return p;
}

PoolProblem adaptive_problem(const char* op, const Dims& shape, DType dtype, const Dims& size) {
  const int spatial = size.size();
  PoolProblem p = begin_problem(op, shape, dtype, spatial);
  for (int d = 0; d < spatial; ++d) {
    PoolAxis& axis = spatial == 2 && d == 0 ? p.h : p.w;
    set_adaptive(op, shape, axis, size[d] == -1 ? axis.extent : size[d]);
  }
  p.h.adaptive = true;
  finish_adaptive(p);
  return p;
}

Dims out_shape(Dims shape, int spatial, const PoolProblem& p) {
  shape[shape.size() - 1] = p.w.out;
  if (spatial == 2) shape[shape.size() - 2] = p.h.out;
  checked_numel(shape);
  return shape;
}

// Sizes given for the last dimensions put in place of the last dimensions of `shape`.
Dims with_spatial(Dims shape, const Dims& size) {
  for (int d = 0; d < size.size(); ++d) shape[shape.size() - size.size() + d] = size[d];
  return shape;
}

Dims spatial_of(const Dims& shape, int spatial) { return Dims(shape.end() - spatial, shape.end()); }

}  // namespace cr

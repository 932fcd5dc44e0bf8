// Rows of the convolution family. {conv, input gradient, weight gradient} are each bilinear and
// are each other's gradients, so derivatives of any order are calls of these three rows.
#include "autograd/node.h"
#include "ops/conv_algorithms.h"

namespace cr {
namespace {

constexpr int64_t kMaxGeometry = int64_t{1} << 31;  // keeps sums and products of sizes in range

// Stride, padding (before and after each spatial dimension), dilation, groups as rows hold them.
struct Geometry {
  Dims stride, padding, dilation;
  int64_t groups;

  Geometry(const Attrs& attrs, int first)
      : stride(attrs.ints(first)),
        padding(attrs.ints(first + 1)),
        dilation(attrs.ints(first + 2)),
        groups(attrs.i(first + 3)) {}
};

void check_range(const char* op, const char* what, const Dims& values, int64_t least) {
  for (int64_t value : values) {
    CR_CHECK(value >= least && value < kMaxGeometry, op, ": ", what, " must be at least ", least,
             " and below 2**31 (got ", values, ")");
  }
}

// Sizes of the output of a batched convolution over any number of spatial dimensions.
Dims check_conv(const char* op, const Dims& input, const Dims& weight, const Geometry& g) {
  const int spatial = input.size() - 2;
  const auto shapes = [&] {
    return concat("got input ", input, ", weight ", weight, ", groups=", g.groups);
  };
  check_range(op, "stride", g.stride, 1);
  check_range(op, "padding", g.padding, 0);
  check_range(op, "dilation", g.dilation, 1);
  CR_CHECK(g.groups >= 1, op, ": groups must be at least 1 (got ", g.groups, ")");
  CR_CHECK(weight[0] > 0 && weight[1] > 0, op, ": no channels (", shapes(), ")");
  CR_CHECK(weight[0] % g.groups == 0, op, ": groups does not divide the ", weight[0],
           " output channels (", shapes(), ")");
  CR_CHECK(input[1] % g.groups == 0, op, ": groups does not divide the ", input[1],
           " input channels (", shapes(), ")");
  CR_CHECK(input[1] == weight[1] * g.groups, op, ": the input has ", input[1], " channels (",
           shapes(), "); expected ", weight[1] * g.groups, " = weight.shape[1] * groups");
  Dims out{input[0], weight[0]};
  for (int d = 0; d < spatial; ++d) {
    const int64_t kernel = weight[2 + d];
    CR_CHECK(kernel >= 1 && kernel < kMaxGeometry, op, ": empty kernel (", shapes(), ")");
    const int64_t padded = input[2 + d] + g.padding[2 * d] + g.padding[2 * d + 1];
    const int64_t reach = g.dilation[d] * (kernel - 1) + 1;
    CR_CHECK(input[2 + d] > 0 && reach <= padded, op,
             ": the kernel is larger than the padded input (", shapes(), ", padding=", g.padding,
             ", dilation=", g.dilation, "); expected at most ", padded, " in dimension ", 2 + d,
             " (got ", reach, ")");
    out.push_back((padded - reach) / g.stride[d] + 1);
  }
  checked_numel(out);
  return out;
}

void check_dtypes(const char* op, const Tensor& a, const char* b_name, const Tensor& b) {
  CR_CHECK_TYPE(is_floating(a.dtype()) && a.dtype() == b.dtype(), op, ": got input of dtype ",
                a.dtype(), " and ", b_name, " of dtype ", b.dtype(),
                "; expected float32 or float64, the same for both; use .to(dtype)");
}

ConvShape conv_shape(const Dims& input, const Dims& weight, const Dims& out, const Geometry& g) {
  ConvShape s;
  s.batch = input[0];
  s.channels = input[1];
  s.height = input[2];
  s.width = input[3];
  s.out_channels = weight[0];
  s.kernel_h = weight[2];
  s.kernel_w = weight[3];
  s.stride_h = g.stride[0];
  s.stride_w = g.stride[1];
  s.pad_top = g.padding[0];
  s.pad_left = g.padding[2];
  s.dilation_h = g.dilation[0];
  s.dilation_w = g.dilation[1];
  s.groups = g.groups;
  s.out_height = out[2];
  s.out_width = out[3];
  return s;
}

// The problem of each row, from its inputs and attributes.
ConvShape forward_shape(const Call& call) {
  const Dims &input = call.in[0].shape(), &weight = call.in[1].shape();
  CR_CHECK(input.size() == 4 && weight.size() == 4, "conv2d: got input ", input, " and weight ",
           weight, "; expected (N, C, H, W) and (O, C / groups, R, S)");
  const Geometry g(call.attrs, 0);
  return conv_shape(input, weight, check_conv("conv2d", input, weight, g), g);
}

// The sizes of the gradient must be those of the output.
void check_grad(const char* op, const Dims& grad, const Dims& out) {
  CR_CHECK(grad == out, op, ": the gradient has shape ", grad, "; expected the output's, ", out);
}

ConvShape input_grad_shape(const Call& call) {
  const Dims &grad = call.in[0].shape(), &weight = call.in[1].shape();
  const Dims size = call.attrs.ints(0);
  const Geometry g(call.attrs, 1);
  CR_CHECK(grad.size() == 4 && weight.size() == 4, call.name(), ": got gradient ", grad,
           " and weight ", weight, "; expected 4 dimensions each");
  CR_CHECK(g.groups >= 1, call.name(), ": groups must be at least 1 (got ", g.groups, ")");
  const Dims input{grad[0], weight[1] * g.groups, size[0], size[1]};
  const Dims out = check_conv(call.name(), input, weight, g);
  check_grad(call.name(), grad, out);
  return conv_shape(input, weight, out, g);
}

ConvShape weight_grad_shape(const Call& call) {
  const Dims &input = call.in[0].shape(), &grad = call.in[1].shape();
  const Dims size = call.attrs.ints(0);
  const Geometry g(call.attrs, 1);
  CR_CHECK(input.size() == 4 && grad.size() == 4, call.name(), ": got input ", input,
           " and gradient ", grad, "; expected 4 dimensions each");
  CR_CHECK(g.groups >= 1, call.name(), ": groups must be at least 1 (got ", g.groups, ")");
  const Dims weight{grad[1], input[1] / g.groups, size[0], size[1]};
  const Dims out = check_conv(call.name(), input, weight, g);
  check_grad(call.name(), grad, out);
  return conv_shape(input, weight, out, g);
}

void prepare(Call& call, ConvDirection direction, const ConvShape& shape) {
  call.contiguous = true;
  if (shape.batch == 0) return;
  call.workspace_bytes =
      choose_conv_algorithm(direction, shape).workspace(shape, call.in[0].dtype());
}

void launch(Call& call, ConvDirection direction, const ConvShape& shape) {
  const DType dtype = call.in[0].dtype();
  if (shape.batch == 0) {
    std::fill_n(call.out[0].data(), call.out[0].nbytes(), 0);
    return;
  }
  const ConvAlgorithm& algorithm = choose_conv_algorithm(direction, shape);
  CR_CHECK_STATE(algorithm.workspace(shape, dtype) <= call.workspace_bytes, call.name(),
                 ": another thread forced an algorithm during this call");
  const bool bias = call.in.size() > 2 && call.in[2];
  algorithm.run(shape, dtype,
                {call.in[0].data(), call.in[1].data(), bias ? call.in[2].data() : nullptr,
                 call.out[0].data(), call.workspace});
}

// ---------------------------------------------------------------- the three rows

Tensor input_grad(const Vjp& v, int first, const Tensor& grad, const Tensor& weight,
                  const Dims& size) {
  const Attrs& a = v.attrs();
  return OP(_conv2d_input_grad)(grad, weight, size, a.ints(first), a.ints(first + 1),
                                a.ints(first + 2), a.i(first + 3));
}

Tensor weight_grad(const Vjp& v, int first, const Tensor& input, const Tensor& grad,
                   const Dims& size) {
  const Attrs& a = v.attrs();
  return OP(_conv2d_weight_grad)(input, grad, size, a.ints(first), a.ints(first + 1),
                                 a.ints(first + 2), a.i(first + 3));
}

Tensor forward(const Vjp& v, int first, const Tensor& input, const Tensor& weight) {
  const Attrs& a = v.attrs();
  return OP(_conv2d)(input, weight, nullptr, a.ints(first), a.ints(first + 1), a.ints(first + 2),
                     a.i(first + 3));
}

Dims spatial(const Dims& shape) { return {shape[2], shape[3]}; }

const Row conv_row =
    Row("_conv2d(Tensor input, Tensor weight, Tensor? bias, int[2] stride, int[4] padding, "
        "int[2] dilation, int groups)")
        .doc("Batched conv2d; padding is (top, bottom, left, right).")
        .infer([](Call& call) {
          const ConvShape s = forward_shape(call);
          check_dtypes("conv2d", call.in[0], "weight", call.in[1]);
          if (call.in[2]) {
            check_dtypes("conv2d", call.in[0], "bias", call.in[2]);
            CR_CHECK(call.in[2].shape() == Dims{s.out_channels}, "conv2d: got bias of shape ",
                     call.in[2].shape(), "; expected ", Dims{s.out_channels},
                     ", one value per output channel");
          }
          call.set_output(0, {s.batch, s.out_channels, s.out_height, s.out_width},
                          call.in[0].dtype());
          prepare(call, ConvDirection::kForward, s);
        })
        .launch([](Call& call) { launch(call, ConvDirection::kForward, forward_shape(call)); })
        .saves("input for weight, weight for input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return input_grad(v, 0, v.grad(), v.in(1), spatial(v.in_shape(0))); });
          v.set(1, [&] { return weight_grad(v, 0, v.in(0), v.grad(), spatial(v.in_shape(1))); });
          // Pixels first: they are neighbours in memory.
          v.set(2, [&] { return OP(sum)(OP(sum)(v.grad(), Dims{2, 3}), Dims{0}); });
        });

const Row input_grad_row =
    Row("_conv2d_input_grad(Tensor grad, Tensor weight, int[2] size, int[2] stride, int[4] "
        "padding, "
        "int[2] dilation, int groups)")
        .doc("Gradient of _conv2d with respect to an input of the given height and width.")
        .infer([](Call& call) {
          const ConvShape s = input_grad_shape(call);
          check_dtypes(call.name(), call.in[0], "weight", call.in[1]);
          call.set_output(0, {s.batch, s.channels, s.height, s.width}, call.in[0].dtype());
          prepare(call, ConvDirection::kInputGrad, s);
        })
        .launch([](Call& call) { launch(call, ConvDirection::kInputGrad, input_grad_shape(call)); })
        .saves("grad for weight, weight for grad")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return forward(v, 1, v.grad(), v.in(1)); });
          v.set(1, [&] { return weight_grad(v, 1, v.grad(), v.in(0), spatial(v.in_shape(1))); });
        });

const Row weight_grad_row =
    Row("_conv2d_weight_grad(Tensor input, Tensor grad, int[2] kernel_size, int[2] stride, "
        "int[4] padding, int[2] dilation, int groups)")
        .doc("Gradient of _conv2d with respect to a weight of the given kernel size.")
        .infer([](Call& call) {
          const ConvShape s = weight_grad_shape(call);
          check_dtypes(call.name(), call.in[0], "gradient", call.in[1]);
          call.set_output(0, {s.out_channels, s.group_channels(), s.kernel_h, s.kernel_w},
                          call.in[0].dtype());
          prepare(call, ConvDirection::kWeightGrad, s);
        })
        .launch(
            [](Call& call) { launch(call, ConvDirection::kWeightGrad, weight_grad_shape(call)); })
        .saves("input for grad, grad for input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return input_grad(v, 1, v.in(1), v.grad(), spatial(v.in_shape(0))); });
          v.set(1, [&] { return forward(v, 1, v.in(0), v.grad()); });
        });

// ---------------------------------------------------------------- what users call

// One value per spatial dimension, or one per side of each.
Dims spread_padding(const char* op, const Dims& padding, int spatial) {
  Dims sides;
  const int n = padding.size();
  CR_CHECK(n == 1 || n == spatial || n == 2 * spatial, op, ": padding has ", n, " values (got ",
           padding, "); expected 1, ", spatial, " (one per dimension) or ", 2 * spatial,
           " (before and after each)");
  for (int d = 0; d < spatial; ++d) {
    sides.push_back(padding[n == 1 ? 0 : n == spatial ? d : 2 * d]);
    sides.push_back(padding[n == 1 ? 0 : n == spatial ? d : 2 * d + 1]);
  }
  return sides;
}

// Checks a call as the user made it, then lifts it to _conv2d: the missing batch and, for
// sequences, a height of one.
Tensor convolve(const char* op, const TensorList& in, const Attrs& attrs, int spatial) {
  const Tensor &input = in[0], &weight = in[1];
  const char* expected = spatial == 1 ? "(N, C, L) or (C, L) and (O, C / groups, K)"
                                      : "(N, C, H, W) or (C, H, W) and (O, C / groups, R, S)";
  CR_CHECK(
      (input.rank() == spatial + 1 || input.rank() == spatial + 2) && weight.rank() == spatial + 2,
      op, ": got input ", input.shape(), " and weight ", weight.shape(), "; expected ", expected);
  Attrs sided;
  sided.push_from(attrs, 0);
  const Dims padding = spread_padding(op, attrs.ints(1), spatial);
  sided.push_ints(padding.begin(), padding.end());
  sided.push_from(attrs, 2);
  sided.push_from(attrs, 3);
  Geometry g(sided, 0);
  const bool batched = input.rank() == spatial + 2;
  Tensor x = batched ? input : OP(unsqueeze)(input, 0);
  check_conv(op, x.shape(), weight.shape(), g);
  Tensor out;
  if (spatial == 1) {
    out = OP(_conv2d)(OP(unsqueeze)(x, 2), OP(unsqueeze)(weight, 2), in[2], Dims{1, g.stride[0]},
                      Dims{0, 0, g.padding[0], g.padding[1]}, Dims{1, g.dilation[0]}, g.groups);
    out = OP(squeeze)(out, 2);
  } else {
    out = OP(_conv2d)(x, weight, in[2], g.stride, g.padding, g.dilation, g.groups);
  }
  return batched ? out : OP(squeeze)(out, 0);
}

const Row conv2d_row =
    Row("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[] padding=0, "
        "int[2] dilation=1, int groups=1)")
        .doc(
            R"(Slide a bank of kernels over images (cross-correlation, as everywhere in deep learning).

``out[n, o, y, x] = bias[o] + sum_{c,r,s} weight[o, c, r, s] * input[n, c, y * stride + r * dilation - padding, ...]``

Args:
    input: ``(N, C, H, W)`` or ``(C, H, W)``, float32 or float64.
    weight: ``(O, C / groups, R, S)``, same dtype.
    bias: ``(O,)`` or None.
    stride: step of the kernel, an int or one per dimension.
    padding: zeros around the image: an int, one per dimension, or (top, bottom, left, right).
    dilation: distance between the kernel's taps.
    groups: channels are cut into so many groups that do not see each other.

Returns:
    ``(N, O, P, Q)`` with ``P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1`` and Q alike.

Raises:
    ValueError: shapes, groups or sizes do not fit, or the kernel is larger than the padded image.
    TypeError: integer or mixed dtypes.

Gradient: for input, weight and bias, of any order.

Example:
    >>> cr.nn.functional.conv2d(cr.ones(1, 1, 3, 3), cr.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          return convolve("conv2d", in, attrs, 2);
        })
        .nn();

const Row conv1d_row =
    Row("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[] padding=0, "
        "int[1] dilation=1, int groups=1)")
        .doc(R"(Slide a bank of kernels over sequences: ``conv2d`` with one spatial dimension.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.
    weight: ``(O, C / groups, K)``, same dtype.
    bias: ``(O,)`` or None.
    stride: step of the kernel.
    padding: zeros at both ends, or (before, after).
    dilation: distance between the kernel's taps.
    groups: channels are cut into so many groups that do not see each other.

Returns:
    ``(N, O, M)`` with ``M = (L + 2 padding - dilation (K - 1) - 1) // stride + 1``.

Raises:
    ValueError: shapes, groups or sizes do not fit, or the kernel is larger than the padded input.
    TypeError: integer or mixed dtypes.

Example:
    >>> cr.nn.functional.conv1d(cr.tensor([[1.0, 2.0, 4.0]]), cr.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          return convolve("conv1d", in, attrs, 1);
        })
        .nn();

}  // namespace
}  // namespace cr

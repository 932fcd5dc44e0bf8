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

  Geometry(const Dims& stride_, const Dims& padding_, const Dims& dilation_, int64_t groups_)
      : stride(stride_), padding(padding_), dilation(dilation_), groups(groups_) {}
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

// Whether neither the sizes nor the places along a spatial dimension change.
bool is_trivial(const Dims& weight, const Geometry& g, int d) {
  return weight[2 + d] == 1 && g.stride[d] == 1 && g.padding[2 * d] == 0 &&
         g.padding[2 * d + 1] == 0;
}

// The problem in two spatial dimensions, or in three where none of them can be merged with its
// neighbour: one that does not change counts as columns of the one before it.
ConvShape conv_shape(const Dims& input, const Dims& weight, const Dims& out, const Geometry& g) {
  const int last = input.size() - 3;
  ConvShape s{};
  s.batch = input[0];
  s.channels = input[1];
  s.out_channels = weight[0];
  s.groups = g.groups;
  s.depth = s.out_depth = s.kernel_d = s.stride_d = s.dilation_d = 1;
  s.height = input[1 + last];
  s.width = input[2 + last];
  s.kernel_h = weight[1 + last];
  s.kernel_w = weight[2 + last];
  s.stride_h = g.stride[last - 1];
  s.stride_w = g.stride[last];
  s.pad_top = g.padding[2 * last - 2];
  s.pad_left = g.padding[2 * last];
  s.dilation_h = g.dilation[last - 1];
  s.dilation_w = g.dilation[last];
  s.out_height = out[1 + last];
  s.out_width = out[2 + last];
  if (last == 1) return s;

  const bool merge_rows = is_trivial(weight, g, 0) && is_trivial(weight, g, 1);
  const bool merge_pixels = is_trivial(weight, g, 1) && is_trivial(weight, g, 2);
  if (merge_rows) {
    s.height *= input[2];
    s.out_height *= out[2];
    return s;
  }
  if (merge_pixels) {
    s.width *= s.height;
    s.out_width *= s.out_height;
    s.height = input[2];
    s.out_height = out[2];
    s.kernel_h = weight[2];
    s.stride_h = g.stride[0];
    s.pad_top = g.padding[0];
    s.dilation_h = g.dilation[0];
    return s;
  }
  s.depth = input[2];
  s.out_depth = out[2];
  s.kernel_d = weight[2];
  s.stride_d = g.stride[0];
  s.pad_front = g.padding[0];
  s.dilation_d = g.dilation[0];
  return s;
}

// What a row computes: its problem, and the shape of its output.
struct ConvProblem {
  ConvShape shape;
  Dims output;
};

// Two or three spatial dimensions, and as many values of each attribute.
void check_rank(const char* op, const Dims& a, const Dims& b, const Geometry& g, const Dims& size) {
  const int spatial = a.size() - 2;
  const bool fits = (spatial == 2 || spatial == 3) && b.size() == a.size() &&
                    g.stride.size() == spatial && g.padding.size() == 2 * spatial &&
                    g.dilation.size() == spatial && size.size() == spatial;
  CR_CHECK(fits, op, ": got shapes ", a, " and ", b, " for stride ", g.stride, ", padding ",
           g.padding, ", dilation ", g.dilation, "; expected 2 or 3 spatial dimensions in all");
  CR_CHECK(g.groups >= 1, op, ": groups must be at least 1 (got ", g.groups, ")");
}

ConvProblem forward_problem(const Call& call) {
  const Dims &input = call.in[0].shape(), &weight = call.in[1].shape();
  const Geometry g(call.attrs, 0);
  check_rank(call.name(), input, weight, g, g.stride);
  const char* op = input.size() == 4 ? "conv2d" : "conv3d";
  const Dims out = check_conv(op, input, weight, g);
  return {conv_shape(input, weight, out, g), out};
}

// The sizes of the gradient must be those of the output.
void check_grad(const char* op, const Dims& grad, const Dims& out) {
  CR_CHECK(grad == out, op, ": the gradient has shape ", grad, "; expected the output's, ", out);
}

Dims with_channels(int64_t first, int64_t second, const Dims& size) {
  Dims shape{first, second};
  for (int64_t n : size) shape.push_back(n);
  return shape;
}

ConvProblem input_grad_problem(const Call& call) {
  const Dims &grad = call.in[0].shape(), &weight = call.in[1].shape();
  const Dims size = call.attrs.ints(0);
  const Geometry g(call.attrs, 1);
  check_rank(call.name(), grad, weight, g, size);
  const Dims input = with_channels(grad[0], weight[1] * g.groups, size);
  const Dims out = check_conv(call.name(), input, weight, g);
  check_grad(call.name(), grad, out);
  return {conv_shape(input, weight, out, g), input};
}

ConvProblem weight_grad_problem(const Call& call) {
  const Dims &input = call.in[0].shape(), &grad = call.in[1].shape();
  const Dims size = call.attrs.ints(0);
  const Geometry g(call.attrs, 1);
  check_rank(call.name(), input, grad, g, size);
  const Dims weight = with_channels(grad[1], input[1] / g.groups, size);
  const Dims out = check_conv(call.name(), input, weight, g);
  check_grad(call.name(), grad, out);
  return {conv_shape(input, weight, out, g), weight};
}

void check_bias(const char* op, const Tensor& input, const Tensor& bias, int64_t channels) {
  if (!bias) return;
  check_dtypes(op, input, "bias", bias);
  CR_CHECK(bias.shape() == Dims{channels}, op, ": got bias of shape ", bias.shape(), "; expected ",
           Dims{channels}, ", one value per output channel");
}

void prepare(Call& call, ConvDirection direction, const ConvShape& shape) {
  call.contiguous = true;
  if (shape.batch == 0) return;
  const DType dtype = call.in[0].dtype();
  call.workspace_bytes = choose_conv_algorithm(direction, shape, dtype).workspace(shape, dtype);
}

void launch(Call& call, ConvDirection direction, const ConvShape& shape,
            Activation activation = {}) {
  const DType dtype = call.in[0].dtype();
  if (shape.batch == 0) {
    std::fill_n(call.out[0].data(), call.out[0].nbytes(), 0);
    return;
  }
  const ConvAlgorithm& algorithm = choose_conv_algorithm(direction, shape, dtype);
  CR_CHECK_STATE(algorithm.workspace(shape, dtype) <= call.workspace_bytes, call.name(),
                 ": another thread forced an algorithm during this call");
  const bool bias = call.in.size() > 2 && call.in[2];
  algorithm.run(shape, dtype,
                {call.in[0].data(), call.in[1].data(), bias ? call.in[2].data() : nullptr,
                 call.out[0].data(), call.workspace, activation});
}

// ---------------------------------------------------------------- the three rows

Tensor input_grad(const Vjp& v, int first, const Tensor& grad, const Tensor& weight,
                  const Dims& size) {
  const Attrs& a = v.attrs();
  return OP(_conv_input_grad)(grad, weight, nullptr, size, a.ints(first), a.ints(first + 1),
                              a.ints(first + 2), a.i(first + 3));
}

Tensor weight_grad(const Vjp& v, int first, const Tensor& input, const Tensor& grad,
                   const Dims& size) {
  const Attrs& a = v.attrs();
  return OP(_conv_weight_grad)(input, grad, size, a.ints(first), a.ints(first + 1),
                               a.ints(first + 2), a.i(first + 3));
}

Tensor forward(const Vjp& v, int first, const Tensor& input, const Tensor& weight) {
  const Attrs& a = v.attrs();
  return OP(_conv)(input, weight, nullptr, a.ints(first), a.ints(first + 1), a.ints(first + 2),
                   a.i(first + 3));
}

Dims spatial(const Dims& shape) { return Dims(shape.begin() + 2, shape.end()); }

// Pixels first: they are neighbours in memory.
Tensor bias_grad(const Tensor& grad) {
  Dims pixels;
  for (int d = 2; d < grad.rank(); ++d) pixels.push_back(d);
  return OP(sum)(OP(sum)(grad, pixels), Dims{0});
}

void infer_conv(Call& call) {
  const ConvProblem problem = forward_problem(call);
  const char* op = call.in[0].rank() == 4 ? "conv2d" : "conv3d";
  check_dtypes(op, call.in[0], "weight", call.in[1]);
  check_bias(op, call.in[0], call.in[2], problem.shape.out_channels);
  call.set_output(0, problem.output, call.in[0].dtype());
  prepare(call, ConvDirection::kForward, problem.shape);
}

void conv_vjp(Vjp& v, const Tensor& grad) {
  v.set(0, [&] { return input_grad(v, 0, grad, v.in(1), spatial(v.in_shape(0))); });
  v.set(1, [&] { return weight_grad(v, 0, v.in(0), grad, spatial(v.in_shape(1))); });
  v.set(2, [&] { return bias_grad(grad); });
}

const Row conv_row =
    Row("_conv(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, "
        "int[] dilation, int groups)")
        .doc("Batched convolution over 2 or 3 dimensions; padding is before and after each.")
        .infer(infer_conv)
        .launch(
            [](Call& call) { launch(call, ConvDirection::kForward, forward_problem(call).shape); })
        .saves("input for weight, weight for input")
        .vjp([](Vjp& v) { conv_vjp(v, v.grad()); });

const Row conv_activated_row =
    Row("_conv_activated(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, "
        "int[] dilation, int groups, int activation)")
        .doc("_conv, then an activation function (ops/fused_activation.h).")
        .infer(infer_conv)
        .launch([](Call& call) {
          launch(call, ConvDirection::kForward, forward_problem(call).shape,
                 fused_activation(call.attrs.i(4), call.in[0].dtype()));
        })
        .saves("input for weight, weight for input, out")
        .vjp([](Vjp& v) { conv_vjp(v, fused_activation_grad(v.attrs().i(4), v.grad(), v.out())); });

const Row input_grad_row =
    Row("_conv_input_grad(Tensor grad, Tensor weight, Tensor? bias, int[] size, int[] stride, "
        "int[] padding, int[] dilation, int groups)")
        .doc("Gradient of _conv with respect to an input of the given spatial size, plus a bias.")
        .infer([](Call& call) {
          const ConvProblem problem = input_grad_problem(call);
          check_dtypes(call.name(), call.in[0], "weight", call.in[1]);
          check_bias(call.name(), call.in[0], call.in[2], problem.shape.channels);
          call.set_output(0, problem.output, call.in[0].dtype());
          prepare(call, ConvDirection::kInputGrad, problem.shape);
        })
        .launch([](Call& call) {
          launch(call, ConvDirection::kInputGrad, input_grad_problem(call).shape);
        })
        .saves("grad for weight, weight for grad")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return forward(v, 1, v.grad(), v.in(1)); });
          v.set(1, [&] { return weight_grad(v, 1, v.grad(), v.in(0), spatial(v.in_shape(1))); });
          v.set(2, [&] { return bias_grad(v.grad()); });
        });

const Row weight_grad_row =
    Row("_conv_weight_grad(Tensor input, Tensor grad, int[] kernel_size, int[] stride, "
        "int[] padding, int[] dilation, int groups)")
        .doc("Gradient of _conv with respect to a weight of the given kernel size.")
        .infer([](Call& call) {
          const ConvProblem problem = weight_grad_problem(call);
          check_dtypes(call.name(), call.in[0], "gradient", call.in[1]);
          call.set_output(0, problem.output, call.in[0].dtype());
          prepare(call, ConvDirection::kWeightGrad, problem.shape);
        })
        .launch([](Call& call) {
          launch(call, ConvDirection::kWeightGrad, weight_grad_problem(call).shape);
        })
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

const char* const kInputs[] = {"", "(N, C, L) or (C, L)", "(N, C, H, W) or (C, H, W)",
                               "(N, C, D, H, W) or (C, D, H, W)"};
const char* const kKernels[] = {"", "K)", "R, S)", "Q, R, S)"};

void check_user_rank(const char* op, const Tensor& input, const Tensor& weight, int spatial,
                     const char* channels) {
  CR_CHECK(
      (input.rank() == spatial + 1 || input.rank() == spatial + 2) && weight.rank() == spatial + 2,
      op, ": got input ", input.shape(), " and weight ", weight.shape(), "; expected ",
      kInputs[spatial], " and ", channels, kKernels[spatial]);
}

// A problem lifted to what the rows take: a batch, and two or three spatial dimensions (sequences
// get a height of one).
struct Lifted {
  Tensor input, weight;
  Geometry g;
  bool batched, sequence;

  Lifted(const Tensor& input_, const Tensor& weight_, const Geometry& geometry, int spatial)
      : input(input_), weight(weight_), g(geometry) {
    batched = input.rank() == spatial + 2;
    sequence = spatial == 1;
    if (!batched) input = OP(unsqueeze)(input, 0);
    if (!sequence) return;
    input = OP(unsqueeze)(input, 2);
    weight = OP(unsqueeze)(weight, 2);
    g.stride = Dims{1, g.stride[0]};
    g.padding = Dims{0, 0, g.padding[0], g.padding[1]};
    g.dilation = Dims{1, g.dilation[0]};
  }
  Tensor lowered(Tensor out) const {
    if (sequence) out = OP(squeeze)(out, 2);
    return batched ? out : OP(squeeze)(out, 0);
  }
};

// Checks a call as the user made it, then lifts it to _conv.
template <int spatial>
Tensor convolve(const TensorList& in, const Attrs& attrs) {
  constexpr const char* kNames[] = {"", "conv1d", "conv2d", "conv3d"};
  const char* op = kNames[spatial];
  const Tensor &input = in[0], &weight = in[1];
  check_user_rank(op, input, weight, spatial, "(O, C / groups, ");
  const Geometry g(attrs.ints(0), spread_padding(op, attrs.ints(1), spatial), attrs.ints(2),
                   attrs.i(3));
  Dims batch = input.shape();
  if (input.rank() == spatial + 1) batch.insert(0, 1);
  check_conv(op, batch, weight.shape(), g);
  const Lifted x(input, weight, g, spatial);
  const int64_t activation = attrs.i(4);
  if (activation != 0 && fuses_activation(activation, in)) {
    return x.lowered(OP(_conv_activated)(x.input, x.weight, in[2], x.g.stride, x.g.padding,
                                         x.g.dilation, x.g.groups, activation));
  }
  const Tensor out = x.lowered(
      OP(_conv)(x.input, x.weight, in[2], x.g.stride, x.g.padding, x.g.dilation, x.g.groups));
  return activation == 0 ? out : activated(activation, out);
}

// Sizes of what a transposed convolution returns: those of the input that a convolution would make
// into this one; `extra` of the pixels that its stride leaves open.
Dims transposed_size(const char* op, const Dims& input, const Dims& weight, const Geometry& g,
                     const Dims& extra) {
  Dims size;
  for (int d = 0; d < g.stride.size(); ++d) {
    const int64_t n = input[input.size() - g.stride.size() + d];
    const int64_t reach = g.dilation[d] * (weight[2 + d] - 1) + 1;
    CR_CHECK(
        extra[d] >= 0 && extra[d] < std::max(g.stride[d], g.dilation[d]), op,
        ": output_padding must be at least 0 and below stride or dilation (got output_padding=",
        extra, ", stride=", g.stride, ", dilation=", g.dilation, ")");
    CR_CHECK(n >= 1 && n < kMaxGeometry, op, ": got input of shape ", input,
             "; expected sizes of at least 1");
    size.push_back((n - 1) * g.stride[d] - g.padding[2 * d] - g.padding[2 * d + 1] + reach +
                   extra[d]);
    CR_CHECK(size[d] >= 1, op, ": nothing is left of the output (got input ", input, ", weight ",
             weight, ", stride=", g.stride, ", padding=", g.padding, ")");
  }
  return size;
}

// The input gradient of a convolution, with the roles of the channels exchanged.
template <int spatial>
Tensor convolve_transposed(const TensorList& in, const Attrs& attrs) {
  constexpr const char* kNames[] = {"", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"};
  const char* op = kNames[spatial];
  const Tensor& weight = in[1];
  Tensor input = in[0];
  check_user_rank(op, input, weight, spatial, "(C, O / groups, ");
  CR_CHECK(attrs.ints(1).size() <= spatial, op, ": padding has ", attrs.ints(1).size(),
           " values (got ", attrs.ints(1), "); expected 1 or ", spatial);
  const Geometry g(attrs.ints(0), spread_padding(op, attrs.ints(1), spatial), attrs.ints(4),
                   attrs.i(3));
  check_range(op, "stride", g.stride, 1);
  check_range(op, "padding", g.padding, 0);
  check_range(op, "dilation", g.dilation, 1);
  const auto shapes = [&] {
    return concat("got input ", in[0].shape(), ", weight ", weight.shape(), ", groups=", g.groups);
  };
  const int64_t channels = input.shape()[input.rank() - spatial - 1];
  CR_CHECK(g.groups >= 1, op, ": groups must be at least 1 (got ", g.groups, ")");
  CR_CHECK(channels == weight.shape()[0], op, ": the input has ", channels, " channels (", shapes(),
           "); expected ", weight.shape()[0], " = weight.shape[0]");
  CR_CHECK(channels % g.groups == 0, op, ": groups does not divide the ", channels,
           " input channels (", shapes(), ")");
  check_range(op, "kernel_size", Dims(weight.shape().begin() + 2, weight.shape().end()), 1);
  check_dtypes(op, input, "weight", weight);
  check_bias(op, input, in[2], weight.shape()[1] * g.groups);

  // More open pixels than the stride leaves are those of a zero behind the input.
  Dims extra = attrs.ints(2), behind;
  transposed_size(op, input.shape(), weight.shape(), g, extra);
  bool longer = false;
  for (int d = spatial - 1; d >= 0; --d) {
    behind.push_back(0);
    behind.push_back(extra[d] / g.stride[d]);
    longer = longer || behind.back() > 0;
    extra[d] %= g.stride[d];
  }
  if (longer) input = OP(_constant_pad)(input, behind);
  Dims size = transposed_size(op, input.shape(), weight.shape(), g, extra);
  if (spatial == 1) size.insert(0, 1);
  const Lifted x(input, weight, g, spatial);
  return x.lowered(OP(_conv_input_grad)(x.input, x.weight, in[2], size, x.g.stride, x.g.padding,
                                        x.g.dilation, x.g.groups));
}

const Row conv2d_row =
    Row("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[] padding=0, "
        "int[2] dilation=1, int groups=1, *, " CR_ACTIVATION ")")
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
    activation: the name of an activation function for the result, in the same pass and to the
        same bits as by itself, with its default arguments.

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
        .compose(convolve<2>)
        .nn();

const Row conv1d_row =
    Row("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[] padding=0, "
        "int[1] dilation=1, int groups=1, *, " CR_ACTIVATION ")")
        .doc(R"(Slide a bank of kernels over sequences: ``conv2d`` with one spatial dimension.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.
    weight: ``(O, C / groups, K)``, same dtype.
    bias: ``(O,)`` or None.
    stride: step of the kernel.
    padding: zeros at both ends, or (before, after).
    dilation: distance between the kernel's taps.
    groups: channels are cut into so many groups that do not see each other.
    activation: the name of an activation function for the result, as in ``conv2d``.

Returns:
    ``(N, O, M)`` with ``M = (L + 2 padding - dilation (K - 1) - 1) // stride + 1``.

Raises:
    ValueError: shapes, groups or sizes do not fit, or the kernel is larger than the padded input.
    TypeError: integer or mixed dtypes.

Example:
    >>> cr.nn.functional.conv1d(cr.tensor([[1.0, 2.0, 4.0]]), cr.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
)")
        .compose(convolve<1>)
        .nn();

const Row conv3d_row =
    Row("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[] padding=0, "
        "int[3] dilation=1, int groups=1, *, " CR_ACTIVATION ")")
        .doc(R"(Slide a bank of kernels over volumes: ``conv2d`` with three spatial dimensions.

Args:
    input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, float32 or float64.
    weight: ``(O, C / groups, Q, R, S)``, same dtype.
    bias: ``(O,)`` or None.
    stride: step of the kernel, an int or one per dimension.
    padding: zeros around the volume: an int, one per dimension, or before and after each.
    dilation: distance between the kernel's taps.
    groups: channels are cut into so many groups that do not see each other.
    activation: the name of an activation function for the result, as in ``conv2d``.

Returns:
    ``(N, O, E, P, T)`` with ``E = (D + 2 padding - dilation (Q - 1) - 1) // stride + 1``, P and T
    alike.

Raises:
    ValueError: shapes, groups or sizes do not fit, or the kernel is larger than the padded volume.
    TypeError: integer or mixed dtypes.

Example:
    >>> cr.nn.functional.conv3d(cr.ones(1, 3, 2, 2), cr.ones(1, 1, 2, 2, 2))
    tensor([[[[8.]],
    <BLANKLINE>
             [[8.]]]])
)")
        .compose(convolve<3>)
        .nn();

const Row conv_transpose2d_row =
    Row("conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, "
        "int[] padding=0, int[2] output_padding=0, int groups=1, int[2] dilation=1)")
        .doc(R"(Spread a bank of kernels over images: the transpose of ``conv2d``.

Every pixel of the input adds the kernel times its value to the output, at its place times the
stride. As a linear map this is the gradient of a ``conv2d`` for its input (and has no more to do
with the inverse, in spite of the name deconvolution).

Args:
    input: ``(N, C, H, W)`` or ``(C, H, W)``, float32 or float64.
    weight: ``(C, O / groups, R, S)``, same dtype.
    bias: ``(O,)`` or None.
    stride: distance of the kernels in the output, an int or one per dimension, as the next two.
    padding: pixels cut off on all sides of the output.
    output_padding: pixels more on the far side of the output; below stride or dilation.
    groups: channels are cut into so many groups that do not see each other.
    dilation: distance between the kernel's taps.

Returns:
    ``(N, O, P, Q)`` with
    ``P = (H - 1) stride - 2 padding + dilation (R - 1) + output_padding + 1`` and Q alike.

Raises:
    ValueError: shapes, groups or sizes do not fit.
    TypeError: integer or mixed dtypes.

Gradient: for input, weight and bias, of any order.

Example:
    >>> x = cr.tensor([[[1., 2.]]])
    >>> cr.nn.functional.conv_transpose2d(x, cr.ones(1, 1, 2, 2), stride=2)
    tensor([[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]])
)")
        .compose(convolve_transposed<2>)
        .nn();

const Row conv_transpose1d_row =
    Row("conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, "
        "int[] padding=0, int[1] output_padding=0, int groups=1, int[1] dilation=1)")
        .doc(R"(Spread a bank of kernels over sequences: ``conv_transpose2d`` in one dimension.

Args:
    input: ``(N, C, L)`` or ``(C, L)``, float32 or float64.
    weight: ``(C, O / groups, K)``, same dtype.

Returns:
    ``(N, O, M)`` with ``M = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1``.

Raises:
    ValueError: shapes, groups or sizes do not fit.
    TypeError: integer or mixed dtypes.

Example:
    >>> x = cr.tensor([[1., 2.]])
    >>> cr.nn.functional.conv_transpose1d(x, cr.ones(1, 1, 3), stride=2)
    tensor([[1., 1., 3., 2., 2.]])
)")
        .compose(convolve_transposed<1>)
        .nn();

const Row conv_transpose3d_row =
    Row("conv_transpose3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, "
        "int[] padding=0, int[3] output_padding=0, int groups=1, int[3] dilation=1)")
        .doc(R"(Spread a bank of kernels over volumes: ``conv_transpose2d`` in three dimensions.

Args:
    input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, float32 or float64.
    weight: ``(C, O / groups, Q, R, S)``, same dtype.

Returns:
    ``(N, O, E, P, T)``, sizes as of ``conv_transpose2d``.

Raises:
    ValueError: shapes, groups or sizes do not fit.
    TypeError: integer or mixed dtypes.

Example:
    >>> x, w = cr.zeros(1, 4, 2, 3, 3), cr.zeros(4, 8, 2, 2, 2)
    >>> cr.nn.functional.conv_transpose3d(x, w, stride=2).shape
    (1, 8, 4, 6, 6)
)")
        .compose(convolve_transposed<3>)
        .nn();

}  // namespace
}  // namespace cr

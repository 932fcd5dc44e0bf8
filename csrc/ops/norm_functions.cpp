// The normalizations users call, written with the kernel rows of norm.cpp.
#include <algorithm>
#include <limits>

#include "autograd/node.h"
#include "ops/fused_activation.h"

namespace cr {
namespace {

void check_input(const char* op, const Tensor& x, double eps) {
  CR_CHECK_TYPE(is_floating(x.dtype()), op, ": needs a floating-point input (got ", x.dtype(),
                "); convert with .float()");
  CR_CHECK(eps >= 0, op, ": eps must not be negative (got ", eps, ")");
}

void check_channels(const char* op, const Tensor& x) {
  CR_CHECK(x.rank() >= 2, op, ": the input needs a batch and a channel dimension (got shape ",
           x.shape(), "); expected (N, C, ...)");
  CR_CHECK(x.shape()[1] > 0, op, ": no channels (got input of shape ", x.shape(), ")");
}

void check_parameter(const char* op, const char* name, const Tensor& parameter, const Tensor& x,
                     const Dims& shape) {
  if (!parameter) return;
  CR_CHECK(parameter.shape() == shape, op, ": ", name, " of shape ", parameter.shape(),
           " does not fit the input of shape ", x.shape(), "; expected ", shape);
  CR_CHECK_TYPE(parameter.dtype() == x.dtype(), op, ": got input of dtype ", x.dtype(), " and ",
                name, " of dtype ", parameter.dtype(), "; expected one dtype; convert with .to()");
}

void check_running(const char* op, const char* name, const Tensor& running, const Tensor& x) {
  if (!running) return;
  const Dims expected{x.shape()[1]};
  CR_CHECK(running.shape() == expected, op, ": ", name, " of shape ", running.shape(),
           " does not fit the input of shape ", x.shape(), "; expected ", expected);
  CR_CHECK_TYPE(is_floating(running.dtype()), op, ": ", name,
                " must be a floating-point tensor (got ", running.dtype(), ")");
}

int64_t product(const Dims& shape, int first, int last) {
  int64_t n = 1;
  for (int i = first; i < last; ++i) n *= shape[i];
  return n;
}

constexpr int64_t kShort = 16;  // planes of fewer elements are not worth a call each

// By given statistics, as in evaluation.
Tensor normalize_by(const char* op, const Tensor& x, const Tensor& mean, const Tensor& var,
                    const Tensor& weight, const Tensor& bias, double eps, int64_t activation) {
  CR_CHECK(mean && var, op,
           ": without the statistics of the batch, running_mean and running_var are needed "
           "(got None)");
  const Dims& shape = x.shape();
  const int64_t size = product(shape, 2, shape.size());
  const bool shorts = size > 1 && size < kShort;  // elements of short planes are channels
  const Dims planes = shorts ? Dims{shape[0], shape[1] * size, 1} : Dims{shape[0], shape[1], size};
  const auto by_channel = [&](const Tensor& t) {
    if (!t || !shorts) return t;
    const Tensor column = OP(reshape)(t, Dims{shape[1], 1});
    return OP(reshape)(OP(expand)(column, Dims{shape[1], size}), Dims{-1});
  };
  Attrs attrs;
  attrs.push_float(eps);
  if (activation != 0) attrs.push_int(activation);
  Tensor out[kMaxOutputs];
  run(activation == 0 ? OP(_plane_scale) : OP(_plane_scale_activated),
      {OP(reshape)(x, planes), by_channel(OP(to)(mean, x.dtype())),
       by_channel(OP(to)(var, x.dtype())), by_channel(weight), by_channel(bias)},
      attrs, out);
  return OP(reshape)(out[0], shape);
}

// running <- running + momentum * (mean of the values over the batch - running)
void follow(const Tensor& running, const Tensor& values, double momentum) {
  if (!running) return;
  const Tensor batch = OP(reshape)(values, Dims{-1, running.numel()});
  const Tensor value = OP(mean)(batch, Dims{0});
  run_inplace(OP(lerp), {running, value, Tensor::scalar(momentum, running.dtype(), true)}, Attrs());
}

struct Normalized {
  Tensor out, mean, var;
};

Normalized normalize_planes(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            int64_t groups, bool across, double eps, int64_t activation = 0) {
  Attrs attrs;
  attrs.push_int(groups);
  attrs.push_bool(across);
  attrs.push_float(eps);
  if (activation != 0) attrs.push_int(activation);
  Tensor out[kMaxOutputs];
  run(activation == 0 ? OP(_plane_norm) : OP(_plane_norm_activated), {x, weight, bias}, attrs, out);
  return {out[0], out[1], out[2]};
}

// Batch and instance normalization: what the two differ in is `across`.
Tensor normalize_channels(const char* op, const TensorList& in, const Attrs& attrs, bool across,
                          int64_t activation = 0) {
  const Tensor &x = in[0], &running_mean = in[1], &running_var = in[2];
  const Tensor &weight = in[3], &bias = in[4];
  const bool by_input = attrs.b(0);
  const double momentum = attrs.f(1), eps = attrs.f(2);
  check_input(op, x, eps);
  check_channels(op, x);
  const Dims& shape = x.shape();
  const int64_t batch = shape[0], channels = shape[1], size = product(shape, 2, shape.size());
  check_parameter(op, "weight", weight, x, {channels});
  check_parameter(op, "bias", bias, x, {channels});
  check_running(op, "running_mean", running_mean, x);
  check_running(op, "running_var", running_var, x);
  if (!by_input)
    return normalize_by(op, x, running_mean, running_var, weight, bias, eps, activation);

  const int64_t count = across ? batch * size : size;
  CR_CHECK(count != 1, op, ": one value per channel has no variance (got input of shape ", shape,
           "); expected more values, or evaluation by running statistics");
  // Short planes are gathered into one per channel.
  const bool gather = across && size > 1 && size < kShort && x.numel() > 0;
  Tensor planes = OP(reshape)(x, Dims{batch, channels, size});
  if (gather) {
    planes = OP(reshape)(OP(transpose)(planes, 0, 1), Dims{1, channels, batch * size});
  }
  Normalized result = normalize_planes(planes, weight, bias, channels, across, eps, activation);
  if (gather) {
    result.out =
        OP(contiguous)(OP(transpose)(OP(reshape)(result.out, Dims{channels, batch, size}), 0, 1));
  }
  if (count > 1 && batch > 0) {
    const NoGrad untaped;
    const double n = static_cast<double>(count);
    follow(running_mean, result.mean, momentum);
    follow(running_var, result.var * (n / (n - 1)), momentum);
  }
  return OP(reshape)(result.out, shape);
}

// Layer and RMS normalization: what the two differ in is `centered`.
Tensor normalize_last(const char* op, const Tensor& x, const Dims& normalized, const Tensor& weight,
                      const Tensor& bias, double eps, bool centered) {
  check_input(op, x, eps);
  const int kept = x.rank() - normalized.size();
  CR_CHECK(!normalized.empty(), op, ": normalized_shape is empty; expected at least one size");
  CR_CHECK(kept >= 0 && Dims(x.shape().begin() + std::max(kept, 0), x.shape().end()) == normalized,
           op, ": the input of shape ", x.shape(), " does not end with normalized_shape ",
           normalized);
  check_parameter(op, "weight", weight, x, normalized);
  check_parameter(op, "bias", bias, x, normalized);
  const Dims flat{product(normalized, 0, normalized.size())};
  const auto flatten = [&](const Tensor& t) { return t ? OP(reshape)(t, flat) : t; };
  Attrs attrs;
  attrs.push_float(eps);
  attrs.push_bool(centered);
  const Dims rows{product(x.shape(), 0, kept), flat[0]};
  Tensor out[kMaxOutputs];
  run(OP(_row_norm), {OP(reshape)(x, rows), flatten(weight), flatten(bias)}, attrs, out);
  return OP(reshape)(out[0], x.shape());
}

const Row batch_norm_row =
    Row("batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, "
        "Tensor? weight=None, Tensor? bias=None, bool training=False, float momentum=0.1, "
        "float eps=1e-05, *, " CR_ACTIVATION ")")
        .doc(R"(``(input - mean) / sqrt(var + eps) * weight + bias`` for every channel.

In training, mean and (biased) variance are those of the batch, and the running statistics move
towards them by ``momentum``, the variance unbiased; otherwise they are the running ones.

Args:
    input: (N, C) or (N, C, ...), floating dtype.
    running_mean: (C,), written to in training, or None.
    running_var: (C,), written to in training, or None.
    weight: (C,), the input's dtype, or None.
    bias: (C,), the input's dtype, or None.
    training: whether to use the statistics of the batch.
    momentum: weight of the new value in the running statistics.
    eps: added to the variance.
    activation: the name of an activation function for the result, in the same pass and to the
        same bits as by itself, with its default arguments.

Raises:
    ValueError: when shapes do not fit, the activation is unknown, there is one value per channel in training, eps is
        negative, or the running statistics are missing in evaluation.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.batch_norm(cr.tensor([[1.], [3.]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const int64_t activation = attrs.i(3);
          if (activation == 0 || fuses_activation(activation, in)) {
            return normalize_channels("batch_norm", in, attrs, true, activation);
          }
          return activated(activation, normalize_channels("batch_norm", in, attrs, true));
        });

const Row instance_norm_row =
    Row("instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, "
        "Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, "
        "float momentum=0.1, float eps=1e-05)")
        .doc(R"(:func:`batch_norm` with the statistics of every example by itself.

Args:
    input: (N, C, ...), floating dtype.
    running_mean: (C,), moved towards the mean over the batch, or None.
    running_var: (C,), alike.
    weight: (C,), the input's dtype, or None.
    bias: (C,), the input's dtype, or None.
    use_input_stats: False uses the running statistics.
    momentum: weight of the new value in the running statistics.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit, a plane has one value, or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.instance_norm(cr.tensor([[[1., 3.]]]))
    tensor([[[-1.0000,  1.0000]]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return normalize_channels("instance_norm", in, attrs, false);
        });

const Row group_norm_row =
    Row("group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, "
        "float eps=1e-05)")
        .doc(R"(Normalize groups of channels of every example, then scale and shift each channel.

Args:
    input: (N, C, ...), floating dtype.
    num_groups: divides C.
    weight: (C,), the input's dtype, or None.
    bias: (C,), the input's dtype, or None.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit, num_groups does not divide C, or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.group_norm(cr.tensor([[1., 3., 10., 30.]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const int64_t groups = attrs.i(0);
          check_input("group_norm", x, attrs.f(1));
          check_channels("group_norm", x);
          const Dims& shape = x.shape();
          CR_CHECK(groups >= 1 && shape[1] % groups == 0,
                   "group_norm: num_groups must be positive "
                   "and divide the channels (got ",
                   groups, " groups and an input of shape ", shape, ")");
          check_parameter("group_norm", "weight", in[1], x, {shape[1]});
          check_parameter("group_norm", "bias", in[2], x, {shape[1]});
          const Dims planes{shape[0], shape[1], product(shape, 2, shape.size())};
          if (planes[2] < kShort && x.numel() > 0) {  // a group is a row
            const Dims row{product(planes, 1, 3) / groups};
            Tensor out = normalize_last("group_norm", OP(reshape)(x, Dims{-1, row[0]}), row,
                                        Tensor(), Tensor(), attrs.f(1), true);
            out = OP(reshape)(out, planes);
            const auto column = [&](const Tensor& t) { return OP(reshape)(t, Dims{-1, 1}); };
            if (in[1]) out = out * column(in[1]);
            if (in[2]) out = out + column(in[2]);
            return OP(reshape)(out, shape);
          }
          const Normalized result =
              normalize_planes(OP(reshape)(x, planes), in[1], in[2], groups, false, attrs.f(1));
          return OP(reshape)(result.out, shape);
        });

const Row layer_norm_row =
    Row("layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, "
        "Tensor? bias=None, float eps=1e-05)")
        .doc(R"(``(input - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

Args:
    input: (..., *normalized_shape), floating dtype.
    normalized_shape: sizes of the dimensions that share a mean and a variance.
    weight: normalized_shape, the input's dtype, or None.
    bias: normalized_shape, the input's dtype, or None.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.layer_norm(cr.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return normalize_last("layer_norm", in[0], attrs.ints(0), in[1], in[2], attrs.f(1), true);
        });

const Row rms_norm_row =
    Row("rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None)")
        .doc(R"(``input / sqrt(mean(input ** 2) + eps) * weight`` over the last dimensions.

Args:
    input: (..., *normalized_shape), floating dtype.
    normalized_shape: sizes of the dimensions the mean runs over.
    weight: normalized_shape, the input's dtype, or None.
    eps: added to the mean square; None is the machine epsilon of the dtype.

Raises:
    ValueError: when shapes do not fit or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.rms_norm(cr.tensor([[3., 4.]]), (2,))
    tensor([[0.8485, 1.1314]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const double smallest = in[0].dtype() == DType::kFloat64
                                      ? std::numeric_limits<double>::epsilon()
                                      : std::numeric_limits<float>::epsilon();
          return normalize_last("rms_norm", in[0], attrs.ints(0), in[1], Tensor(),
                                attrs.none(1) ? smallest : attrs.f(1), false);
        });

const Row local_response_norm_row =
    Row("local_response_norm(Tensor input, int size, float alpha=0.0001, float beta=0.75, "
        "float k=1)")
        .doc(R"(``input / (k + alpha * mean of squares over nearby channels) ** beta``.

Args:
    input: (N, C, ...) of three or more dimensions, floating dtype.
    size: channels in a neighbourhood; those beyond the first and last count as zeros.
    alpha: factor of the mean.
    beta: exponent.
    k: constant term.

Raises:
    ValueError: when the input has fewer than three dimensions or size is not positive.
    TypeError: when the input is not floating.

Example:
    >>> F.local_response_norm(cr.tensor([[[3.], [4.]]]), 1, alpha=1.0, beta=0.5, k=0.0)
    tensor([[[1.],
             [1.]]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const int64_t size = attrs.i(0);
          check_input("local_response_norm", x, 0);
          CR_CHECK(x.rank() >= 3,
                   "local_response_norm: the input needs at least 3 dimensions (got ", x.shape(),
                   "); expected (N, C, ...)");
          CR_CHECK(size >= 1, "local_response_norm: size must be positive (got ", size, ")");
          if (x.numel() == 0) return OP(clone)(x);
          const Dims planes{x.shape()[0], 1, x.shape()[1], product(x.shape(), 2, x.rank())};
          const Tensor squares =
              OP(pad)(OP(square)(OP(reshape)(x, planes)), Dims{0, 0, size / 2, (size - 1) / 2});
          const Tensor means = OP(avg_pool2d)(squares, Dims{size, 1}, Dims{1, 1});
          return x / OP(reshape)(OP(pow)(means * attrs.f(1) + attrs.f(3), attrs.f(2)), x.shape());
        });

}  // namespace
}  // namespace cr

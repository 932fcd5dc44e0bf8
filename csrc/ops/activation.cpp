// Rows of activation functions and of their fused gradients. Kernels: math.kernel.cpp and
// arithmetic.kernel.cpp. A gradient row `_f_grad` is linear in its first operand, so its own
// gradient is itself again plus the second derivative, written with ops.
#include "autograd/node.h"

namespace cr {
namespace {

constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kInvSqrt2Pi = 0.39894228040143267794;
constexpr double kGeluCubic = 0.044715;

// ---------------------------------------------------------------- relu family

const Row relu_row =
    Row("relu(Tensor input)")
        .doc(R"(Rectified linear unit, ``max(input, 0)``. Gradient: 0 at 0.

Example:
    >>> cr.relu(cr.tensor([-1., 2.]))
    tensor([0., 2.])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_relu_grad)(v.grad(), v.out()); }); });

const Row relu_grad_row = Row("_relu_grad(Tensor grad, Tensor result)")
                              .doc("``grad`` where ``result > 0``, else 0.")
                              .pointwise(Pointwise::kArithmetic)
                              .saves("result")
                              .vjp([](Vjp& v) {
                                v.set(0, [&] { return OP(_relu_grad)(v.grad(), v.in(1)); });
                                v.set(1, [&] { return v.zeros_like_input(1); });
                              });

const Row leaky_relu_row =
    Row("leaky_relu(Tensor input, float negative_slope=0.01)")
        .doc(R"(``input`` where positive, ``negative_slope * input`` elsewhere.

Example:
    >>> F.leaky_relu(cr.tensor([-1., 2.]), 0.1)
    tensor([-0.1000,  2.0000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_leaky_relu_grad)(v.grad(), v.in(0), v.attrs().f(0)); });
        });

const Row leaky_relu_grad_row =
    Row("_leaky_relu_grad(Tensor grad, Tensor input, float negative_slope)")
        .doc("``grad`` where ``input > 0``, else ``negative_slope * grad``.")
        .pointwise(Pointwise::kFloat)
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_leaky_relu_grad)(v.grad(), v.in(1), v.attrs().f(0)); });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

// ---------------------------------------------------------------- sigmoid family

const Row sigmoid_row =
    Row("sigmoid(Tensor input)")
        .doc(R"(``1 / (1 + exp(-input))``, without overflow.

Example:
    >>> cr.sigmoid(cr.tensor([0.]))
    tensor([0.5000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_sigmoid_grad)(v.grad(), v.out()); }); });

const Row sigmoid_grad_row =
    Row("_sigmoid_grad(Tensor grad, Tensor result)")
        .doc("``grad * result * (1 - result)``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for result, result")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_sigmoid_grad)(v.grad(), v.in(1)); });
          v.set(1, [&] { return v.grad() * v.in(0) * (1.0 - v.in(1) * 2.0); });
        });

const Row tanh_row =
    Row("tanh(Tensor input)")
        .doc(R"(Hyperbolic tangent.

Example:
    >>> cr.tanh(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_tanh_grad)(v.grad(), v.out()); }); });

const Row tanh_grad_row = Row("_tanh_grad(Tensor grad, Tensor result)")
                              .doc("``grad * (1 - result**2)``.")
                              .pointwise(Pointwise::kFloat)
                              .saves("grad for result, result")
                              .vjp([](Vjp& v) {
                                v.set(0, [&] { return OP(_tanh_grad)(v.grad(), v.in(1)); });
                                v.set(1, [&] { return v.grad() * v.in(0) * v.in(1) * -2.0; });
                              });

const Row log_sigmoid_row =
    Row("log_sigmoid(Tensor input)")
        .doc(R"(``log(sigmoid(input))``, without overflow.

Example:
    >>> F.log_sigmoid(cr.tensor([0.]))
    tensor([-0.6931])
)")
        .pointwise(Pointwise::kFloat)
        .nn()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(sigmoid)(-v.in(0)); }); });

const Row silu_row =
    Row("silu(Tensor input)")
        .doc(R"(``input * sigmoid(input)``, also called swish (Ramachandran et al. 2017).

Example:
    >>> F.silu(cr.tensor([0., 1.]))
    tensor([0.0000, 0.7311])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_silu_grad)(v.grad(), v.in(0)); }); });

const Row silu_grad_row =
    Row("_silu_grad(Tensor grad, Tensor input)")
        .doc("``grad * s * (1 + input * (1 - s))`` with ``s = sigmoid(input)``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for input, input")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(1);
          v.set(0, [&] { return OP(_silu_grad)(v.grad(), x); });
          v.set(1, [&] {
            const Tensor s = OP(sigmoid)(x);
            return v.grad() * v.in(0) * s * (1.0 - s) * (x * (1.0 - s * 2.0) + 2.0);
          });
        });

const Row mish_row =
    Row("mish(Tensor input)")
        .doc(R"(``input * tanh(softplus(input))`` (Misra 2019).

Example:
    >>> F.mish(cr.tensor([0., 1.]))
    tensor([0.0000, 0.8651])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_mish_grad)(v.grad(), v.in(0)); }); });

const Row mish_grad_row =
    Row("_mish_grad(Tensor grad, Tensor input)")
        .doc("``grad * (t + input * (1 - t**2) * s)`` with ``t = tanh(softplus(input))``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for input, input")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(1);
          v.set(0, [&] { return OP(_mish_grad)(v.grad(), x); });
          v.set(1, [&] {
            const Tensor s = OP(sigmoid)(x), t = OP(tanh)(OP(softplus)(x));
            const Tensor slope = (1.0 - t * t) * s;
            return v.grad() * v.in(0) * slope * (2.0 + x * (1.0 - s - t * s * 2.0));
          });
        });

const Row softplus_row =
    Row("softplus(Tensor input, float beta=1, float threshold=20)")
        .doc(R"(``log(1 + exp(beta * input)) / beta``; linear where ``beta * input > threshold``.

Example:
    >>> F.softplus(cr.tensor([0., 100.]))
    tensor([  0.6931, 100.0000])
)")
        .pointwise(Pointwise::kFloat)
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(_softplus_grad)(v.grad(), v.in(0), v.attrs().f(0), v.attrs().f(1));
          });
        });

const Row softplus_grad_row =
    Row("_softplus_grad(Tensor grad, Tensor input, float beta, float threshold)")
        .doc("``grad * sigmoid(beta * input)``; ``grad`` where ``beta * input > threshold``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for input, input")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(1);
          const double beta = v.attrs().f(0), threshold = v.attrs().f(1);
          v.set(0, [&] { return OP(_softplus_grad)(v.grad(), x, beta, threshold); });
          v.set(1, [&] {
            const Tensor s = OP(sigmoid)(x * beta);
            const Tensor curve = v.grad() * v.in(0) * s * (1.0 - s) * beta;
            return OP(where)(OP(gt)(x * beta, threshold), 0.0, curve);
          });
        });

// ---------------------------------------------------------------- elu, gelu

const Row elu_row =
    Row("elu(Tensor input, float alpha=1)")
        .doc(
            R"(``input`` where positive, ``alpha * (exp(input) - 1)`` elsewhere (Clevert et al. 2015).

Example:
    >>> F.elu(cr.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_elu_grad)(v.grad(), v.in(0), v.attrs().f(0)); });
        });

const Row elu_grad_row =
    Row("_elu_grad(Tensor grad, Tensor input, float alpha)")
        .doc("``grad`` where ``input > 0``, else ``grad * alpha * exp(input)``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for input, input")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(1);
          const double alpha = v.attrs().f(0);
          v.set(0, [&] { return OP(_elu_grad)(v.grad(), x, alpha); });
          v.set(1, [&] {
            const Tensor negative = OP(le)(x, 0.0);
            return v.grad() * v.in(0) *
                   OP(where)(negative, OP(exp)(OP(where)(negative, x, 0.0)) * alpha, 0.0);
          });
        });

const Row gelu_row =
    Row("gelu(Tensor input, *, {none|tanh} approximate='none')")
        .doc(R"(Gaussian error linear unit, ``input * Phi(input)`` (Hendrycks & Gimpel 2016).

``approximate='tanh'`` uses ``0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x**3)))``.

Example:
    >>> F.gelu(cr.tensor([0., 1.]))
    tensor([0.0000, 0.8413])
)")
        .pointwise(Pointwise::kFloat)
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_gelu_grad)(v.grad(), v.in(0), v.attrs().i(0)); });
        });

// Second derivatives of both forms of gelu.
Tensor gelu_curvature(const Tensor& x, bool use_tanh) {
  const Tensor x2 = x * x;
  if (!use_tanh) return OP(exp)(x2 * -0.5) * kInvSqrt2Pi * (2.0 - x2);
  const Tensor t = OP(tanh)((x + x2 * x * kGeluCubic) * kSqrt2OverPi);
  const Tensor slope = (x2 * (3 * kGeluCubic) + 1.0) * kSqrt2OverPi;
  const Tensor bend = x * (6 * kGeluCubic * kSqrt2OverPi);
  return (1.0 - t * t) * (slope + x * 0.5 * (bend - t * slope * slope * 2.0));
}

const Row gelu_grad_row =
    Row("_gelu_grad(Tensor grad, Tensor input, {none|tanh} approximate)")
        .doc("``grad`` times the derivative of gelu at ``input``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for input, input")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(1);
          const int64_t approximate = v.attrs().i(0);
          v.set(0, [&] { return OP(_gelu_grad)(v.grad(), x, approximate); });
          v.set(1, [&] { return v.grad() * v.in(0) * gelu_curvature(x, approximate == 1); });
        });

}  // namespace
}  // namespace cr

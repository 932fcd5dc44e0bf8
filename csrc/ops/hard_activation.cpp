// Rows of activation functions made of straight lines (and one parabola), and of their gradients.
// Kernels: arithmetic.kernel.cpp. A gradient row `_f_grad` is linear in its first operand, and the
// slope does not change with the input, hardswish apart.
#include "autograd/node.h"

namespace cr {
namespace {

const Row hardtanh_row =
    Row("hardtanh(Tensor input, float min_val=-1, float max_val=1)")
        .doc(R"(``input`` limited to a range; the gradient at the limits is 0.

Example:
    >>> F.hardtanh(cr.tensor([-2., 0.5, 2.]))
    tensor([-1.0000,  0.5000,  1.0000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(_hardtanh_grad)(v.grad(), v.in(0), v.attrs().f(0), v.attrs().f(1));
          });
        });

const Row hardtanh_grad_row =
    Row("_hardtanh_grad(Tensor grad, Tensor input, float min_val, float max_val)")
        .doc("``grad`` where ``min_val < input < max_val``, else 0.")
        .pointwise(Pointwise::kFloat)
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return OP(_hardtanh_grad)(v.grad(), v.in(1), v.attrs().f(0), v.attrs().f(1));
          });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

const Row hardsigmoid_row =
    Row("hardsigmoid(Tensor input)")
        .doc(R"(``min(max(input + 3, 0), 6) / 6``.

Example:
    >>> F.hardsigmoid(cr.tensor([-4., 0., 4.]))
    tensor([0.0000, 0.5000, 1.0000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_hardsigmoid_grad)(v.grad(), v.in(0)); }); });

const Row hardsigmoid_grad_row =
    Row("_hardsigmoid_grad(Tensor grad, Tensor input)")
        .doc("``grad / 6`` where ``-3 < input < 3``, else 0.")
        .pointwise(Pointwise::kFloat)
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_hardsigmoid_grad)(v.grad(), v.in(1)); });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

const Row hardswish_row =
    Row("hardswish(Tensor input)")
        .doc(R"(``input * hardsigmoid(input)`` (Howard et al. 2019).

Example:
    >>> F.hardswish(cr.tensor([-1., 1.5, 4.]))
    tensor([-0.3333,  1.1250,  4.0000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return OP(_hardswish_grad)(v.grad(), v.in(0)); }); });

const Row hardswish_grad_row =
    Row("_hardswish_grad(Tensor grad, Tensor input)")
        .doc("``grad * (input / 3 + 1 / 2)`` where ``-3 < input < 3``; 0 below and ``grad`` above.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for input, input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_hardswish_grad)(v.grad(), v.in(1)); });
          v.set(1, [&] {
            return OP(_hardtanh_grad)(v.grad() * v.in(0) * (1.0 / 3), v.in(1), -3.0, 3.0);
          });
        });

const Row softshrink_row =
    Row("softshrink(Tensor input, float lambd=0.5)")
        .doc(R"(``input`` moved towards 0 by ``lambd``, and 0 where it is closer than that.

Example:
    >>> F.softshrink(cr.tensor([-1., 0.3, 2.]))
    tensor([-0.5000,  0.0000,  1.5000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_shrink_grad)(v.grad(), v.in(0), v.attrs().f(0)); });
        });

const Row hardshrink_row =
    Row("hardshrink(Tensor input, float lambd=0.5)")
        .doc(R"(``input``, and 0 where ``|input| <= lambd``.

Example:
    >>> F.hardshrink(cr.tensor([-1., 0.3, 2.]))
    tensor([-1.,  0.,  2.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_shrink_grad)(v.grad(), v.in(0), v.attrs().f(0)); });
        });

const Row shrink_grad_row =
    Row("_shrink_grad(Tensor grad, Tensor input, float lambd)")
        .doc("``grad`` where ``|input| > lambd``, else 0: the gradient of both shrinks.")
        .pointwise(Pointwise::kFloat)
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_shrink_grad)(v.grad(), v.in(1), v.attrs().f(0)); });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

const Row threshold_row =
    Row("threshold(Tensor input, float threshold, float value)")
        .doc(R"(``input`` where it is above ``threshold``, ``value`` elsewhere.

Example:
    >>> F.threshold(cr.tensor([-1., 0.1, 2.]), 0.1, 20.)
    tensor([20., 20.,  2.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .nn()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_threshold_grad)(v.grad(), v.in(0), v.attrs().f(0)); });
        });

const Row threshold_grad_row =
    Row("_threshold_grad(Tensor grad, Tensor input, float threshold)")
        .doc("``grad`` where ``input > threshold``, else 0.")
        .pointwise(Pointwise::kFloat)
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_threshold_grad)(v.grad(), v.in(1), v.attrs().f(0)); });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

// ---------------------------------------------------------------- learned slopes

const Row prelu_row =
    Row("_prelu(Tensor input, Tensor weight)")
        .doc("``input`` where positive, ``weight * input`` elsewhere; the weight broadcasts.")
        .pointwise(Pointwise::kFloat)
        .saves("input, weight for input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_prelu_grad)(v.grad(), v.in(0), v.in(1)); });
          v.set(1, [&] { return v.grad() * OP(clamp)(v.in(0), nullptr, 0.0); });
        });

const Row prelu_grad_row =
    Row("_prelu_grad(Tensor grad, Tensor input, Tensor weight)")
        .doc("``grad`` where ``input > 0``, else ``weight * grad``.")
        .pointwise(Pointwise::kFloat)
        .saves("grad for weight, input, weight for grad")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_prelu_grad)(v.grad(), v.in(1), v.in(2)); });
          v.set(1, [&] { return v.zeros_like_input(1); });
          v.set(2, [&] { return OP(where)(OP(gt)(v.in(1), 0.0), 0.0, v.grad() * v.in(0)); });
        });

}  // namespace
}  // namespace cr

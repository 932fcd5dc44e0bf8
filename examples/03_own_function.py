"""Lesson 3: teach the engine a function it does not know, and prove the derivative right."""

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.autograd import Function, gradcheck


class Lambert(Function):
    """W(x), the inverse of w * exp(w), for x >= 0. Its derivative is W / (x * (1 + W))."""

    @staticmethod
    def forward(ctx: Any, x: cr.Tensor) -> cr.Tensor:
        w = cr.log1p(x)
        for _ in range(20):  # Newton's method on w * exp(w) - x
            e = cr.exp(w)
            w = w - (w * e - x) / (e * (w + 1))
        ctx.save_for_backward(w)
        return w

    @staticmethod
    def backward(ctx: Any, grad: cr.Tensor) -> cr.Tensor:
        (w,) = ctx.saved_tensors
        slope: cr.Tensor = 1 / (cr.exp(w) * (1 + w))  # without dividing by x, so 0 works too
        return grad * slope


x = cr.tensor([0.0, 0.5, 1.0, 2.718281828459045, 10.0], dtype=cr.float64, requires_grad=True)
w = Lambert.apply(x)
print("W(x)   ", w)
assert np.allclose((w * cr.exp(w)).detach().numpy(), x.detach().numpy())

w.sum().backward()
print("W'(x)  ", x.grad)

# gradcheck nudges every input a little and compares the slope it sees with backward().
assert gradcheck(Lambert.apply, (x[1:].detach().requires_grad_(),))
print("gradcheck agrees")

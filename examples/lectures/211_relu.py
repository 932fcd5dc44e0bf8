"""ReLU: fast, an infinite number of sigmoids with biases, and no vanishing gradient."""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}


def many_sigmoids(x: Tensor) -> Tensor:
    """sigma(x - 1 + 1/2) + sigma(x - 2 + 1/2) + ...: copies of one neuron with falling biases."""
    i = cr.arange(1, 101, dtype=x.dtype)
    return cr.sigmoid(x.unsqueeze(-1) - i + 0.5).sum(-1)


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.11."""
    x = cr.tensor(3.0, **DOUBLE)
    yield Finding(
        "2.11", "the sum of sigmoids at x = 3", 3.0467, many_sigmoids(x).item(), within=5e-5
    )
    yield Finding("2.11", "ln(1 + e^x) at x = 3", 3.0486, F.softplus(x).item(), within=5e-5)
    yield Finding("2.11", "ReLU at x = 3", 3.0, cr.relu(x).item())

    x = cr.linspace(-5, 5, 1000, **DOUBLE, requires_grad=True)
    (slope,) = cr.autograd.grad(cr.relu(x).sum(), x)
    yield Finding(
        "2.11", "ReLU's slope is 1 where x > 0 and else 0", True, cr.equal(slope, (x > 0) * 1.0)
    )
    deep = x
    for _ in range(50):
        deep = cr.relu(deep)
    (slope,) = cr.autograd.grad(deep.sum(), x)
    yield Finding("2.11", "the greatest gradient through 50 ReLUs", 1.0, slope.max().item())
    deep = x
    for _ in range(50):
        deep = cr.sigmoid(deep)
    (slope,) = cr.autograd.grad(deep.sum(), x)
    yield Finding("2.11", "through 50 sigmoids it is below 1e-30", True, slope.max().item() < 1e-30)

    (slope,) = cr.autograd.grad(nn.LeakyReLU(0.01)(x).sum(), x)
    yield Finding(
        "2.11", "LeakyReLU's slopes", [0.01, 1.0], [slope.min().item(), slope.max().item()]
    )
    # Maxout: the greatest of several linear functions; ReLU is that of w x + b and 0.
    linear = nn.Linear(1, 2, **DOUBLE)
    with cr.no_grad():
        linear.weight.copy_(cr.tensor([[1.0], [0.0]]))
        linear.bias.zero_()
        out = nn.Maxout(2)(linear(x.unsqueeze(1))).squeeze(1)
    yield Finding("2.11", "Maxout over x and 0 is ReLU", True, cr.equal(out, cr.relu(x)))


def plot(axes: Any) -> None:
    """ReLU, what it stands for, and its relatives."""
    x = cr.linspace(-4, 4, 201, **DOUBLE)
    curves = {
        "ReLU": cr.relu(x),
        "sum of sigmoids": many_sigmoids(x),
        "ln(1 + e^x)": F.softplus(x),
        "tanh": cr.tanh(x),
        "LeakyReLU, 0.1": F.leaky_relu(x, 0.1),
        "Maxout of -x - 2, x / 2 and 2 x - 2": F.maxout(
            cr.stack([-x - 2, x / 2, 2 * x - 2], 1), 3
        ).squeeze(1),
    }
    for name, y in curves.items():
        axes.plot(x.numpy(), y.numpy(), label=name)
    axes.set(xlabel="x", ylabel="activation")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

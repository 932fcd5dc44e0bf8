"""Define your own layer: a function with its derivative, and a layer that has it inside.

Torch7 asked for updateOutput and updateGradInput (torch7.py beside this file). Here they are
forward and backward of a Function, and gradcheck compares the two: it nudges every input a little
and looks whether the output moves as backward says.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.autograd import Function, gradcheck, gradgradcheck

DOUBLE = {"dtype": cr.float64}


class Swish(Function):
    """x sigma(beta x), for a number beta that is learnt."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(x, beta)
        return x * cr.sigmoid(beta * x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, beta = ctx.saved_tensors
        s = cr.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad * (s + beta * x * slope), (grad * x * x * slope).sum()


class Forgetful(Swish):
    """The same with a slip: the second term of the product rule is left out."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, beta = ctx.saved_tensors
        return grad * cr.sigmoid(beta * x), Swish.backward(ctx, grad)[1]


class SwishLayer(nn.Module):
    """The layer; its parameter is found by every optimiser."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(cr.ones((), **DOUBLE))

    def forward(self, x: Tensor) -> Tensor:
        """Return x sigma(beta x)."""
        return Swish.apply(x, self.beta)


def learnt_beta(steps: int) -> float:
    """What beta becomes when the layer is to imitate beta = 3."""
    x = cr.linspace(-2, 2, 41, **DOUBLE)
    target = x * cr.sigmoid(3 * x)
    layer = SwishLayer()
    optimizer = cr.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(steps):
        loss = nn.functional.mse_loss(layer(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return layer.beta.item()


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.11."""
    x = cr.tensor([-3.0, -1.0, 0.0, 0.5, 2.0], **DOUBLE, requires_grad=True)
    beta = cr.tensor(1.5, **DOUBLE, requires_grad=True)
    yield Finding(
        "0.11",
        "the layer's backward against its forward: gradcheck, and once more for the second "
        "derivative",
        [True, True],
        [gradcheck(Swish.apply, (x, beta)), gradgradcheck(Swish.apply, (x, beta))],
    )
    yield Finding(
        "0.11",
        "gradcheck of a backward with a term left out",
        False,
        gradcheck(Forgetful.apply, (x, beta), raise_exception=False),
    )
    yield Finding(
        "0.11",
        "the layer's beta, taught by examples of beta = 3",
        3.0,
        learnt_beta(1000),
        within=0.01,
    )


if __name__ == "__main__":
    main(findings)

"""Theano's way: a function's gradient is a function, got from the function itself."""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor
from chainrule.func import grad

DOUBLE = {"dtype": cr.float64}


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.12: Theano."""
    # x = T.dscalar(); y = x ** 2; f = function([x], T.grad(y, x))
    f = grad(lambda x: x**2)
    values = [f(cr.tensor(x, **DOUBLE)).item() for x in (4.0, 94.2)]
    yield Finding("3.12", "Theano: f(4) and f(94.2) of f = grad(x^2)", [8.0, 188.4], values)
    again = grad(f)(cr.tensor(4.0, **DOUBLE)).item()
    yield Finding("3.12", "Theano: a gradient has a gradient, grad(f)(4)", 2.0, again)

    # gw, gb = T.grad(cost, [w, b]) of a logistic regression, then updates of w and b
    cr.manual_seed(0)
    x = cr.randn(40, 3, **DOUBLE)
    y = (x @ cr.tensor([2.0, -1.0, 0.5], **DOUBLE) > 0.3).to(cr.float64)

    def cost(w: Tensor, b: Tensor) -> Tensor:
        p = cr.sigmoid(x @ w + b)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    gradients = grad(cost, argnums=(0, 1))
    w, b = cr.randn(3, **DOUBLE), cr.tensor(0.0, **DOUBLE)
    gw, gb = gradients(w, b)
    error = (cr.sigmoid(x @ w + b) - y) / len(y)
    yield Finding(
        "3.12",
        "Theano: gw and gb less the formulas x^T (p - y) / n and sum (p - y) / n",
        [0.0] * 4,
        [*(gw - x.T @ error).tolist(), (gb - error.sum()).item()],
        within=1e-15,
    )
    for _ in range(100):
        gw, gb = gradients(w, b)
        w, b = w - 2.0 * gw, b - 2.0 * gb
    right = ((x @ w + b > 0) == (y > 0)).to(cr.float64).mean().item()
    yield Finding("3.12", "Theano: accuracy after 100 such updates", "learns", right, at_least=0.95)


if __name__ == "__main__":
    main(findings)

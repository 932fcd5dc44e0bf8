"""Stochastic gradient descent, W <- W - eta dL/dW, and who does what in a training step.

Backpropagation is not what an optimiser implements. ``loss.backward()`` is backpropagation: the
chain rule, from the loss back to every weight. It leaves dL/dW in ``W.grad`` and moves nothing.

``optimizer.step()`` moves the weights. It reads ``W.grad`` and knows nothing of the loss or of the
layers: the same gradient serves SGD, momentum or Adam, each going its own way with it.
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim

DOUBLE = {"dtype": cr.float64}


class SGD:
    """The lecture's class; its update returns a new W, which the caller has to keep."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def update(self, W: Tensor, gradient: Tensor) -> Tensor:
        """W - eta dL/dW."""
        return W - self.rate * gradient


def findings(small: bool) -> Iterator[Finding]:
    """Rows 1.6 and 1.7."""
    model = nn.Linear(1, 1, bias=False, **DOUBLE)
    model.weight.data[:] = 3.0
    x, target = cr.tensor([[2.0]], **DOUBLE), cr.tensor([[4.0]], **DOUBLE)
    y = model(x)
    loss = 0.5 * ((y - target) ** 2).sum()

    loss.backward()
    W, gradient = model.weight.detach().clone(), model.weight.grad.clone()
    yield Finding(
        "1.6", "W = 3, x = 2, t = 4: loss, dL/dW", [2.0, 4.0], [loss.item(), gradient.item()]
    )
    sgd = SGD(0.001)
    kept = sgd.update(W, gradient)
    yield Finding("1.6", "W - 0.001 dL/dW", 2.996, kept.item(), within=1e-15)
    yield Finding(
        "1.6",
        "W itself after SGD(0.001).update(W, gradient)",
        2.996,
        W.item(),
        3.0,
        slip="update returns a new W that nobody keeps; new SGD() elsewhere has no rate",
    )
    yield Finding(
        "1.6",
        "update(W, loss) and update(W, Y - target), as the lecture calls it",
        [2.996, 2.996],
        [sgd.update(W, loss).item(), sgd.update(W, y - target).item()],
        [2.998, 2.998],
        within=1e-15,
        slip="a gradient is due, dL/dW = (Y - target) x",
    )

    yield Finding(
        "1.7",
        "the weight after backward(), before step()",
        "updated by backpropagation",
        model.weight.item(),
        3.0,
        slip="backpropagation gives the gradient; the optimiser uses it",
    )
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    optimizer.step()
    yield Finding(
        "1.7",
        "the weight after step(), and the gradient it read",
        [2.996, 4.0],
        [model.weight.item(), model.weight.grad.item()],
        within=1e-15,
    )
    optimizer.zero_grad()
    optimizer.step()
    yield Finding(
        "1.7", "step() with no gradient moves nothing", 2.996, model.weight.item(), within=1e-15
    )
    moved = []
    for kind in (optim.SGD, optim.Adam):
        model.weight.data[:] = 3.0
        model.weight.grad = gradient.clone()
        kind(model.parameters(), lr=1e-3).step()
        moved.append(3 - model.weight.item())
    yield Finding(
        "1.7",
        "one gradient, two optimisers: how far SGD and Adam go at rate 0.001",
        [0.004, 0.001],
        moved,
        within=1e-8,  # Adam divides by |g| + 1e-8
    )


if __name__ == "__main__":
    main(findings)

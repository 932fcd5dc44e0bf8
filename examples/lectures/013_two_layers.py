"""CS231n's two-layer network: its gradient written by hand beside backward(), on its spirals.

h = max(0, x W1 + b1)      scores = h W2 + b2      loss = softmax cross entropy + regularisation
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
REG = 1e-3


def network(hidden: int) -> list[Tensor]:
    """W1, b1, W2, b2."""
    return [
        0.01 * cr.randn(2, hidden, **DOUBLE),
        cr.zeros(hidden, **DOUBLE),
        0.01 * cr.randn(hidden, 3, **DOUBLE),
        cr.zeros(3, **DOUBLE),
    ]


def scores(x: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> tuple[Tensor, Tensor]:
    """The hidden layer and the scores."""
    h = (x @ W1 + b1).clamp(min=0)
    return h, h @ W2 + b2


def by_hand(x: Tensor, y: Tensor, parameters: list[Tensor]) -> tuple[float, list[Tensor]]:
    """The loss and its gradient, as the course writes them out."""
    W1, b1, W2, b2 = parameters
    h, s = scores(x, W1, b1, W2, b2)
    probs = s.exp() / s.exp().sum(1, keepdim=True)
    rows = cr.arange(len(y))
    loss = -probs[rows, y].log().mean() + REG * ((W1**2).sum() + (W2**2).sum()) / 2

    dscores = probs.clone()
    dscores[rows, y] -= 1
    dscores /= len(y)
    dh = dscores @ W2.T
    dh[h <= 0] = 0
    gradient = [x.T @ dh + REG * W1, dh.sum(0), h.T @ dscores + REG * W2, dscores.sum(0)]
    return loss.item(), gradient


def by_autograd(x: Tensor, y: Tensor, parameters: list[Tensor]) -> tuple[float, list[Tensor]]:
    """The same by backward()."""
    W1, b1, W2, b2 = (parameter.detach().requires_grad_() for parameter in parameters)
    loss = F.cross_entropy(scores(x, W1, b1, W2, b2)[1], y)
    loss = loss + REG * ((W1**2).sum() + (W2**2).sum()) / 2
    return loss.item(), list(cr.autograd.grad(loss, (W1, b1, W2, b2)))


def trained(x: Tensor, y: Tensor, hidden: int, steps: int) -> list[Tensor]:
    """The network after descent with the gradient by hand."""
    parameters = network(hidden)
    for _ in range(steps):
        for parameter, slope in zip(parameters, by_hand(x, y, parameters)[1], strict=True):
            parameter -= 0.7 * slope
    return parameters


def spirals() -> tuple[Tensor, Tensor]:
    """Three arms of a hundred points."""
    x, y = cr.datasets.spirals(300, arms=3, turns=0.64, noise=0.02)
    return x.double(), y


def line(x: Tensor, y: Tensor) -> float:
    """The share a softmax without a hidden layer gets right."""
    W, b = cr.zeros(2, 3, **DOUBLE, requires_grad=True), cr.zeros(3, **DOUBLE, requires_grad=True)
    optimizer = cr.optim.SGD([W, b], lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(x @ W + b, y).backward()
        optimizer.step()
    return cr.metrics.accuracy_score(y, (x @ W + b).argmax(1))


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.13."""
    cr.manual_seed(0)
    x, y = spirals()
    parameters = [cr.randn_like(parameter) for parameter in network(20)]
    (loss, hand), (same, automatic) = (f(x, y, parameters) for f in (by_hand, by_autograd))
    yield Finding("0.13", "the loss by hand less autograd's", 0.0, loss - same, within=1e-13)
    yield Finding(
        "0.13",
        "dW1, db1, dW2, db2 by hand less backward()'s",
        [0.0] * 4,
        [(a - b).abs().max().item() for a, b in zip(hand, automatic, strict=True)],
        within=1e-13,
    )
    steps = 1000 if small else 10000
    parameters = trained(x, y, 100, steps)
    right = cr.metrics.accuracy_score(y, scores(x, *parameters)[1].argmax(1))
    yield Finding(
        "0.13",
        "three spirals: a linear softmax gets under 60 % right, two layers over 90 %",
        [True, True],
        [line(x, y) < 0.6, right > 0.9],
    )


if __name__ == "__main__":
    main(findings)

"""Underfitting and overfitting: the error on training and on validation data, by capacity.

The model is y = w0 + w1 cos(x) + ... + wk cos(k x), its capacity the number of weights. More of
them always fit the training data better, but at some point what they fit is the noise.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
CAPACITIES = [1, 2, 3, 5, 8, 12, 16, 20]


def samples(count: int, noise: float = 0.3) -> tuple[Tensor, Tensor]:
    """Points of a curve, with noise; each x falls somewhere in a cell of its own."""
    x = cr.pi * (cr.arange(count) + cr.rand(count, **DOUBLE)) / count
    return x, (-2 * x).exp() - 0.5 * x.sin() + noise * cr.randn(count, **DOUBLE)


def waves(x: Tensor, capacity: int) -> Tensor:
    """1, cos x, cos 2x, ..."""
    return (x[:, None] * cr.arange(capacity)).cos()


def fitted(x: Tensor, y: Tensor, capacity: int, decay: float = 0.0) -> nn.Linear:
    """The best weights, with decay sum w^2 added to the squared error."""
    model = nn.Linear(capacity, 1, bias=False, **DOUBLE)
    nn.init.zeros_(model.weight)
    optimizer = optim.LBFGS(
        model.parameters(), max_iter=300, history_size=30, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = F.mse_loss(model(waves(x, capacity))[:, 0], y)
        loss = error + decay * (model.weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(loss)
    return model


def error(model: nn.Linear, x: Tensor, y: Tensor) -> float:
    """The mean squared error."""
    with cr.no_grad():
        return F.mse_loss(model(waves(x, model.in_features))[:, 0], y).item()


def errors(count: int, capacity: int, decay: float = 0.0) -> tuple[float, float]:
    """Of training and validation, after learning from so many samples."""
    cr.manual_seed(0)
    validation = samples(1000)
    train = samples(count)
    model = fitted(*train, capacity, decay)
    return error(model, *train), error(model, *validation)


def findings(small: bool) -> Iterator[Finding]:
    """Row 1.11."""
    training, validation = zip(*(errors(22, k) for k in CAPACITIES), strict=True)
    falls = all(b <= a for a, b in pairwise(training))
    yield Finding("1.11", "the training error falls with every capacity", True, falls)
    best = validation.index(min(validation))
    yield Finding(
        "1.11",
        "the validation error is least in between: 30 % below the smallest's and the largest's",
        [True, True],
        [validation[best] < 0.7 * validation[0], validation[best] < 0.7 * validation[-1]],
    )
    _, much = errors(22, 20)
    _, decayed = errors(22, 20, decay=0.2)
    _, more = errors(500, 20)
    yield Finding(
        "1.11",
        "capacity 20: regularisation, and more data, each take 30 % off",
        [True, True],
        [decayed < 0.7 * much, more < 0.7 * much],
    )


def plot(axes: Any) -> None:
    """Both errors by capacity."""
    training, validation = zip(*(errors(22, k) for k in CAPACITIES), strict=True)
    axes.plot(CAPACITIES, training, "o-", label="training")
    axes.plot(CAPACITIES, validation, "o-", label="validation")
    axes.set(xlabel="capacity: number of weights", ylabel="mean squared error")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

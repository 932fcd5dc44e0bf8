"""From the perceptron (1958) to the network with one hidden layer (1989).

1958: one neuron learns by correcting its mistakes. 1969: no line divides XOR. 1980s: a hidden layer
does. 1986: backpropagation finds its weights. 1989: one hidden layer is enough for any continuous
function, given enough neurons.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

X = cr.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TASKS = {
    "AND": cr.tensor([0.0, 0.0, 0.0, 1.0]),
    "OR": cr.tensor([0.0, 1.0, 1.0, 1.0]),
    "XOR": cr.tensor([0.0, 1.0, 1.0, 0.0]),
}


def perceptron(target: Tensor, sweeps: int = 100) -> tuple[int, int]:
    """Rosenblatt's rule w += (t - y) x: corrections made, and how many of the four are right."""
    w, b, corrections = cr.zeros(2), cr.zeros(()), 0
    for _ in range(sweeps):
        before = corrections
        for x, t in zip(X, target, strict=True):
            error = t - (w @ x + b > 0)
            w, b = w + error * x, b + error
            corrections += int(error != 0)
        if corrections == before:
            break
    return corrections, int(((X @ w + b > 0) == (target > 0)).sum())


def best_line(target: Tensor, steps: int = 41) -> int:
    """The most of the four examples that any line of a fine grid of (w1, w2, b) gets right."""
    grid = cr.linspace(-2, 2, steps)
    lines = cr.cartesian_prod(grid, grid, grid)  # one line w1 x1 + w2 x2 + b = 0 each row
    fires = lines[:, :2] @ X.T + lines[:, 2:] > 1e-4
    return int((fires == (target > 0)).sum(1).max())


def learn_xor() -> tuple[int, float]:
    """A hidden layer of four, trained by backpropagation: how many are right, and the loss."""
    cr.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = cr.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(X)[:, 0], TASKS["XOR"])
        loss.backward()
        optimizer.step()
    return int(((net(X)[:, 0] > 0) == (TASKS["XOR"] > 0)).sum()), loss.item()


def one_hidden_layer(f: Callable[[Tensor], Tensor], neurons: int) -> Callable[[Tensor], Tensor]:
    """The 1989 theorem by construction: a staircase of steep sigmoids that follows f on [0, 1].

    Neuron i switches on at x = (i - 1/2) / n and adds what f gained since the step before.
    """
    double = {"dtype": cr.float64}
    stairs = f(cr.linspace(0, 1, neurons + 1, **double))
    steepness = 8.0 * neurons
    switch = (cr.arange(1, neurons + 1, **double) - 0.5) / neurons
    hidden, output = nn.Linear(1, neurons, **double), nn.Linear(neurons, 1, **double)
    with cr.no_grad():
        hidden.weight[:] = steepness
        hidden.bias[:] = -steepness * switch
        output.weight[0] = stairs[1:] - stairs[:-1]
        output.bias[:] = stairs[0]
    return nn.Sequential(hidden, nn.Sigmoid(), output)


def largest_error(f: Callable[[Tensor], Tensor], neurons: int) -> float:
    """How far that network is from f, at worst."""
    x = cr.linspace(0, 1, 2001, dtype=cr.float64)
    with cr.no_grad():
        return (one_hidden_layer(f, neurons)(x[:, None])[:, 0] - f(x)).abs().max().item()


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sin 2 pi x": lambda x: (2 * math.pi * x).sin(),
    "|x - 0.3|": lambda x: (x - 0.3).abs(),
    "sqrt x": lambda x: x.sqrt(),
}


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.1, up to 1989."""
    for name in ("AND", "OR"):
        corrections, right = perceptron(TASKS[name])
        yield Finding("3.1", f"1958: the perceptron on {name}, right of 4", 4, right)
        yield Finding(
            "3.1", f"... and it stops making mistakes on {name}", True, corrections < 4 * 100
        )
    yield Finding(
        "3.1", "1969: a perceptron on XOR learns all", False, perceptron(TASKS["XOR"])[1] == 4
    )
    yield Finding(
        "3.1", "1969: the best of 68921 lines on XOR, right of 4", 3, best_line(TASKS["XOR"])
    )
    yield Finding("3.1", "the same scan on AND, right of 4", 4, best_line(TASKS["AND"]))
    right, loss = learn_xor()
    yield Finding("3.1", "1986: a hidden layer and backpropagation on XOR, right of 4", 4, right)
    yield Finding("3.1", "... its cross entropy is below 0.05", True, loss < 0.05)
    for name, f in FUNCTIONS.items():
        errors = [largest_error(f, n) for n in (10, 40, 160, 640)]
        yield Finding(
            "3.1",
            f"1989: one hidden layer of 640 neurons is within 0.02 of {name} everywhere",
            True,
            errors[-1] < 0.02,
        )
        yield Finding(
            "3.1",
            f"... and from 10 neurons on, four times as many always come nearer to {name}",
            True,
            all(after < before for before, after in pairwise(errors)),
        )


def plot(axes: Any) -> None:
    """sin 2 pi x and the networks that follow it."""
    x = cr.linspace(0, 1, 501, dtype=cr.float64)
    f = FUNCTIONS["sin 2 pi x"]
    axes.plot(x.numpy(), f(x).numpy(), "k", label="sin 2πx")
    for neurons in (5, 10, 40):
        y = one_hidden_layer(f, neurons)(x[:, None]).detach()[:, 0]
        axes.plot(x.numpy(), y.numpy(), label=f"{neurons} neurons")
    axes.set(xlabel="x", ylabel="output")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

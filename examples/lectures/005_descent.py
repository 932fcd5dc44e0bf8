"""Walking down cost = 2 w^2 + 4 w, whose derivative is 4 w + 4.

The talk's table goes down by 0.5 each time. Gradient descent does not: its steps are the rate times
the slope, so they shrink as the valley's floor comes near.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, optim

TABLE = [(0.5, 2.5, 6.0), (0.0, 0.0, 4.0), (-0.5, -1.5, 2.0), (-1.0, -2.0, 0.0)]


def cost_of(w: Any) -> Any:
    """The talk's cost."""
    return 2 * w**2 + 4 * w


def table() -> list[tuple[float, float, float]]:
    """(w, cost, slope) from w = 0.5, each time half a unit against the slope's sign."""
    w = cr.tensor(0.5, dtype=cr.float64, requires_grad=True)
    rows = []
    for _ in range(4):
        cost = cost_of(w)
        w.grad = None
        cost.backward()
        rows.append((w.item(), cost.item(), w.grad.item()))
        with cr.no_grad():
            w -= 0.5 * w.grad.sign()
    return rows


def descent(rate: float, steps: int) -> list[float]:
    """Where gradient descent goes from w = 0.5."""
    w = cr.tensor(0.5, dtype=cr.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=rate)
    way = [w.item()]
    for _ in range(steps):
        optimizer.zero_grad()
        cost_of(w).backward()
        optimizer.step()
        way.append(w.item())
    return way


def findings(small: bool) -> Iterator[Finding]:
    """Row 0.5."""
    for taught, found in zip(TABLE, table(), strict=True):
        yield Finding("0.5", f"w, cost, slope at w = {taught[0]:g}", taught, found)
    steps: Tensor = cr.tensor([0.5 / slope for _, _, slope in table()[:3]], dtype=cr.float64)
    yield Finding(
        "0.5",
        "the rates at which the table's steps would be gradient descent",
        "one rate",
        steps.tolist(),
        [1 / 12, 1 / 8, 1 / 4],
        within=1e-15,
        slip="each step is -0.5 whatever the slope, so it is not descent at one rate",
    )
    yield Finding(
        "0.5",
        "descent at rate 1/12",
        [0.5, 0, -0.5, -1],
        descent(1 / 12, 3),
        [0.5, 0, -1 / 3, -5 / 9],
        within=1e-15,
        slip="the table's next weights follow at no constant rate",
    )
    yield Finding("0.5", "descent at rate 1/4 lands in one step", [0.5, -1.0], descent(1 / 4, 1))
    yield Finding(
        "0.5",
        "descent at rate 1/2 swings for ever",
        [0.5, -2.5] * 3,
        descent(1 / 2, 5),
    )


def plot(axes: Any) -> None:
    """The cost, and the ways of three rates over it."""
    w = cr.linspace(-2.6, 0.6, 161, dtype=cr.float64)
    axes.plot(w.numpy(), cost_of(w).numpy(), color="grey", label="2w² + 4w")
    for name, rate in [("1/12", 1 / 12), ("1/4", 1 / 4), ("1/2", 1 / 2)]:
        way = descent(rate, 6)
        axes.plot(way, [cost_of(w) for w in way], "o-", label=f"rate {name}")
    axes.set(xlabel="w", ylabel="cost")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

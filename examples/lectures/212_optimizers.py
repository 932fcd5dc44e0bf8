"""Four ways down one valley: gradient descent, momentum, Adagrad and RMSprop, Adam.

Adagrad divides the learning rate by the root of all squared gradients so far; RMSprop forgets old
ones; momentum keeps part of the last movement; Adam is RMSprop with momentum.
"""

from collections.abc import Callable, Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, optim

DOUBLE = {"dtype": cr.float64}
OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.018),
    "momentum": lambda p: optim.SGD(p, lr=0.018, momentum=0.9),
    "Adagrad": lambda p: optim.Adagrad(p, lr=1.0),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.02),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
}
GRADIENTS = [5.0, -1.0, 2.0, 0.5]


def valley(p: Tensor) -> Tensor:
    """A curvature of 1 along it and 100 across, which limits the learning rate to 2/100."""
    return 0.5 * p[0] ** 2 + 50 * p[1] ** 2


def descend(name: str, steps: int = 200) -> Tensor:
    """The way an optimizer takes, from (4, 1)."""
    p = cr.tensor([4.0, 1.0], **DOUBLE, requires_grad=True)
    optimizer = OPTIMIZERS[name]([p])
    way = [p.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(p).backward()
        optimizer.step()
        way.append(p.detach().clone())
    return cr.stack(way)


def movements(make: Callable[[Any], optim.Optimizer], gradients: Any = GRADIENTS) -> list[float]:
    """How an optimizer moves w for each of the gradients."""
    w = cr.zeros((), **DOUBLE, requires_grad=True)
    optimizer = make([w])
    moved = []
    for g in gradients:
        before = w.item()
        w.grad = cr.tensor(g, **DOUBLE)
        optimizer.step()
        moved.append(w.item() - before)
    return moved


def by_hand(rule: str, lr: float = 0.1, eps: float = 1e-8) -> list[float]:
    """The same from the formulas."""
    moved, v, m = [], 0.0, 0.0  # v of squared gradients, m of gradients
    for t, g in enumerate(GRADIENTS, start=1):
        if rule == "momentum":
            m = 0.9 * m + g
            moved.append(-lr * m)
        elif rule == "Adagrad":
            v += g * g
            moved.append(-lr * g / (v**0.5 + 1e-10))
        elif rule == "RMSprop":
            v = 0.99 * v + 0.01 * g * g
            moved.append(-lr * g / (v**0.5 + eps))
        else:  # Adam: both averages, freed of their start at 0
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            moved.append(-lr * m_hat / (v_hat**0.5 + eps))
    return moved


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.12 and 2.13."""
    rules: dict[str, Callable[[Any], optim.Optimizer]] = {
        "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
        "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        "RMSprop": lambda p: optim.RMSprop(p, lr=0.1),
        "Adam": lambda p: optim.Adam(p, lr=0.1),
    }
    for name, make in rules.items():
        yield Finding(
            "2.12" if name == "Adagrad" else "2.13",
            f"{name}: movements for the gradients 5, -1, 2, 0.5 less the formula's",
            [0.0] * 4,
            [a - b for a, b in zip(movements(make), by_hand(name), strict=True)],
            within=1e-12,
            slip='"y" is eta; g_w is "falling", not "always"' if name == "Adagrad" else "",
        )
    first = movements(rules["Adagrad"])[0]
    yield Finding("2.12", "Adagrad's first step, eta = 0.1, g = 5", 0.1, -first, within=1e-9)
    yield Finding(
        "2.12",
        "Adagrad's first step at gradient 0",
        "0/0",
        movements(rules["Adagrad"], [0.0])[0],
        0.0,
        slip="eta / sqrt(sum g^2) needs an epsilon",
    )

    ends = {name: valley(descend(name)[-1]).item() for name in OPTIMIZERS}
    yield Finding(
        "2.13",
        "all come down to 1/100 of the first height at most",
        True,
        max(ends.values()) < 58 / 100,
    )
    yield Finding(
        "2.13",
        "steps until the error is below 0.01: momentum needs under half of gradient descent's",
        True,
        2 * steps_to(0.01, "momentum") < steps_to(0.01, "SGD"),
    )
    yield Finding(
        "2.13",
        "Adam without its momentum (beta1 = 0), free of the start at 0, is RMSprop",
        [0.0] * 4,
        adam_less_rmsprop(),
        within=1e-8,  # both add their epsilon, to averages of different size
    )


def steps_to(error: float, name: str) -> int:
    """The step from which on the error stays below a bound."""
    errors = [valley(p).item() for p in descend(name, 600)]
    return max(k for k, e in enumerate(errors) if e >= error) + 1


def adam_less_rmsprop() -> list[float]:
    """Their movements' differences, once RMSprop's average is divided by 1 - beta^t."""
    adam = movements(lambda p: optim.Adam(p, lr=0.1, betas=(0.0, 0.99)))
    rmsprop = movements(lambda p: optim.RMSprop(p, lr=0.1, alpha=0.99))
    free = [(1 - 0.99**t) ** 0.5 for t in range(1, len(adam) + 1)]
    return [a - r * f for a, r, f in zip(adam, rmsprop, free, strict=True)]


def plot(axes: Any) -> None:
    """The ways down the valley."""
    for name in OPTIMIZERS:
        way = descend(name, 60).numpy()
        axes.plot(way[:, 0], way[:, 1], ".-", label=name)
    axes.set(xlabel="along the valley", ylabel="across")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

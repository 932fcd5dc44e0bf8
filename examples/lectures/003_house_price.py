"""The price of a house, and machine learning's four key parts: data, model, loss, optimiser.

y' = w0 + 4 w1 + 4 w2 + 3565 w3, the price should be y = 2890, and cost = |y' - y|.
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim

DOUBLE = {"dtype": cr.float64}
HOUSE = cr.tensor([1.0, 4.0, 4.0, 3565.0], **DOUBLE)  # the 1 is for w0
PRICE = cr.tensor(2890.0, **DOUBLE)


def gradient(w: Tensor) -> list[float]:
    """The cost's gradient by the weights."""
    w.requires_grad_()
    nn.L1Loss()(HOUSE @ w, PRICE).backward()
    return w.grad.tolist()


def squared_cost_after(lr: float, steps: int = 200) -> float:
    """The cost (y' - y)^2 after descent from w = 0."""
    w = cr.zeros(4, **DOUBLE, requires_grad=True)
    optimizer = optim.SGD([w], lr=lr)
    for _ in range(steps):
        cost = nn.MSELoss()(HOUSE @ w, PRICE)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return cost.item()


def houses() -> tuple[Tensor, Tensor]:
    """Data: a hundred houses as (rooms, floors, area), with prices that follow a rule."""
    cr.manual_seed(0)
    x = cr.stack([cr.randint(1, 9, (100,)), cr.randint(1, 5, (100,))], 1).to(cr.float64)
    x = cr.cat([x, 800 + 4000 * cr.rand(100, 1, **DOUBLE)], 1)
    return x, 100 + x @ cr.tensor([[150.0], [90.0], [0.5]], **DOUBLE)


def fit(x: Tensor, y: Tensor, lr: float, steps: int = 500) -> float:
    """The four parts together; returns the root of the mean squared error, in prices."""
    data = x, y
    model = nn.Linear(3, 1, **DOUBLE)
    loss = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        cost = loss(model(data[0]), data[1])
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return cost.item() ** 0.5


def findings(small: bool) -> Iterator[Finding]:
    """Rows 0.3 and 0.4."""
    x, y = houses()
    standard = (x - x.mean(0)) / x.std(0)
    yield Finding(
        "0.3",
        "data, model, loss, optimiser: the typical error in prices after 500 steps",
        0.0,
        fit(standard, y, lr=0.1),
        within=1e-6,
    )

    yield Finding("0.4", "y' at w = (1, 1, 1, 1)", 3574.0, (HOUSE @ cr.ones(4, **DOUBLE)).item())
    low, high = cr.zeros(4, **DOUBLE), cr.ones(4, **DOUBLE)
    yield Finding("0.4", "d|y' - y|/dw where y' > y", [1.0, 4, 4, 3565], gradient(high))
    yield Finding("0.4", "d|y' - y|/dw where y' < y", [-1.0, -4, -4, -3565], gradient(low))

    w = HOUSE * PRICE / (HOUSE @ HOUSE)
    yield Finding(
        "0.4",
        "the least weights that give 2890: y', w3",
        "no weights",
        [(HOUSE @ w).item(), w[3].item()],
        [2890.0, 0.810657],
        within=5e-7,
        slip="one equation has four unknowns, so the weights are not determined",
    )
    # (y' - y)^2 curves by 2 |x|^2 along x; descent holds below the rate 2 / (2 |x|^2).
    limit = 1 / (HOUSE @ HOUSE).item()
    yield Finding("0.4", "greatest rate for (y' - y)^2, times 1e8", 7.9, limit * 1e8, within=0.05)
    start = PRICE.item() ** 2
    yield Finding(
        "0.4",
        "200 steps at 0.99 of that rate bring the cost down, at 1.01 of it up",
        [True, True],
        [squared_cost_after(0.99 * limit) < start / 100, squared_cost_after(1.01 * limit) > start],
    )
    yield Finding(
        "0.4",
        "a hundred houses, raw, at rate 7e-8: the typical error stays above 100",
        True,
        fit(x, y, lr=7e-8) > 100,
    )


if __name__ == "__main__":
    main(findings)

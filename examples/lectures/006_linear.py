"""The smallest network, one Linear of two inputs: output, cost, derivatives, and one step."""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import nn, optim


def findings(small: bool) -> Iterator[Finding]:
    """Rows 0.6 and 0.7, exact in float64."""
    l = nn.Linear(2, 1, dtype=cr.float64)
    l.weight.data[:] = cr.tensor([1.0, 5.0])
    l.bias.data[:] = 3.0
    x = cr.tensor([2.0, 3.0], dtype=cr.float64, requires_grad=True)
    target = cr.tensor([10.0], dtype=cr.float64)
    criterion = nn.MSELoss()

    y = l(x)
    yield Finding("0.6", "nn.Linear(2, 1) of (2, 3), weight (1, 5), bias 3", 20.0, y.item())
    cost = criterion(y, target)
    yield Finding("0.6", "nn.MSECriterion to 10", 100.0, cost.item())

    y.retain_grad()
    cost.backward()
    gap = (y - target).item()
    w1, w2 = l.weight.grad[0].tolist()
    yield Finding("0.7", "dcost/dw1 = 2 (y' - y) x1", 2 * gap * 2, w1)
    yield Finding("0.7", "dcost/dw2 = 2 (y' - y) x2", 2 * gap * 3, w2)
    yield Finding("0.7", "dcost/db = 2 (y' - y)", 2 * gap, l.bias.grad.item())
    yield Finding("0.7", "y' - y, dcost/dy'", [10.0, 20.0], [gap, y.grad.item()])
    yield Finding("0.7", "dcost/dw, dcost/db", [40.0, 60, 20], [w1, w2, l.bias.grad.item()])
    yield Finding("0.7", "dcost/dx", [20.0, 100.0], x.grad.tolist())

    optim.SGD(l.parameters(), lr=0.01).step()
    yield Finding(
        "0.7",
        "w, b after one step at rate 0.01",
        [0.6, 4.4, 2.8],
        [*l.weight[0].tolist(), l.bias.item()],
        within=1e-15,
    )
    y = l(x)
    yield Finding(
        "0.7",
        "y' then, and its cost",
        [17.2, 51.84],
        [y.item(), criterion(y, target).item()],
        within=1e-13,
    )


if __name__ == "__main__":
    main(findings)

"""Two losses: cross entropy E = -sum t log y, and the squared error E = 1/2 sum (y - t)^2."""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}


def cross_entropy(y: Tensor, t: Tensor) -> Tensor:
    """The lecture's formula; its snippet forgets the minus."""
    return -(t * y.log()).sum()


def squared_error(y: Tensor, t: Tensor) -> Tensor:
    """Half the sum of squares, not the mean."""
    return 0.5 * nn.MSELoss(reduction="sum")(y, t)


def findings(small: bool) -> Iterator[Finding]:
    """Rows 1.4 and 1.5."""
    t, y = cr.tensor([0.0, 1.0, 0.0], **DOUBLE), cr.tensor([0.1, 0.7, 0.2], **DOUBLE)
    yield Finding(
        "1.4",
        "-sum t log y for t = (0, 1, 0), y = (.1, .7, .2)",
        0.356675,
        cross_entropy(y, t).item(),
        within=5e-7,
    )
    yield Finding(
        "1.4",
        "the snippet: sum t log y",
        0.356675,
        (t * y.log()).sum().item(),
        -0.356675,
        within=5e-7,
        slip="no minus; _.map lacks the collection; defined as (t, y), called with (Y, target)",
    )
    yield Finding(
        "1.4",
        "with the arguments as called, -sum y log t, is finite",
        True,
        bool(cross_entropy(t, y).isfinite()),
        False,
        slip="the zeros of t have no logarithm: the order matters",
    )
    class_1 = cr.tensor([1])
    yield Finding(
        "1.4",
        "F.nll_loss(log y, 1) and F.cross_entropy(log y, t)",
        [0.356675, 0.356675],
        [F.nll_loss(y.log()[None], class_1).item(), F.cross_entropy(y.log(), t).item()],
        within=5e-7,
    )

    y, t = cr.tensor([1.0, 2.0], **DOUBLE), cr.tensor([0.0, 4.0], **DOUBLE)
    yield Finding(
        "1.5",
        "1/2 sum (y - t)^2 and the mean, for N = 2: (1, 2) against (0, 4)",
        [2.5, 2.5],
        [squared_error(y, t).item(), nn.MSELoss()(y, t).item()],
    )
    y, t = cr.tensor([1.0, 2.0, 3.0], **DOUBLE), cr.tensor([0.0, 4.0, 0.0], **DOUBLE)
    yield Finding(
        "1.5",
        "the same for N = 3: (1, 2, 3) against (0, 4, 0)",
        "MSE",
        [squared_error(y, t).item(), nn.MSELoss()(y, t).item()],
        [7.0, 14 / 3],
        within=1e-15,
        slip="it is not the mean squared error, but N/2 times it",
    )
    y.requires_grad_()
    squared_error(y, t).backward()
    yield Finding("1.5", "its derivative is y - t", (y - t).tolist(), y.grad.tolist())


if __name__ == "__main__":
    main(findings)

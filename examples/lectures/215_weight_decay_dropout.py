"""Two ways to hold a net back: weight decay, and dropout in its first and its present form."""

import itertools
from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
LAMBDA = 0.01


def one_step(weight_decay: float) -> float:
    """w = 2 after a step at rate 0.1 in which only the decay acts."""
    w = cr.tensor(2.0, **DOUBLE, requires_grad=True)
    (0 * w).backward()
    optim.SGD([w], lr=0.1, weight_decay=weight_decay).step()
    return w.item()


def decayed(penalised: bool) -> Tensor:
    """The weights after 50 steps on J = sum (f - g)^2 + lambda sum w^2."""
    cr.manual_seed(0)
    x, g = cr.randn(20, 5, **DOUBLE), cr.randn(20, **DOUBLE)
    w = cr.ones(5, **DOUBLE, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.005, weight_decay=0.0 if penalised else 2 * LAMBDA)
    for _ in range(50):
        cost = ((x @ w - g) ** 2).sum()
        if penalised:
            cost = cost + LAMBDA * (w**2).sum()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return w.detach()


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.15 and 2.16."""
    slip = "lambda sum w^2 has the gradient 2 lambda w: weight_decay is 2 lambda"
    yield Finding(
        "2.15",
        "w = 2 after a step, weight_decay = 2 lambda",
        1.996,
        one_step(2 * LAMBDA),
        within=1e-12,
    )
    yield Finding(
        "2.15",
        "with weight_decay = lambda instead",
        1.998,
        one_step(LAMBDA),
        within=1e-12,
        slip=slip,
    )
    yield Finding(
        "2.15",
        "50 steps: the penalty in J less weight_decay = 2 lambda",
        [0.0] * 5,
        (decayed(True) - decayed(False)).tolist(),
        within=1e-12,
    )

    p = 0.25
    cr.manual_seed(0)
    a, w = cr.randn(8, **DOUBLE), cr.randn(8, **DOUBLE)
    # The mean over all 2^8 ways to drop inputs, each by its probability.
    keep = cr.tensor(list(itertools.product([0.0, 1.0], repeat=8)), **DOUBLE)
    chance = cr.prod(keep * (1 - p) + (1 - keep) * p, dim=1)
    first_form = (chance * ((keep * a) @ w)).sum()
    yield Finding(
        "2.16",
        "dropout p = 25%: the mean of z in training less z of the test, where w is w (1 - p)",
        0.0,
        (first_form - a @ (w * (1 - p))).item(),
        within=1e-14,
        slip='"(1 - p)%" is (100 - p)%',
    )
    yield Finding(
        "2.16",
        "the same, kept values divided by 1 - p in training and w left alone",
        0.0,
        ((chance * ((keep * a / (1 - p)) @ w)).sum() - a @ w).item(),
        within=1e-14,
    )
    n = 400_000
    dropped = F.dropout(cr.ones(n, **DOUBLE), p)
    yield Finding(
        "2.16",
        "nn.Dropout(0.25) on ones takes the second form: the values there are",
        "0, 1 in the first",
        cr.unique(dropped).tolist(),
        [0.0, 1 / (1 - p)],
        within=1e-15,
    )
    # Five standard errors of a mean of n values, each 0 or 4/3.
    bound = 5 * (p / (1 - p) / n) ** 0.5
    yield Finding("2.16", "its mean", 1.0, dropped.mean().item(), within=bound)
    layer = nn.Dropout(p).eval()
    yield Finding("2.16", "no dropout in the test", True, cr.equal(layer(a), a))


if __name__ == "__main__":
    main(findings)

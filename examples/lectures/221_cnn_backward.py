"""The backward pass of the convolutional net by naive loops, beside backward().

z0 -> a0 = sigma(z0) -> z1 = convolution -> a1 = sigma(z1) -> a2 = greatest of four -> C, and delta
is the derivative of C by z.
"""

from collections.abc import Callable, Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
N0, TAPS = 10, range(5)
N1 = N0 - 4  # a1 is 6 x 6


def slope(z: Tensor) -> Tensor:
    """sigma'(z)."""
    return cr.sigmoid(z) * (1 - cr.sigmoid(z))


def table(n: int, entry: Callable[[int, int], float]) -> Tensor:
    """The n x n table of entry(j, k)."""
    return cr.tensor([[entry(j, k) for k in range(n)] for j in range(n)], **DOUBLE)


def bordered(a: Tensor) -> Callable[[int, int], float]:
    """a(j, k), and 0 beyond the border."""
    rows, n = a.tolist(), len(a)
    return lambda j, k: rows[j][k] if 0 <= j < n and 0 <= k < n else 0.0


def delta0(delta1: Tensor, w: Tensor, sign: int) -> Tensor:
    """sum over l, m of delta1(j + sign l, k + sign m) w(l, m)."""
    d, v = bordered(delta1), w.tolist()
    return table(
        N0,
        lambda j, k: sum(d(j + sign * l, k + sign * m) * v[l][m] for l in TAPS for m in TAPS),
    )


def dC_dw(delta1: Tensor, a0: Tensor, sign: int) -> Tensor:
    """sum over j, k of delta1(j, k) a0(j + sign l, k + sign m)."""
    d, a, places = delta1.tolist(), bordered(a0), range(N1)
    return table(
        5,
        lambda l, m: sum(d[j][k] * a(j + sign * l, k + sign * m) for j in places for k in places),
    )


def far(a: Tensor, b: Tensor) -> float:
    """The greatest difference."""
    return (a - b).abs().max().item()


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.21 to 2.23."""
    cr.manual_seed(0)
    conv = nn.Conv2d(1, 1, 5, **DOUBLE)
    z0 = cr.randn(N0, N0, **DOUBLE, requires_grad=True)
    a0 = cr.sigmoid(z0)
    z1 = conv(a0[None])[0]
    a1 = cr.sigmoid(z1)
    a2 = F.max_pool2d(a1[None], 2)[0]
    C = ((a2 - 1) ** 2).sum()
    (by_a0,) = cr.autograd.grad(a1[2, 1], a0, retain_graph=True)
    d0, d1, dw, db, by_a1, by_a2 = (
        g.squeeze() for g in cr.autograd.grad(C, (z0, z1, conv.weight, conv.bias, a1, a2))
    )
    w, a0 = conv.weight.detach()[0, 0], a0.detach()

    yield Finding(
        "2.21",
        "da1(j-4, k-4) / da0(j, k) at (6, 5): sigma' w44, less backward()'s",
        0.0,
        (slope(z1)[2, 1] * w[4, 4] - by_a0[6, 5]).item(),
        within=1e-15,
    )
    yield Finding(
        "2.22",
        "delta0 = sigma'(z0) sum delta1(j-l, k-m) w(l, m), less backward()'s",
        0.0,
        far(slope(z0) * delta0(d1, w, -1), d0),
        within=1e-14,
        slip="the notes have a stray 1/2, no sigma'(z0), and j + l, k + m",
    )
    yield Finding(
        "2.22",
        "the notes' delta0 is wrong by over half of the greatest",
        False,
        far(0.5 * delta0(d1, w, +1), d0) > 0.5 * d0.abs().max().item(),
        True,
    )
    yield Finding(
        "2.22",
        "dC/dw(l, m) = sum delta1(j, k) a0(j+l, k+m), less backward()'s",
        0.0,
        far(dC_dw(d1, a0, +1), dw),
        within=1e-13,
    )
    agrees = cr.isclose(dC_dw(d1, a0, -1), dw, rtol=1e-9, atol=0.0)
    yield Finding(
        "2.22",
        "the notes' a0(j-l, k-m): at how many of 25 (l, m) it agrees, and whether at (0, 0)",
        [25, True],
        [agrees.sum().item(), agrees[0, 0].item()],
        [1, True],
        slip="the index signs",
    )
    yield Finding(
        "2.22", "dC/db = sum delta1, less backward()'s", 0.0, far(d1.sum(), db), within=1e-14
    )

    def routed(j: int, k: int) -> float:
        """What max-pool hands back to a1(j, k)."""
        greatest = bool(a1[j, k] == a2[j // 2, k // 2])
        return by_a2[j // 2, k // 2].item() if greatest else 0.0

    yield Finding(
        "2.23",
        "max-pool passes delta times 1 to the greatest and 0 elsewhere: less backward()'s",
        0.0,
        far(table(N1, routed), by_a1),
    )
    tie = cr.ones(1, 2, 2, requires_grad=True)
    F.max_pool2d(tie, 2).backward()
    first = tie.grad.flatten().tolist()
    yield Finding("2.23", "of four equal inputs the first gets it", [1.0, 0.0, 0.0, 0.0], first)
    yield Finding(
        "2.23",
        "delta1 = dC/da1 * sigma'(z1), less backward()'s",
        0.0,
        far(by_a1 * slope(z1), d1),
        within=1e-15,
    )


if __name__ == "__main__":
    main(findings)

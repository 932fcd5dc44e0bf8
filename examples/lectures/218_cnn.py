"""The convolutional net of the notes, forward and backward by naive loops and by chainrule.

A layer of 5 x 5 filters makes 24 x 24 of 28 x 28: each neuron looks at 25 inputs and all share 25
weights and a bias. Then the greatest of each 2 x 2, and a full layer.
"""

from collections.abc import Iterator

import numpy as np
from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
SIZE, FILTER = 9, 5  # of the small picture that the loops work on
OUT = range(SIZE - FILTER + 1)
TAPS = range(FILTER)  # a sum "to 4 x 4" runs 0..4


def slope(z: np.ndarray) -> np.ndarray:
    """sigma'(z)."""
    s = 1 / (1 + np.exp(-z))
    return s * (1 - s)


def convolved(a0: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    """z1(j, k) = sum over l, m of w(l, m) a0(j + l, k + m), + b."""
    return np.array(
        [
            [sum(w[l, m] * a0[j + l, k + m] for l in TAPS for m in TAPS) + b for k in OUT]
            for j in OUT
        ]
    )


def pooled(a: np.ndarray) -> np.ndarray:
    """The greatest of each 2 x 2."""
    half = range(len(a) // 2)
    return np.array([[a[2 * j : 2 * j + 2, 2 * k : 2 * k + 2].max() for k in half] for j in half])


def delta0(delta1: np.ndarray, w: np.ndarray, sign: int) -> np.ndarray:
    """The sum over l, m of delta1(j + sign l, k + sign m) w(l, m), 0 beyond the border."""

    def at(j: int, k: int) -> float:
        return delta1[j, k] if j in OUT and k in OUT else 0.0

    return np.array(
        [
            [
                sum(at(j + sign * l, k + sign * m) * w[l, m] for l in TAPS for m in TAPS)
                for k in range(SIZE)
            ]
            for j in range(SIZE)
        ]
    )


def dcdw(delta1: np.ndarray, a0: np.ndarray, sign: int) -> np.ndarray:
    """The sum over j, k of delta1(j, k) a0(j + sign l, k + sign m), 0 beyond the border."""

    def at(j: int, k: int) -> float:
        return a0[j, k] if 0 <= j < SIZE and 0 <= k < SIZE else 0.0

    return np.array(
        [
            [
                sum(delta1[j, k] * at(j + sign * l, k + sign * m) for j in OUT for k in OUT)
                for m in TAPS
            ]
            for l in TAPS
        ]
    )


def far(a: np.ndarray, b: Tensor) -> float:
    """The greatest difference."""
    return float(np.abs(a - b.detach().numpy()).max())


def shapes_and_parameters() -> Iterator[Finding]:
    """Row 2.18: the net's sizes."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, 5), nn.Sigmoid(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(432, 10)
    )
    x, sizes = cr.zeros(1, 1, 28, 28), []
    for layer in net:
        x = layer(x)
        sizes.append("x".join(str(n) for n in x.shape[1:]))
    taught = "3x24x24 3x24x24 3x12x12 432 10"
    yield Finding("2.18", "28x28 through the net's layers", taught, " ".join(sizes))
    yield Finding(
        "2.18", "5x5 gives 1x1", [1, 1], list(nn.Conv2d(1, 1, 5)(cr.zeros(1, 5, 5)).shape[1:])
    )
    shared = nn.Conv2d(1, 1, 5)
    yield Finding(
        "2.18", "shared weights and bias", [25, 1], [shared.weight.numel(), shared.bias.numel()]
    )
    padded = nn.Conv2d(1, 1, 5, padding=2)(cr.zeros(1, 28, 28))
    yield Finding("2.18", "zero padding by 2 keeps 28x28", [28, 28], list(padded.shape[1:]))
    counts = [sum(p.numel() for p in net[k].parameters()) for k in (0, 4)]
    yield Finding(
        "2.18", "parameters: filters, full layer, all", [78, 4330, 4408], [*counts, sum(counts)]
    )


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.18 and 2.20 to 2.23."""
    yield from shapes_and_parameters()

    # a0 = sigma(z0) -> z1 -> a1 = sigma(z1) -> the greatest of four -> z3 = sum w a -> C
    cr.manual_seed(0)
    z0 = cr.randn(1, 1, SIZE, SIZE, **DOUBLE, requires_grad=True)
    conv, full = nn.Conv2d(1, 1, FILTER, **DOUBLE), nn.Linear(4, 2, bias=False, **DOUBLE)
    a0 = cr.sigmoid(z0)
    z1 = conv(a0)
    a1 = cr.sigmoid(z1)
    a2 = F.max_pool2d(a1, 2)
    z3 = full(a2.flatten(1))
    C = (z3**2).sum()
    a0n, wn, bn = a0.detach().numpy()[0, 0], conv.weight.detach().numpy()[0, 0], conv.bias.item()
    z1n = convolved(a0n, wn, bn)
    a1n = 1 / (1 + np.exp(-z1n))
    slip = "a = sigma(z), not z; layer 3 has no bias and no sigma"
    yield Finding("2.20", "L1, loops less Conv2d", 0.0, far(a1n, a1[0, 0]), within=1e-14, slip=slip)
    yield Finding("2.20", "L2, loops less MaxPool2d", 0.0, far(pooled(a1n), a2[0, 0]), within=1e-14)
    wa = [
        sum(w * a for w, a in zip(row, pooled(a1n).ravel(), strict=True))
        for row in full.weight.tolist()
    ]
    yield Finding("2.20", "L3, loops less Linear", 0.0, far(np.array(wa), z3[0]), within=1e-14)

    (one,) = cr.autograd.grad(a1[0, 0, 2, 1], z0, retain_graph=True)  # (j, k) = (6, 5)
    taught = slope(z1n)[2, 1] * wn[4, 4] * slope(z0.detach().numpy())[0, 0, 6, 5]
    yield Finding(
        "2.21",
        "da1(j-4, k-4) / da0(j, k) = sigma' w44, times da0/dz0",
        taught,
        one[0, 0, 6, 5].item(),
        within=1e-15,
    )

    d0, d1, dw, db, da1 = cr.autograd.grad(
        C, (z0, z1, conv.weight, conv.bias, a1), retain_graph=True
    )
    d1n = d1.numpy()[0, 0]
    yield Finding(
        "2.22",
        "delta0 = sigma'(z0) sum delta1(j-l, k-m) w(l, m), less backward()'s",
        0.0,
        far(slope(z0.detach().numpy()[0, 0]) * delta0(d1n, wn, -1), d0[0, 0]),
        within=1e-14,
        slip="the notes have a stray 1/2, no sigma'(z0), and j + l, k + m",
    )
    wrong = far(0.5 * delta0(d1n, wn, +1), d0[0, 0]) / d0.abs().max().item()
    yield Finding(
        "2.22", "the notes' form is off by over half of delta0's greatest", True, wrong > 0.5
    )
    yield Finding(
        "2.22",
        "dC/dw(l, m) = sum delta1(j, k) a0(j+l, k+m), less backward()'s",
        0.0,
        far(dcdw(d1n, a0n, +1), dw[0, 0]),
        within=1e-13,
    )
    agrees = np.isclose(dcdw(d1n, a0n, -1), dw.numpy()[0, 0], rtol=1e-9, atol=0)
    yield Finding(
        "2.22",
        "the notes' a0(j-l, k-m): at how many of 25 it agrees, and at (0, 0)",
        [25, True],
        [agrees.sum(), agrees[0, 0]],
        [1, True],
        slip="the index signs",
    )
    yield Finding(
        "2.22", "dC/db = sum delta1, less backward()'s", 0.0, d1n.sum() - db.item(), within=1e-14
    )

    passed = da1.numpy()[0, 0]
    (d2,) = cr.autograd.grad(C, a2)
    greatest = [a1n[:4, :4] == np.kron(pooled(a1n), np.ones((2, 2)))]
    routed = np.zeros_like(a1n)
    routed[:4, :4] = np.where(greatest[0], np.kron(d2.numpy()[0, 0], np.ones((2, 2))), 0.0)
    yield Finding(
        "2.23",
        "max-pool passes delta to the greatest, 0 elsewhere: less backward()'s",
        0.0,
        np.abs(passed - routed).max(),
        within=1e-14,
    )
    tie = cr.ones(1, 2, 2, requires_grad=True)
    F.max_pool2d(tie, 2).backward()
    yield Finding(
        "2.23",
        "of four equal inputs the first gets all",
        [1.0, 0, 0, 0],
        tie.grad.flatten().tolist(),
    )
    yield Finding(
        "2.23",
        "delta1 = dC/da1 * sigma'(z1), less backward()'s",
        0.0,
        np.abs(passed * slope(z1n) - d1n).max(),
        within=1e-14,
    )


if __name__ == "__main__":
    main(findings)

"""Where does a neuron not let the gradient vanish? The band of x with |w sigma'(w x + b)| >= 1.

With u = e^(w x + b) the condition is u^2 + (2 - w) u + 1 <= 0 (w for |w|), so u lies between two
roots u- and u+ = 1/u-, and x in a band of width (ln u+ - ln u-) / w = (2/w) ln u+. The lecture
asks for the w that makes the band widest.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, optim


def upper_root(w: Tensor) -> Tensor:
    """u+ = (w - 2 + sqrt(w^2 - 4 w)) / 2, written so that nothing cancels."""
    return w * (1 + (1 - 4 / w).sqrt()) / 2 - 1


def band(w: Tensor) -> Tensor:
    """The width of the band."""
    return 2 / w * upper_root(w).log()


def taught_band(w: Tensor) -> Tensor:
    """The lecture's form: its -1 stands outside the logarithm."""
    return 2 / w * ((w + (w * w - 4 * w).sqrt()) / 2).log() - 1


def maximise(function: Callable[[Tensor], Tensor], start: float) -> tuple[float, float]:
    """The w > 4 where the function is greatest, and its value, by L-BFGS."""
    # w = 4 + e^v keeps the search where the roots are real.
    v = cr.tensor(math.log(start - 4), dtype=cr.float64, requires_grad=True)
    optimizer = optim.LBFGS(
        [v], max_iter=100, tolerance_grad=1e-13, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        loss = -function(4 + v.exp())
        loss.backward()
        return loss

    optimizer.step(loss)
    w = 4 + v.detach().exp()
    return w.item(), function(w).item()


def measured_band(w: float, b: float) -> float:
    """The width of the band by trying every x on a fine grid."""
    half = 25 / abs(w)
    x = cr.linspace(-b / w - half, -b / w + half, 2_000_001, dtype=cr.float64)
    s = cr.sigmoid(w * x + b)
    inside = x[abs(w) * s * (1 - s) >= 1 - 1e-12]
    return (inside.max() - inside.min()).item() if len(inside) else 0.0


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.4 to 2.6."""
    w = cr.tensor(6.9, dtype=cr.float64)
    upper = upper_root(w)
    yield Finding(
        "2.4",
        "the roots of u^2 + (2 - w) u + 1 at w = 6.9",
        "(-4.45.., 4.68663)",
        [1 / upper.item(), upper.item()],
        np.sort(np.roots([1, 2 - 6.9, 1])).tolist(),
        within=1e-12,
        slip='the lower root "(-2 - w)/2" is negative and has no logarithm; it is 1/u+ = 0.21337',
    )
    yield Finding(
        "2.4", "the lecture's lower root at w = 6.9", -4.45, (-2 - w).item() / 2, within=1e-12
    )

    at, _ = maximise(taught_band, 5.0)
    yield Finding(
        "2.5",
        "the lecture's band: its best w, and the width there",
        "(2/w) ln((w+√(w²-4w))/2) - 1",
        [at, taught_band(cr.tensor(at, dtype=cr.float64)).item()],
        [5.5525, -0.4793],
        within=5e-5,
        slip="the -1 belongs inside the logarithm; outside, the width is negative for every w",
    )
    best, widest = maximise(band, 5.0)
    yield Finding("2.5", "the w of the widest band", "not given", best, 6.894151, within=1e-6)
    yield Finding("2.5", "the widest band", "not given", widest, 0.447743, within=1e-6)
    for weight, b in [(4.0, 1.0), (5.0, -2.0), (6.9, 0.0), (10.0, 3.0), (100.0, 7.0), (-6.9, 0.5)]:
        formula = band(cr.tensor(abs(weight), dtype=cr.float64)).item()
        step = 25 / abs(weight) / 1e6
        yield Finding(
            "2.5",
            f"every x tried at w = {weight:g}, b = {b:g}: the band found",
            formula,
            measured_band(weight, b),
            within=max(2 * step, 2e-6),  # at w = 4 the band is a point: sigma' is flat there
        )

    w = cr.tensor(best, dtype=cr.float64, requires_grad=True)
    band(w).backward()
    yield Finding("2.6", "the band's derivative there", 0.0, w.grad.item(), within=1e-8)
    ws = cr.linspace(4, 100, 96001, dtype=cr.float64)
    root = (ws * ws - 4 * ws).sqrt()
    taught = [root * ws - 2 * a.log() + ws / 2 for a in ((ws + root) / 2, upper_root(ws))]
    yield Finding(
        "2.6",
        "the least value of the lecture's equation for w >= 4, with the -1 lost and with it",
        [0.0, 0.0],
        [values.min().item() for values in taught],
        [2 - 2 * math.log(2), 2.0],
        within=1e-12,
        slip="so it has no root; right is ln u+ = w / sqrt(w^2 - 4 w)",
    )
    w = w.detach()
    gap = upper_root(w).log() - w / (w * w - 4 * w).sqrt()
    yield Finding(
        "2.6", "ln u+ - w / sqrt(w^2 - 4 w) at w = 6.894151", 0.0, gap.item(), within=1e-7
    )


def plot(axes: Any) -> None:
    """The band's width by w, and its maximum."""
    w = cr.linspace(4, 30, 521, dtype=cr.float64)
    best, widest = maximise(band, 5.0)
    axes.plot(w.numpy(), band(w).numpy(), label="(2/w) ln(w(1+√(1-4/w))/2 - 1)")
    axes.plot(w.numpy(), taught_band(w).numpy(), label="with the -1 outside, as taught")
    axes.plot([best], [widest], "o", label=f"widest: {widest:.6f} at w = {best:.6f}")
    axes.set(xlabel="|w|", ylabel="width of the band")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

"""Fully connected and convolutional layers: W X + B, and (f * g)(t) = sum f(tau) g(t - tau)."""

from collections.abc import Iterator

import numpy as np
from finding import Finding, main

import chainrule as cr
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}


def findings(small: bool) -> Iterator[Finding]:
    """Rows 1.12 and 1.13."""
    W, B = cr.tensor([[1.0, 2.0], [3.0, 4.0]]), cr.tensor([7.0, 8.0])
    yield Finding(
        "1.12",
        "((1, 2), (3, 4)) (5, 6) + (7, 8)",
        [24.0, 47.0],
        F.linear(cr.tensor([5.0, 6.0]), W, B).tolist(),
        slip='"FCN" now usually means fully convolutional',
    )

    cr.manual_seed(0)
    f, g = cr.randn(20, **DOUBLE), cr.randn(5, **DOUBLE)
    turned = F.conv1d(f[None, None], g.flip(-1)[None, None], padding=len(g) - 1)[0, 0]
    yield Finding(
        "1.13",
        "conv1d with the kernel turned round, less numpy.convolve(f, g)",
        0.0,
        np.abs(turned.numpy() - np.convolve(f.numpy(), g.numpy())).max(),
        within=1e-14,
        slip='the integral ends in dtau, not "(d)tau"',
    )
    plain = F.conv1d(f[None, None], g[None, None])[0, 0]
    yield Finding(
        "1.13",
        "conv1d as nets use it, less the correlation sum f(t + tau) g(tau)",
        "a convolution",
        np.abs(plain.numpy() - np.correlate(f.numpy(), g.numpy())).max(),
        0.0,
        within=1e-14,
        slip="nets compute a correlation; a learnt kernel may as well be turned round",
    )


if __name__ == "__main__":
    main(findings)

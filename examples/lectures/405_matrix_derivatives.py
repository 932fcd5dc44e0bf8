"""Matrix derivatives of a linear layer and of the sigmoid, in the seminar's shapes.

Y = X W + b with X [batch, features], W [features, outputs], b [outputs]. torch keeps W the other
way round, (outputs, features), and computes X Wᵀ + b.
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

DOUBLE = {"dtype": cr.float64}
BATCH, FEATURES, OUTPUTS = 6, 4, 3


def far(a: Tensor, b: Tensor) -> float:
    """The greatest difference."""
    assert a.shape == b.shape
    return (a - b).abs().max().item()


def findings(small: bool) -> Iterator[Finding]:
    """Rows 4.5 to 4.7."""
    cr.manual_seed(0)
    X = cr.randn(BATCH, FEATURES, **DOUBLE, requires_grad=True)
    W = cr.randn(FEATURES, OUTPUTS, **DOUBLE, requires_grad=True)
    b = cr.randn(OUTPUTS, **DOUBLE, requires_grad=True)
    Y = X @ W + b
    L = (Y**3).sum()
    dX, dW, db, dY = cr.autograd.grad(L, (X, W, b, Y), retain_graph=True)
    yield Finding("4.5", "dL/dX = dL/dY Wᵀ, less autograd's", 0.0, far(dY @ W.T, dX), within=1e-13)
    yield Finding("4.5", "dL/dW = Xᵀ dL/dY, less autograd's", 0.0, far(X.T @ dY, dW), within=1e-13)
    yield Finding(
        "4.5",
        "dL/db = the column sums of dL/dY, less autograd's",
        "missing",
        far(dY.sum(0), db),
        0.0,
        within=1e-13,
        slip="the slides leave it out; one denominator has lost its ∂",
    )
    yield Finding(
        "4.5",
        "shapes of dL/dX and dL/dW",
        [BATCH, FEATURES, FEATURES, OUTPUTS],
        [*dX.shape, *dW.shape],
    )
    layer = nn.Linear(FEATURES, OUTPUTS, **DOUBLE)
    layer.load_state_dict({"weight": W.detach().T.contiguous(), "bias": b.detach()})
    (layer(X) ** 3).sum().backward()
    yield Finding(
        "4.5",
        "nn.Linear's weight gradient is dL/dW transposed",
        0.0,
        far(layer.weight.grad, dW.T),
        within=1e-13,
    )

    # "(1/‖X‖) Xᵀ dL/dY": right if L is a mean and dL/dY holds each sample's own gradient.
    mean = (Y**3).sum(1).mean()
    (dW_mean,) = cr.autograd.grad(mean, W, retain_graph=True)
    own = 3 * Y**2  # of each sample's loss by its outputs
    yield Finding(
        "4.6",
        "mean loss, per-sample gradients: (1/batch) Xᵀ dL/dY less autograd's",
        0.0,
        far(X.T @ own / BATCH, dW_mean),
        within=1e-13,
    )
    (dY_mean,) = cr.autograd.grad(mean, Y)
    yield Finding(
        "4.6",
        "with the mean's own dL/dY, (1/batch) Xᵀ dL/dY is too small by",
        1,
        (dW_mean.norm() / (X.T @ dY_mean / BATCH).norm()).item(),
        BATCH,
        within=1e-12,
        slip="it contradicts 4.5: there the factor is in dL/dY already",
    )

    for shape in [(), (3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)]:
        z = cr.randn(*shape, **DOUBLE, requires_grad=True)
        s = cr.sigmoid(z)
        loss = (s**2).sum()
        dz, ds = cr.autograd.grad(loss, (z, s))
        yield Finding(
            "4.7",
            f"dL/dsigma sigma (1 - sigma) of shape {tuple(shape)}, less autograd's",
            0.0,
            far(ds * s * (1 - s), dz),
            within=1e-15,
        )


if __name__ == "__main__":
    main(findings)

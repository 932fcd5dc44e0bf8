"""The two-layer network of the seminar, its loss, and its gradient factor by factor.

P(y|x) = sigma(sum w_o sigma(sum w_h x + b_h) + b_o), trained by w := w - alpha dE[-log P]/dw.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.datasets import moons
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}


def network() -> nn.Sequential:
    """linear1, sigma, linear2; the last sigma is in the loss."""
    cr.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.Sigmoid(), nn.Linear(16, 1))


def descend(steps: int, alpha: float = 5.0) -> tuple[nn.Sequential, list[float]]:
    """Gradient descent on E[-log P] over the moons; the net and its losses."""
    net = network()
    x, y = moons(200, noise=0.1)
    loss_function = nn.BCEWithLogitsLoss()
    losses = []
    for _ in range(steps):
        loss = loss_function(net(x).squeeze(1), y.to(cr.float32))
        gradients = cr.autograd.grad(loss, list(net.parameters()))
        with cr.no_grad():
            for w, gradient in zip(net.parameters(), gradients, strict=True):
                w -= alpha * gradient  # w := w - alpha dE/dw
        losses.append(loss.item())
    return net, losses


def jacobian(y: Tensor, x: Tensor) -> Tensor:
    """dy/dx for vectors: a row per y."""
    rows = [cr.autograd.grad(part, x, retain_graph=True)[0].flatten() for part in y.flatten()]
    return cr.stack(rows)


def findings(small: bool) -> Iterator[Finding]:
    """Rows 4.1 to 4.4."""
    net = network().to(cr.float64)
    x = cr.tensor([[0.5, -1.5]], **DOUBLE)
    w_h, b_h, w_o, b_o = (p.detach().squeeze().tolist() for p in net.parameters())
    hidden = [
        cr.sigmoid(
            cr.tensor(sum(w * v for w, v in zip(row, x[0].tolist(), strict=True)) + b, **DOUBLE)
        )
        for row, b in zip(w_h, b_h, strict=True)
    ]
    z = sum(w * h for w, h in zip(w_o, hidden, strict=True)) + b_o
    P = cr.sigmoid(z).item()
    yield Finding(
        "4.1",
        "P(y=1|x) by the sums less the net's",
        0.0,
        P - cr.sigmoid(net(x)).item(),
        within=1e-15,
    )
    for y in (1.0, 0.0):
        loss = F.binary_cross_entropy_with_logits(net(x), cr.tensor([[y]], **DOUBLE))
        minus_log = -cr.tensor(P if y else 1 - P, **DOUBLE).log().item()
        yield Finding(
            "4.1",
            f"BCEWithLogitsLoss at y = {y:g} is -log P(y|x)",
            minus_log,
            loss.item(),
            within=1e-14,
        )

    steps = 1500 if small else 5000
    trained, losses = descend(steps)
    yield Finding(
        "4.2",
        f"E[-log P] over the moons after {steps} steps: below 0.1",
        True,
        losses[-1] < 0.1,
        slip="the slide lost the brackets of the expectation",
    )
    x_new, y_new = moons(500, noise=0.1)
    with cr.no_grad():
        right = ((trained(x_new).squeeze(1) > 0) == (y_new > 0)).to(cr.float32).mean().item()
    yield Finding("4.2", "new points on the right side: over 95%", True, right > 0.95)

    # Case of vectors: L(g(x)) with g linear, then a nonlinear one; dL/dx is a product of matrices.
    v = cr.tensor([0.3, -0.8], **DOUBLE, requires_grad=True)
    g = net[0](v)
    s = cr.sigmoid(g)
    L = (s**2).sum()
    chain = jacobian(L, s) @ jacobian(s, g) @ jacobian(g, v)
    (whole,) = cr.autograd.grad(L, v, retain_graph=True)
    yield Finding(
        "4.3",
        "dL/ds ds/dg dg/dx, matrices in this order, less the whole dL/dx",
        0.0,
        (chain.flatten() - whole).abs().max().item(),
        within=1e-15,
        slip='"vectors/vectors/tensors" is scalars/vectors/tensors',
    )
    fits = jacobian(g, v).shape[1] == jacobian(s, g).shape[0]
    yield Finding("4.3", "the other order, dg/dx ds/dg, even has shapes that fit", False, fits)

    yield from factors(net, x, cr.tensor([[1.0]], **DOUBLE))


def factors(net: nn.Sequential, x: Tensor, y: Tensor) -> Iterator[Finding]:
    """Row 4.4: dL/dw1 through sigma, linear2, sigma and linear1, one factor after the other."""
    linear1, _, linear2 = net
    z1 = linear1(x)
    a1 = cr.sigmoid(z1)
    z2 = linear2(a1)
    P = cr.sigmoid(z2)
    L = F.binary_cross_entropy(P, y)

    def ask(out: Tensor, by: Tensor, upstream: Any = None) -> Tensor:
        return cr.autograd.grad(out, by, upstream, retain_graph=True)[0]

    dP = ask(L, P)
    by_hand = -y / P + (1 - y) / (1 - P)
    stages = [("dL/dsigma", dP, by_hand)]
    dz2 = ask(P, z2, dP)
    stages.append(("dL/dlinear2", dz2, dP * P * (1 - P)))
    da1 = ask(z2, a1, dz2)
    stages.append(("dL/dsigma of the hidden layer", da1, dz2 @ linear2.weight))
    dz1 = ask(a1, z1, da1)
    stages.append(("dL/dlinear1", dz1, da1 * a1 * (1 - a1)))
    dw1 = ask(z1, linear1.weight, dz1)
    stages.append(("dL/dw1", dw1, dz1.T @ x))
    for name, asked, hand in stages:
        difference = (asked - hand).abs().max().item()
        yield Finding("4.4", f"{name}: autograd less by hand", 0.0, difference, within=1e-15)
    whole = ask(L, linear1.weight)
    yield Finding(
        "4.4", "dL/dw1 in one go less stage by stage", 0.0, (whole - dw1).abs().max().item()
    )


if __name__ == "__main__":
    main(findings)

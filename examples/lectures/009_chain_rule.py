"""The chain rule through three functions and a criterion: x -> f -> g -> k -> cost.

f' = w1 x1 + w2 x2 + b        g' = sigma(f')        k' = w g'        cost = (k' - y)^2
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

DOUBLE = {"dtype": cr.float64}


def network() -> nn.Sequential:
    """The talk's net, with its weights."""
    net = nn.Sequential(
        nn.Linear(2, 1, **DOUBLE), nn.Sigmoid(), nn.Linear(1, 1, bias=False, **DOUBLE)
    )
    net[0].weight.data[:] = cr.tensor([1.0, 5.0])
    net[0].bias.data[:] = -15.0
    net[2].weight.data[:] = 20.0
    return net


def slope(output: Tensor, by: Tensor) -> Tensor:
    """One factor of the chain: d(output)/d(by)."""
    return cr.autograd.grad(output, by, retain_graph=True)[0]


def findings(small: bool) -> Iterator[Finding]:
    """Rows 0.9 and 0.10."""
    net, x = network(), cr.tensor([2.0, 3.0], **DOUBLE)
    w_f, b_f, w_k = net.parameters()
    f = net[0](x)
    g = net[1](f)
    k = net[2](g)
    cost = nn.MSELoss()(k, cr.tensor([10.0], **DOUBLE))

    by_hand = slope(cost, k) * slope(k, g) * slope(g, f) * slope(f, w_f)
    yield Finding(
        "0.9",
        "d(cost)/dw_f less d(cost)/dk' dk'/dg' dg'/df' df'/dw_f",
        [0.0, 0.0],
        (slope(cost, w_f) - by_hand).flatten().tolist(),
        within=1e-14,
        slip="the last factor is written \"d(cost)/y'\": it is d(cost)/dy'",
    )
    by_hand = slope(cost, k) * slope(k, w_k)
    yield Finding(
        "0.9",
        "d(cost)/dw of the last layer less d(cost)/dk' dk'/dw: fewer factors, nearer the cost",
        0.0,
        (slope(cost, w_k) - by_hand).item(),
        within=1e-14,
        slip="w_g appears between two slides; g is a sigmoid and has no weight",
    )

    yield Finding("0.10", "f' = 1 2 + 5 3 - 15", 2.0, f.item())
    yield Finding("0.10", "g' = sigma(2)", 0.8808, g.item(), within=5e-5)
    yield Finding(
        "0.10",
        "k' = 20 g'",
        17.6160,
        k.item(),
        17.61594156,
        within=5e-9,
        slip="20 times the rounded 0.8808; unrounded it prints 17.6159. It is called y' and k'",
    )
    found = [*slope(k, w_f)[0].tolist(), slope(k, b_f).item(), slope(k, w_k).item()]
    yield Finding(
        "0.10",
        "dk'/dw1, dk'/dw2, dk'/db, dk'/dw",
        "the chain rule",
        found,
        [4.199743, 6.299615, 2.099872, 0.880797],
        within=5e-7,
    )


if __name__ == "__main__":
    main(findings)

"""Four neurons in a row: the gradient of the first bias is a product, and the product vanishes.

x -> a1 = sigma(w1 x + b1) -> a2 = sigma(w2 a1 + b2) -> a3 -> a4 -> C. Each link of the chain
multiplies the gradient by w sigma'(z), and sigma' is at most 1/4.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

LAYERS = 10
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}


def slope(z: Tensor) -> Tensor:
    """The derivative of the sigmoid: sigma' = sigma (1 - sigma)."""
    return cr.sigmoid(z) * (1 - cr.sigmoid(z))


def chain(x: float, w: Tensor, b: Tensor) -> tuple[list[Tensor], Tensor]:
    """z1 to z4, and a4."""
    a, zs = cr.tensor(x, dtype=cr.float64), []
    for wk, bk in zip(w, b, strict=True):
        z = wk * a + bk
        z.retain_grad()
        a = cr.sigmoid(z)
        zs.append(z)
    return zs, a


def gradient_of_b1(x: float, w: Tensor, b: Tensor, target: float) -> tuple[float, float]:
    """dC/db1 by the lecture's product and by backward(), for C = (a4 - target)^2 / 2."""
    w.requires_grad_()
    b.requires_grad_()
    (z1, z2, z3, z4), a4 = chain(x, w, b)
    a4.retain_grad()
    (0.5 * (a4 - target) ** 2).backward()
    product = slope(z1) * w[1] * slope(z2) * w[2] * slope(z3) * w[3] * slope(z4) * a4.grad
    assert b.grad is not None
    return product.item(), b.grad[0].item()


def gradient_norms(activation: str) -> list[float]:
    """The gradient's norm at the weights of each layer, the first layer first."""
    cr.manual_seed(0)
    layers = [nn.Linear(32, 32) for _ in range(LAYERS)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain(activation.lower()))
        nn.init.zeros_(layer.bias)
    net = nn.Sequential(*(part for layer in layers for part in (layer, ACTIVATIONS[activation]())))
    nn.functional.mse_loss(net(cr.randn(64, 32)), cr.rand(64, 32)).backward()
    return [layer.weight.grad.norm().item() for layer in layers]


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.1 to 2.3."""
    double = {"dtype": cr.float64}
    w, b = cr.tensor([0.7, -1.3, 2.1, 0.9], **double), cr.tensor([0.2, -0.4, 0.1, 0.5], **double)
    product, backward = gradient_of_b1(0.8, w, b, target=0.3)
    yield Finding(
        "2.1",
        "dC/db1 of four neurons: the product of the chain less backward()'s",
        0.0,
        product - backward,
        within=1e-15,
        slip="the last line drops dC/da4; a minus for times; dC/db1 said to be near itself",
    )
    steps = cr.linspace(-10, 10, 20001, **double)
    yield Finding(
        "2.1",
        "sigma'(z) is greatest at z = 0",
        "< 1/4",
        [steps[slope(steps).argmax()].item(), slope(steps).max().item()],
        [0.0, 0.25],
        within=1e-12,
        slip="the bound is reached: at most 1/4",
    )

    # z = 0 everywhere: sigma' is 1/4 and each a is 1/2, so b = -w a(previous).
    link = slope(cr.tensor(0.0, **double)).item()
    yield Finding("2.2", "four links with w = 1: at most (1/4)^4", 0.003906, link**4, within=5e-7)
    b = cr.tensor([0.0, -50.0, -50.0, -50.0], **double, requires_grad=True)
    zs, a4 = chain(0.0, cr.full((4,), 100.0, **double), b)
    (exploded,) = cr.autograd.grad(a4, b)
    yield Finding(
        "2.2",
        "w = 100, each z = 0: da4/db1 = 25^3 / 4",
        3906.25,
        exploded[0].item(),
        slip="b = -w x keeps z at 0 in the first layer only; it should be -w a(previous)",
    )
    yield Finding("2.2", "z1 to z4 of that net", [0.0] * 4, [z.item() for z in zs])
    for activation in ACTIVATIONS:
        norms = gradient_norms(activation)
        vanishes = activation == "sigmoid"
        yield Finding(
            "2.2",
            f"{LAYERS} layers of {activation}: the first layer's gradient is under a hundredth "
            "of the last's",
            vanishes,
            norms[0] < norms[-1] / 100,
        )

    ws = cr.linspace(0, 8, 8001, **double)
    greatest = ws * slope(steps[::10]).max()
    yield Finding(
        "2.3",
        "the least w for which w sigma' reaches 1",
        4.0,
        ws[greatest >= 1].min().item(),
        within=1e-12,
    )


def plot(axes: Any) -> None:
    """The gradient's norm by layer for three activations."""
    for activation in ACTIVATIONS:
        axes.semilogy(range(1, LAYERS + 1), gradient_norms(activation), "o-", label=activation)
    axes.set(xlabel="layer", ylabel="norm of the weights' gradient")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

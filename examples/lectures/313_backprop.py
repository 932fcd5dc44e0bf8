"""Backpropagation: the chain rule, a forward pass, a backward pass, and why one wants it.

By the chain rule dl/dw = dz/dw dl/dz. Forward pass: dz/dw is the input a of the weight. Backward
pass: dl/dz = sigma'(z) [w3 dl/dz' + w4 dl/dz''], from the output layer towards the input.
"""

import time
from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn.utils import parameters_to_vector, vector_to_parameters

DOUBLE = {"dtype": cr.float64}


def two_layers() -> nn.Sequential:
    """Two inputs, two hidden neurons, two outputs."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid()).to(cr.float64)
    values = [1.0, -2.0, -1.0, 1.0, 1.0, 0.0, 2.0, -1.0, -2.0, -1.0, 0.5, -0.5]
    vector_to_parameters(cr.tensor(values, **DOUBLE), net.parameters())
    return net


def watch(net: nn.Sequential, log: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    """Hooks that note the input a and the derivative dl/dz of every linear layer."""
    inputs: list[Tensor] = []
    slopes: list[Tensor] = []

    def forward(layer: nn.Module, args: tuple[Tensor, ...], z: Tensor) -> None:
        inputs.append(args[0].detach())
        log.append(f"forward   {layer}: a = {rounded(args[0])}, z = {rounded(z)}")

    def backward(layer: nn.Module, of_inputs: Any, of_outputs: tuple[Tensor, ...]) -> None:
        slopes.append(of_outputs[0])
        log.append(f"backward  {layer}: dl/dz = {rounded(of_outputs[0])}")

    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(forward)
            layer.register_full_backward_hook(backward)
    return inputs, slopes


def rounded(values: Tensor) -> list[float]:
    """Four digits for the eye."""
    return [round(value, 4) for value in values.flatten().tolist()]


def by_hand(net: nn.Sequential, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """dl/dz of the hidden and the output layer for l = sum (y - target)^2 / 2."""
    z1 = net[0](x)
    z2 = net[2](cr.sigmoid(z1))
    y = cr.sigmoid(z2)
    output = y * (1 - y) * (y - target)  # case 1, output layer: sigma'(z') dl/dy
    a = cr.sigmoid(z1)
    hidden = a * (1 - a) * (output @ net[2].weight)  # case 2: sigma'(z) [w3 dl/dz' + w4 dl/dz'']
    return hidden.detach(), output.detach()


def findings(small: bool) -> Iterator[Finding]:
    """Rows 3.13 to 3.15."""
    x = cr.tensor(1.3, **DOUBLE, requires_grad=True)
    y = x**2
    z = y.exp()
    ((dz_dx,), (dz_dy,), (dy_dx,)) = (
        cr.autograd.grad(a, b, retain_graph=True) for a, b in [(z, x), (z, y), (y, x)]
    )
    yield Finding(
        "3.13", "case 1, x -> y -> z: dz/dx less dz/dy dy/dx", 0.0,
        (dz_dx - dz_dy * dy_dx).item(), within=1e-14,
    )  # fmt: skip
    s = cr.tensor(0.7, **DOUBLE, requires_grad=True)
    x, y = s**2, s.sin()
    z = x * y
    parts = [cr.autograd.grad(a, b, retain_graph=True)[0] for a, b in
             [(z, s), (z, x), (x, s), (z, y), (y, s)]]  # fmt: skip
    yield Finding(
        "3.13", "case 2, s -> (s^2, sin s) -> product: dz/ds less dz/dx dx/ds + dz/dy dy/ds", 0.0,
        (parts[0] - (parts[1] * parts[2] + parts[3] * parts[4])).item(), within=1e-15,
    )  # fmt: skip
    known = (2 * s * s.sin() + s**2 * s.cos()).item()
    yield Finding(
        "3.13", "... and less 2 s sin s + s^2 cos s", 0.0, parts[0].item() - known, within=1e-15
    )

    net, log = two_layers(), list[str]()
    x, target = cr.tensor([[1.0, -1.0]], **DOUBLE), cr.tensor([[0.0, 1.0]], **DOUBLE)
    hidden, output = by_hand(net, x, target)
    inputs, slopes = watch(net, log)
    (0.5 * (net(x) - target) ** 2).sum().backward()
    if not small:
        print("\n".join(log))
    order = [line.split()[0] for line in log]
    yield Finding(
        "3.14", "the hooks see the forward pass, then the backward pass",
        "forward forward backward backward", " ".join(order),
    )  # fmt: skip
    for name, hand, seen in [("output", output, slopes[0]), ("hidden", hidden, slopes[1])]:
        yield Finding(
            "3.14", f"dl/dz of the {name} layer by hand less the hook's", [0.0, 0.0],
            (hand - seen)[0].tolist(), within=1e-15,
        )  # fmt: skip
    for number, a, dl_dz in zip((0, 2), inputs, (hidden, output), strict=True):
        yield Finding(
            "3.14", f"dl/dw = a dl/dz of layer {number}: the largest difference to backward()", 0.0,
            (dl_dz.T @ a - net[number].weight.grad).abs().max().item(), within=1e-15,
        )  # fmt: skip
    first = cr.autograd.grad(net[0](x)[0, 0], net[0].weight)[0][0]
    yield Finding("3.14", "forward pass: dz/dw is the input", [1.0, -1.0], first.tolist())

    error, times_faster, count = finite_differences()
    yield Finding("3.15", "parameters of the net measured", "millions", count, 1000)
    yield Finding("3.15", "finite differences less backward(), at worst", 0.0, error, within=1e-8)
    yield Finding("3.15", "backward() is over ten times as fast", True, times_faster > 10)


def finite_differences() -> tuple[float, float, int]:
    """The worst difference, how many times faster backward() is, and the parameters."""
    cr.manual_seed(0)
    net = nn.Sequential(nn.Linear(22, 30), nn.Tanh(), nn.Linear(30, 10)).to(cr.float64)
    x, target = cr.randn(8, 22, **DOUBLE), cr.randn(8, 10, **DOUBLE)

    def loss() -> Tensor:
        return nn.functional.mse_loss(net(x), target)

    start = time.perf_counter()
    loss().backward()
    by_backward = time.perf_counter() - start
    theta, h = parameters_to_vector(net.parameters()).detach(), 1e-6
    start, differences = time.perf_counter(), []
    with cr.no_grad():
        for step in h * cr.eye(len(theta), **DOUBLE):  # one parameter at a time, up and down
            ends = []
            for moved in (theta + step, theta - step):
                vector_to_parameters(moved, net.parameters())
                ends.append(loss())
            differences.append((ends[0] - ends[1]) / (2 * h))
    by_differences = time.perf_counter() - start
    gradient = parameters_to_vector([p.grad for p in net.parameters()])
    error = (cr.stack(differences) - gradient).abs().max().item()
    return error, by_differences / by_backward, len(theta)


if __name__ == "__main__":
    main(findings)

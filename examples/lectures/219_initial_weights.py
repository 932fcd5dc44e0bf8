"""Initial weights: w, b ~ N(0, 1) saturates a wide layer; divided by sqrt(n) they do not."""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim

INPUTS = 784


def sparse(count: int, inputs: int = INPUTS, ones: int = 50) -> Tensor:
    """Vectors with few ones, as pictures of digits have little ink."""
    x = cr.zeros(count, inputs)
    where = cr.rand(count, inputs).topk(ones)[1]
    return x.scatter_(1, where, 1.0)


def weighted_inputs(x: Tensor, scaled: bool, neurons: int = 4096) -> Tensor:
    """z = w x + b of neurons with w, b ~ N(0, 1), or with w / sqrt(n) and b = 0."""
    n = x.shape[1]
    w = cr.randn(n, neurons)
    return x @ (w / n**0.5) if scaled else x @ w + cr.randn(neurons)


def mean_slope(z: Tensor) -> float:
    """The mean of sigma'(z)."""
    return (cr.sigmoid(z) * (1 - cr.sigmoid(z))).mean().item()


def learned(scaled: bool, steps: int) -> float:
    """The loss after training on a question of the wide layer: more ink in the first half?"""
    cr.manual_seed(0)
    net = nn.Sequential(nn.Linear(INPUTS, 30), nn.Sigmoid(), nn.Linear(30, 1))
    for layer in (net[0], net[2]):
        size = layer.in_features**-0.5 if scaled else 1.0
        nn.init.normal_(layer.weight, std=size)
        nn.init.normal_(layer.bias, std=0.0 if scaled else 1.0)
    x = sparse(200)
    y = (x[:, : INPUTS // 2].sum(1, keepdim=True) > 25) * 1.0
    optimizer = optim.SGD(net.parameters(), lr=0.5)
    for _ in range(steps):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.19."""
    cr.manual_seed(0)
    x = sparse(256)
    wide = weighted_inputs(x, scaled=False)
    slip = "N(0, 1) is good for 25 inputs and bad for wide layers"
    yield Finding(
        "2.19", "784 inputs, 50 of them 1: the deviation of z", 7.1, wide.std().item(), within=0.1
    )
    yield Finding(
        "2.19", "its mean sigma'", "near 1/4", mean_slope(wide), 0.054, within=2e-3, slip=slip
    )
    scaled = weighted_inputs(x, scaled=True)
    yield Finding("2.19", "with w / sqrt(n)", 0.246, mean_slope(scaled), within=1e-3)
    narrow = weighted_inputs(sparse(256, inputs=25, ones=3), scaled=False)
    yield Finding(
        "2.19", "25 inputs, 3 of them 1: mean sigma' is above 0.14", True, mean_slope(narrow) > 0.14
    )
    steps = 300 if small else 1000
    yield Finding(
        "2.19",
        f"loss after {steps} steps: N(0, 1) ends above N(0, 1/n)",
        True,
        learned(False, steps) > learned(True, steps),
    )


def plot(axes: Any) -> None:
    """How z is spread by either."""
    cr.manual_seed(0)
    x = sparse(64)
    for scaled, name in [(False, "w, b ~ N(0, 1)"), (True, "w ~ N(0, 1/n)")]:
        z = weighted_inputs(x, scaled).flatten().numpy()
        axes.hist(z, bins=100, range=(-20, 20), density=True, histtype="step", label=name)
    axes.set(xlabel="z", ylabel="density")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

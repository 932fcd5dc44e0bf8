"""Softmax, and why cross entropy teaches a wrong neuron faster than the squared error.

For a sigmoid output the squared error's gradient has a factor sigma'(z), which is nearly 0 when
the neuron is badly wrong; cross entropy has no such factor.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}


def squared(z: Tensor, target: Tensor) -> Tensor:
    """Half the squared error of a = sigma(z)."""
    return 0.5 * ((cr.sigmoid(z) - target) ** 2).sum()


def cross_entropy(z: Tensor, target: Tensor) -> Tensor:
    """C = -(y ln a + (1 - y) ln(1 - a))."""
    return F.binary_cross_entropy_with_logits(z, target, reduction="sum")


LOSSES = {"squared error": squared, "cross entropy": cross_entropy}


def train_neuron(loss: Any, steps: int) -> list[float]:
    """The output, step by step, of a neuron that says 0.982 at x = 1 and should say 0."""
    w, b = cr.tensor(2.0, requires_grad=True), cr.tensor(2.0, requires_grad=True)
    optimizer = cr.optim.SGD([w, b], lr=0.15)
    outputs = []
    for _ in range(steps):
        z = w * 1.0 + b
        outputs.append(cr.sigmoid(z).item())
        optimizer.zero_grad()
        loss(z, cr.tensor(0.0)).backward()
        optimizer.step()
    return outputs


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.8 to 2.10."""
    z = cr.tensor([3.0, 1.0, -3.0], **DOUBLE)
    yield Finding(
        "2.8",
        "softmax of (3, 1, -3) less e^z / sum e^z",
        [0.0, 0.0, 0.0],
        (F.softmax(z, 0) - z.exp() / z.exp().sum()).tolist(),
        within=1e-15,
        slip="the superscript e is meant as the layer's L",
    )
    yield Finding("2.8", "the sum of its outputs", 1.0, F.softmax(z, 0).sum().item(), within=1e-15)
    big = cr.tensor([1000.0, 999.0], **DOUBLE)
    yield Finding(
        "2.8",
        "softmax of (1000, 999), where e^z overflows",
        "e^z / sum e^z",
        F.softmax(big, 0).tolist(),
        [0.7310585786300049, 0.2689414213699951],  # 1 / (1 + e^-1) and the rest
        within=1e-15,
    )

    z = cr.tensor(4.0, **DOUBLE, requires_grad=True)  # x = 1, so dC/dw = dC/dz
    target = cr.tensor(0.0, **DOUBLE)
    yield Finding("2.9", "sigma(4), whose target is 0", 0.982, cr.sigmoid(z).item(), within=5e-4)
    for (name, loss), taught in zip(LOSSES.items(), [0.0173, 0.982], strict=True):
        (slope,) = cr.autograd.grad(loss(z, target), z)
        yield Finding(
            "2.9",
            f"dC/dw by {name}",
            taught,
            slope.item(),
            within=5e-4 if taught > 0.1 else 5e-5,
            slip="" if taught > 0.1 else "y and its estimate change places in the notes",
        )
    below = [
        next(k for k, a in enumerate(train_neuron(f, 1000)) if a < 0.2) for f in LOSSES.values()
    ]
    yield Finding(
        "2.9",
        "squared error needs over three times the steps of cross entropy to bring 0.982 below 0.2",
        True,
        below[0] > 3 * below[1],
    )

    data = cr.data.TensorDataset(cr.arange(1000.0))
    batches = [x for (x,) in cr.data.DataLoader(data, batch_size=64, shuffle=True)]
    yield Finding(
        "2.10",
        "mini-batches of 64 from 1000 samples: how many, the last one's size",
        [16, 40],
        [len(batches), len(batches[-1])],
    )
    each = cr.cat(batches).sort()[0]
    yield Finding(
        "2.10", "each sample comes once an epoch", True, cr.equal(each, cr.arange(1000.0))
    )
    model = nn.Linear(3, 1, **DOUBLE)
    x, y = cr.randn(64, 3, **DOUBLE), cr.randn(64, 1, **DOUBLE)
    parts = [
        cr.autograd.grad(F.mse_loss(model(x[k::4]), y[k::4]), model.weight)[0] for k in range(4)
    ]
    (whole,) = cr.autograd.grad(F.mse_loss(model(x), y), model.weight)
    yield Finding(
        "2.10",
        "the mean of the gradients of four mini-batches less the whole batch's",
        0.0,
        (cr.stack(parts).mean(0) - whole).abs().max().item(),
        within=1e-14,
    )


def plot(axes: Any) -> None:
    """The neuron's output while it learns, by either loss."""
    for name, loss in LOSSES.items():
        axes.plot(train_neuron(loss, 300), label=name)
    axes.set(xlabel="step", ylabel="output (target 0)")
    axes.legend()


if __name__ == "__main__":
    main(findings, plot)

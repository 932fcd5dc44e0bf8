"""A fully connected network is y = sigma(W^L ... sigma(W^2 sigma(W^1 x + b^1) + b^2) ... + b^L)."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

DOUBLE = {"dtype": cr.float64}
W1, B1 = [[1.0, -2.0], [-1.0, 1.0]], [1.0, 0.0]
W2, B2 = [[2.0, -1.0], [-2.0, -1.0]], [0.0, 0.0]
W3, B3 = [[3.0, -1.0], [-1.0, 4.0]], [-2.0, 2.0]


def network(*layers: tuple[list[list[float]], list[float]]) -> nn.Sequential:
    """A layer Linear + Sigmoid for each (W, b)."""
    net = nn.Sequential()
    for weight, bias in layers:
        linear = nn.Linear(len(weight[0]), len(weight), **DOUBLE)
        linear.load_state_dict(
            {"weight": cr.tensor(weight, **DOUBLE), "bias": cr.tensor(bias, **DOUBLE)}
        )
        net.append(linear)
        net.append(nn.Sigmoid())
    return net


def neuron_by_neuron(net: nn.Sequential, x: Tensor) -> Tensor:
    """The same network without matrices: each neuron adds up its own inputs."""
    rows = []
    for row in x.tolist():
        for linear in (layer for layer in net if isinstance(layer, nn.Linear)):
            z = [
                sum(w * a for w, a in zip(weights, row, strict=True)) + b
                for weights, b in zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
            ]
            row = cr.sigmoid(cr.tensor(z, **DOUBLE)).tolist()
        rows.append(row)
    return cr.tensor(rows, **DOUBLE)


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def findings(small: bool) -> Iterator[Finding]:
    """Rows 3.3, 3.4, 3.5 and 3.7."""
    z = cr.linspace(-5, 5, 11, **DOUBLE)
    yield Finding(
        "3.3",
        "sigma(z) less 1 / (1 + e^-z), at eleven z",
        [0.0] * 11,
        (cr.sigmoid(z) - 1 / (1 + (-z).exp())).tolist(),
        within=1e-15,
    )
    far = cr.tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
    y = cr.sigmoid(far)
    y.sum().backward()
    yield Finding("3.3", "sigma(-1000), sigma(0), sigma(1000)", [0.0, 0.5, 1.0], y.tolist())
    yield Finding("3.3", "their slopes", [0.0, 0.25, 0.0], far.grad.tolist(), within=1e-7)

    x = cr.tensor([1.0, -1.0], **DOUBLE)
    layer = network((W1, B1))
    yield Finding("3.4", "z = W x + b", [4.0, -2.0], layer[0](x).tolist())
    yield Finding("3.4", "sigma(z)", [0.98, 0.12], layer(x).tolist(), within=0.005)
    yield Finding(
        "3.4", "to six digits", "0.98, 0.12", layer(x).tolist(), [0.982014, 0.119203], within=5e-7
    )

    f = network((W1, B1), (W2, B2), (W3, B3))
    zero = cr.zeros(2, **DOUBLE)
    lost = "layers 2 and 3 were in a lost figure; these weights fit"
    for point, name, taught, digits, middle in [
        (x, "f([1, -1])", [0.62, 0.83], [0.617705, 0.829124], [0.8635, 0.1107]),
        (zero, "f([0, 0])", [0.51, 0.85], [0.511847, 0.854384], [0.7235, 0.1232]),
    ]:
        yield Finding("3.5", name, taught, f(point).tolist(), within=0.005, slip=lost)
        yield Finding(
            "3.5", f"{name} to six digits", taught, f(point).tolist(), digits, within=5e-7
        )
        yield Finding(
            "3.5", f"{name}: after layer 2", "not given", f[:4](point).tolist(), middle, within=5e-5
        )
    two = network((W1, B1), ([[0.5652, -0.8080], [0.5371, 0.7451]], [0.0308, 0.9694]))
    pairs = cr.cat([two(cr.tensor([1.0, -1.0], **DOUBLE)), two(zero)]).tolist()
    yield Finding(
        "3.5", "one second layer alone could too", [0.62, 0.83, 0.51, 0.85], pairs, within=5e-5
    )

    cr.manual_seed(0)
    batch = cr.randn(100 if small else 1000, 64, **DOUBLE)
    sizes = [64, 64, 64, 10]
    net = nn.Sequential()
    for inputs, outputs in pairwise(sizes):
        net.append(nn.Linear(inputs, outputs, **DOUBLE))
        net.append(nn.Sigmoid())
    with cr.no_grad():
        by_neuron, by_matrix = neuron_by_neuron(net, batch), net(batch)
        faster = seconds(lambda: neuron_by_neuron(net, batch), 1) / seconds(lambda: net(batch))
    yield Finding(
        "3.7",
        "y by matrices less y neuron by neuron",
        0.0,
        (by_neuron - by_matrix).abs().max().item(),
        within=1e-13,
    )
    yield Finding("3.7", "the matrix form is over ten times as fast", True, faster > 10)


if __name__ == "__main__":
    main(findings)

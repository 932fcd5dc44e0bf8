"""The convolutional net of the notes: its sizes, and its forward pass by naive loops.

A layer of 5 x 5 filters makes 24 x 24 of 28 x 28: each neuron looks at 25 inputs and all share 25
weights and a bias. Then the greatest of each 2 x 2, and a full layer.
"""

from collections.abc import Callable, Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.nn import functional as F

DOUBLE = {"dtype": cr.float64}
TAPS = range(5)  # the notes' sums "to 4 x 4" run 0..4


def table(n: int, entry: Callable[[int, int], float]) -> Tensor:
    """The n x n table of entry(j, k)."""
    return cr.tensor([[entry(j, k) for k in range(n)] for j in range(n)], **DOUBLE)


def forward(x: Tensor, w: Tensor, b: float, full: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Layers 1, 2 and 3 for one filter, in loops over plain lists."""
    x, w, n = x.tolist(), w.tolist(), len(x) - 4
    z = table(n, lambda j, k: sum(w[l][m] * x[j + l][k + m] for l in TAPS for m in TAPS) + b)
    L1 = cr.sigmoid(z)
    a = L1.tolist()
    four = [(0, 0), (0, 1), (1, 0), (1, 1)]
    L2 = table(n // 2, lambda j, k: max(a[2 * j + l][2 * k + m] for l, m in four))
    flat = L2.flatten().tolist()
    L3 = cr.tensor([sum(map(float.__mul__, row, flat)) for row in full.tolist()], **DOUBLE)
    return L1, L2, L3


def findings(small: bool) -> Iterator[Finding]:
    """Rows 2.18 and 2.20."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, 5), nn.Sigmoid(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(432, 10)
    )
    x, sizes = cr.zeros(1, 1, 28, 28), []
    for layer in net:
        x = layer(x)
        sizes.append("x".join(str(n) for n in x.shape[1:]))
    taught = "3x24x24 3x24x24 3x12x12 432 10"
    yield Finding("2.18", "28x28 through the net's layers", taught, " ".join(sizes))
    one = nn.Conv2d(1, 1, 5)
    yield Finding("2.18", "5x5 gives 1x1", [1, 1], list(one(cr.zeros(1, 5, 5)).shape[1:]))
    shared = [one.weight.numel(), one.bias.numel()]
    yield Finding("2.18", "shared weights and bias", [25, 1], shared)
    padded = nn.Conv2d(1, 1, 5, padding=2)(cr.zeros(1, 28, 28))
    yield Finding("2.18", "zero padding by 2 keeps 28x28", [28, 28], list(padded.shape[1:]))
    counts = [sum(p.numel() for p in net[k].parameters()) for k in (0, 4)]
    yield Finding(
        "2.18",
        "parameters: of 3 filters, of the full layer, of all",
        [78, 4330, 4408],
        [*counts, sum(counts)],
    )

    cr.manual_seed(0)
    x = cr.rand(28, 28, **DOUBLE)
    conv, full = nn.Conv2d(1, 1, 5, **DOUBLE), nn.Linear(144, 10, bias=False, **DOUBLE)
    L1 = cr.sigmoid(conv(x[None]))
    L2 = F.max_pool2d(L1, 2)
    L3 = full(L2.flatten())
    layers = zip(
        forward(x, conv.weight[0, 0], conv.bias.item(), full.weight), (L1, L2, L3), strict=True
    )
    off = [(loops - layer.squeeze()).abs().max().item() for loops, layer in layers]
    slip = "layer 1 is a = sigma(z), not z; layer 3 has no bias and no sigma"
    yield Finding("2.20", "L1: loops less Conv2d and Sigmoid", 0.0, off[0], within=1e-14, slip=slip)
    yield Finding("2.20", "L2: loops less MaxPool2d", 0.0, off[1], within=1e-14)
    yield Finding("2.20", "L3: loops less Linear", 0.0, off[2], within=1e-13)


if __name__ == "__main__":
    main(findings)

"""More data: get it, or create it from what there is."""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.data import DataLoader, TensorDataset, transforms
from chainrule.train import evaluate, fit

SHAPES = [
    "..#..\n..#..\n#####\n..#..\n..#..",
    "#...#\n.#.#.\n..#..\n.#.#.\n#...#",
    "#####\n#...#\n#...#\n#...#\n#####",
]


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """Crosses, saltires and squares of 5 x 5, each somewhere in a noisy picture of 12 x 12."""
    stamps = cr.tensor(
        [[[float(c == "#") for c in line] for line in s.split("\n")] for s in SHAPES]
    )
    labels = cr.arange(count) % len(SHAPES)
    x = 0.2 * cr.randn(count, 1, 12, 12)
    for k in range(count):
        top, left = cr.randint(0, 8, (2,)).tolist()
        x[k, 0, top : top + 5, left : left + 5] += stamps[labels[k]]
    return x, labels


def accuracy(create: bool, epochs: int) -> float:
    """On new pictures, after training on 48, with or without more created from them."""
    cr.manual_seed(0)
    few, test = pictures(48), pictures(300)
    dataset = TensorDataset(*few)
    if create:  # each epoch sees every picture elsewhere, and with noise of its own
        more = transforms.Compose([transforms.RandomShift(4), transforms.GaussianNoise(0.1)])
        dataset = transforms.TransformedDataset(dataset, more)
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 64), nn.ReLU(), nn.Linear(64, len(SHAPES)))
    optimizer = optim.Adam(net.parameters(), lr=3e-3)
    batches = DataLoader(dataset, batch_size=16, shuffle=True)
    fit(net, batches, nn.CrossEntropyLoss(), optimizer, epochs=epochs, progress=False)
    return evaluate(net, test, metrics="accuracy")["accuracy"]


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.17."""
    epochs = 150 if small else 600
    few, created = accuracy(False, epochs), accuracy(True, epochs)
    yield Finding("2.17", "accuracy on new pictures from 48: below 65%", True, few < 0.65)
    yield Finding(
        "2.17",
        "with more created by shifts and noise: 20% more at least",
        True,
        created > few + 0.2,
    )


if __name__ == "__main__":
    main(findings)

"""The output layer as a multi-class classifier: 256 inputs of ink or no ink, ten confidences.

Each pixel of a 16 x 16 image is 1 where there is ink and 0 where there is none; softmax makes the
ten outputs y1 to y10 confidences, and the largest says which digit it is.
"""

from collections.abc import Iterator

from finding import Finding, main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import Tensor, nn


def ink() -> tuple[Tensor, Tensor]:
    """Images of 256 zeros and ones, and their digits."""
    images, labels = load_digits(return_X_y=True)
    grey = cr.tensor(images, dtype=cr.float32).reshape(-1, 1, 8, 8) / 16
    large = nn.functional.interpolate(grey, scale_factor=2, mode="bilinear")
    return (large > 0.4).to(cr.float32).flatten(1), cr.tensor(labels)


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.8."""
    cr.manual_seed(0)
    x, y = ink()
    yield Finding("3.8", "inputs of one image", 256, x.shape[1])
    yield Finding("3.8", "their values", "ink 1, no ink 0", x.unique().tolist(), [0.0, 1.0])
    order = cr.randperm(len(y))
    train, test = order[:1400], order[1400:]

    net = nn.Sequential(nn.Linear(256, 64), nn.Sigmoid(), nn.Linear(64, 10))
    optimizer = cr.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(12 if small else 30):
        for batch in train[cr.randperm(len(train))].split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()

    with cr.no_grad():
        confidences = nn.functional.softmax(net(x[test]), dim=1)
    yield Finding("3.8", "outputs of one image", 10, confidences.shape[1])
    yield Finding(
        "3.8",
        "the sum of the confidences, furthest from 1",
        1.0,
        1 + (confidences.sum(1) - 1).abs().max().item(),
        within=1e-6,
    )
    right = confidences.argmax(1) == y[test]
    yield Finding(
        "3.8",
        "the most confident output is the digit: share of 397 new images",
        "is the digit",
        right.to(cr.float32).mean().item(),
        at_least=0.9,
    )
    sure = confidences.max(1)[0]
    yield Finding(
        "3.8",
        "it is more confident where it is right",
        True,
        (sure[right].mean() > sure[~right].mean() + 0.1).item(),
    )


if __name__ == "__main__":
    main(findings)

"""2006: a deep net of sigmoids learns when restricted Boltzmann machines choose its first weights.

Each layer is trained alone, by contrastive divergence and without labels; then backpropagation
fine-tunes them all. From small random weights the same net hardly moves.
"""

from collections.abc import Iterator
from itertools import pairwise

from finding import Finding, main
from rbm import RBM, network, pretrain
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import Tensor, nn

SIZES = [64, 64, 64, 64]


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, test images and labels; ink from 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    x, y = cr.tensor(images, dtype=cr.float32) / 16, cr.tensor(labels)
    order = cr.randperm(len(y))
    train, test = order[:1200], order[1200:]
    return x[train], y[train], x[test], y[test]


def fine_tune(net: nn.Module, x: Tensor, y: Tensor, epochs: int) -> None:
    """Plain stochastic gradient descent, as in 1986."""
    optimizer = cr.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(epochs):
        for batch in cr.randperm(len(y)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()


def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of the images that are read right."""
    with cr.no_grad():
        return (net(x).argmax(1) == y).to(cr.float32).mean().item()


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.1: 2006."""
    cr.manual_seed(0)
    x, y, test_x, test_y = digits()
    epochs = 10 if small else 40

    machines = pretrain(SIZES, x, epochs)
    blank = ((test_x - x.mean(0)) ** 2).mean()
    with cr.no_grad():
        error = ((test_x - machines[0].reconstruct(test_x)) ** 2).mean()
    yield Finding(
        "3.1",
        "an RBM's reconstruction leaves under half of the variance of digits it never saw",
        True,
        (error < blank / 2).item(),
    )
    pretrained = network(machines, 10)
    random = network([RBM(*pair) for pair in pairwise(SIZES)], 10)
    for net in (pretrained, random):
        fine_tune(net, x, y, 10)
    yield Finding(
        "3.1",
        "2006: a deep sigmoid net from RBM weights, ten epochs of fine-tuning: test accuracy",
        "learns",
        accuracy(pretrained, test_x, test_y),
        at_least=0.9,
    )
    yield Finding(
        "3.1",
        "the same net from small random weights gets under 40% of the digits after ten epochs",
        True,
        accuracy(random, test_x, test_y) < 0.4,
    )


if __name__ == "__main__":
    main(findings)

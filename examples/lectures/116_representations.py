"""What the layers of a digit classifier have made of a digit, looked at by forward hooks.

Each layer's output is a representation of the picture: less and less like the picture, more and
more about which digit it is.
"""

from collections.abc import Iterator
from typing import Any

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.metrics import accuracy_score
from chainrule.model_selection import train_test_split

LAYERS = ["conv1", "conv2", "scores"]


def network() -> nn.Sequential:
    """A small classifier of 8 x 8 pictures."""
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(1, 12, 3, padding=1))
    net.add_module("relu1", nn.ReLU())
    net.add_module("pool1", nn.MaxPool2d(2))
    net.add_module("conv2", nn.Conv2d(12, 24, 3, padding=1))
    net.add_module("relu2", nn.ReLU())
    net.add_module("flat", nn.Flatten())
    net.add_module("scores", nn.Linear(24 * 16, 10))
    return net


def digits() -> list[Tensor]:
    """Pictures and labels, to learn from and to look at."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = cr.tensor(data.images / 16, dtype=cr.float32)[:, None], cr.tensor(data.target)
    x, x_new, y, y_new = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
    return [x, x_new, y, y_new]


def trained(x: Tensor, y: Tensor, epochs: int) -> nn.Sequential:
    """The classifier, taught."""
    cr.manual_seed(0)
    net = network()
    optimizer = optim.Adam(net.parameters(), lr=0.005)
    loss = nn.functional.cross_entropy
    cr.train.fit(net, (x, y), loss, optimizer, epochs=epochs, batch_size=32, progress=False)
    return net


def representations(net: nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """Each layer's output for x, left behind by a hook."""
    seen: dict[str, Tensor] = {}
    handles = []
    for name in LAYERS:

        def keep(module: nn.Module, inputs: Any, output: Tensor, name: str = name) -> None:
            seen[name] = output

        handles.append(net.get_submodule(name).register_forward_hook(keep))
    with cr.no_grad():
        net(x)
    for handle in handles:
        handle.remove()
    return seen


def nearest_mean(x: Tensor, y: Tensor) -> float:
    """How far the digits stand apart: the share that lies nearest to its own digit's mean."""
    x = x.flatten(1)
    means = cr.stack([x[y == digit].mean(0) for digit in range(10)])
    return accuracy_score(y, cr.cdist(x, means).argmin(1))


def findings(small: bool) -> Iterator[Finding]:
    """Row 1.16."""
    x, x_new, y, y_new = digits()
    net = trained(x, y, epochs=5 if small else 20)
    seen = representations(net, x_new)
    shapes = [list(seen[name].shape[1:]) for name in LAYERS]
    yield Finding(
        "1.16",
        "what the hooks saw of a picture (1, 8, 8): shapes",
        "[12, 8, 8] [24, 4, 4] [10]",
        " ".join(map(str, shapes)),
    )
    yield Finding(
        "1.16",
        "the last of them is the net's answer",
        True,
        cr.equal(seen["scores"], cr.train.predict(net, x_new, batch_size=len(x_new))),
    )
    pixels = nearest_mean(x_new, y_new)
    scores = nearest_mean(seen["scores"], y_new)
    yield Finding(
        "1.16",
        "new digits nearest to their own digit's mean: more among the scores than among the pixels",
        True,
        scores > pixels,
    )
    right = accuracy_score(y_new, seen["scores"].argmax(1))
    yield Finding("1.16", "new digits read right: over 93 %", True, right > 0.93)


def plot(axes: Any) -> None:
    """A digit and what the twelve filters of the first layer make of it."""
    x, x_new, y, _ = digits()
    maps = representations(trained(x, y, epochs=4), x_new[:1])["conv1"][0]
    pictures = cr.cat([x_new[0], maps.relu() / maps.max(), cr.zeros(2, 8, 8)])
    grid = nn.functional.pad(pictures, (1, 1, 1, 1)).reshape(3, 5, 10, 10)
    axes.imshow(grid.transpose(1, 2).reshape(30, 50).numpy(), cmap="gray_r")
    axes.set(xlabel="the digit, then the filters of conv1", ylabel="ink", xticks=[], yticks=[])


if __name__ == "__main__":
    main(findings, plot)

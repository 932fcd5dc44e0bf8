"""Deep means many layers: AlexNet (2012) has 8, VGG (2014) 19, GoogLeNet (2014) 22.

Counted are the layers with weights on the longest way from the picture to the output. The lecture's
error rates (16.4%, 7.3%, 6.7%) are top-5 on ImageNet's million pictures and are not measured here;
small forms of the three learn to read digits instead.
"""

from collections.abc import Iterator

from finding import Finding, main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import Tensor, models, nn

# Layers and parameters; those of VGG and AlexNet are torchvision's forms.
NETS = {
    "AlexNet": (models.alexnet, 8, 61_100_840, ""),
    "VGG": (models.vgg19, 19, 143_667_240, ""),
    "GoogLeNet": (models.googlenet, 22, 13_004_888, 'spelled GoogLeNet, not "GoogleNet"'),
}
SMALL = {
    "AlexNet": (models.alexnet_small, 150),
    "VGG": (models.vgg_small, 60),
    "GoogLeNet": (models.googlenet_small, 70),
}


def weight_layers(output: Tensor) -> int:
    """The convolutions and full layers on the longest way through the graph of an output."""
    depths: dict[object, int] = {}

    def depth(node: cr.Node) -> int:
        if node not in depths:
            before = max((depth(n) for n, _ in node.next_functions if n is not None), default=0)
            depths[node] = before + node.name().startswith(("Conv", "Linear"))
        return depths[node]

    assert output.grad_fn is not None
    return depth(output.grad_fn)


def learn_digits(net: nn.Module, steps: int) -> float:
    """The accuracy on new digits after so many batches of 32."""
    images, labels = load_digits(return_X_y=True)
    order = cr.randperm(len(labels))
    x = cr.tensor(images, dtype=cr.float32)[order].reshape(-1, 1, 8, 8) / 16
    y = cr.tensor(labels)[order]
    optimizer = cr.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(steps):
        batch = cr.randint(0, 1400, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
        optimizer.step()
    guesses = cr.train.predict(net, x[1400:]).argmax(1)
    return cr.metrics.accuracy_score(y[1400:], guesses)


def findings(small: bool) -> Iterator[Finding]:
    """Row 3.6."""
    cr.manual_seed(0)
    for name, (build, layers, parameters, slip) in NETS.items():
        net = build().eval()  # GoogLeNet's two extra heads serve training only
        side = 64 if small else 224
        output = net(cr.randn(1, 3, side, side))
        yield Finding("3.6", f"layers of {name}", layers, weight_layers(output), slip=slip)
        count = sum(p.numel() for p in net.parameters())
        yield Finding("3.6", f"parameters of {name}", "not given", count, parameters)
        yield Finding(
            "3.6",
            f"one picture of {side} x {side} through {name}: classes, and finite scores",
            [1000, 1000],
            [output.shape[1], int(output.isfinite().sum())],
        )
        del net, output
    for name, (build, steps) in SMALL.items():
        cr.manual_seed(0)
        right = learn_digits(build(in_channels=1), steps if small else 3 * steps)
        yield Finding(
            "3.6", f"a small {name} on 397 new digits: accuracy", "not given", right,
            at_least=0.75,
        )  # fmt: skip


if __name__ == "__main__":
    main(findings)

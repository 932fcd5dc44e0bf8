"""Third application: an image in, one of 1000 classes out. AlexNet, and a small AlexNet at work."""

import math
from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, models, nn, optim
from chainrule.train import evaluate, fit

SIZE = 12


def images(count: int) -> tuple[Tensor, Tensor]:
    """Stripes in five directions and two colours, shifted, noisy; and which of the ten it is."""
    label = cr.arange(count) % 10
    angle = (math.pi / 5 * (label % 5)).reshape(-1, 1, 1)
    y, x = cr.meshgrid(cr.arange(SIZE), cr.arange(SIZE), indexing="ij")
    phase = 2 * math.pi * cr.rand(count, 1, 1)
    stripes = cr.sin(1.5 * (x * angle.cos() + y * angle.sin()) + phase).unsqueeze(1)
    colours = cr.tensor([[1.0, 0.6, 0.2], [0.2, 0.6, 1.0]])[label // 5]
    return stripes * colours[:, :, None, None] + 0.2 * cr.randn(count, 3, SIZE, SIZE), label


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.7, image to one of 1000 classes."""
    cr.manual_seed(0)
    net = models.alexnet().eval()
    with cr.no_grad():
        classes = nn.functional.softmax(net(cr.randn(1, 3, 224, 224)), 1)
    yield Finding("2.7", "an image of 224x224 through AlexNet", [1, 1000], list(classes.shape))
    yield Finding("2.7", "the sum of its outputs", 1.0, classes.sum().item(), within=1e-5)

    cr.manual_seed(0)
    training, test = images(800), images(300)
    net = models.alexnet_small(num_classes=10, dropout=0.0)
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    epochs = 4 if small else 20
    fit(net, training, nn.CrossEntropyLoss(), optimizer, epochs=epochs, progress=False)
    right = evaluate(net, test, metrics="accuracy")["accuracy"]
    yield Finding("2.7", "image to class, ten of them: over 90% of new images", True, right > 0.9)


if __name__ == "__main__":
    main(findings)

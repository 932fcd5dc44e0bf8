"""Sixth application: image and radar in, the positions of cars out. A net of two branches.

A camera sees in which direction a car is but not how far; a radar hears how far, but each of its
two beams covers half of the view. A convolutional branch looks at the image, a plain one at the
radar, and a third part joins what they found: custom, or hybrid.
"""

import math
from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.nn import functional as F

HEIGHT, WIDTH, BEAMS, CELLS = 4, 48, 2, 25  # a cell of the radar is 2 m deep
VIEW = math.pi / 3  # 60 degrees


def scenes(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, radar echoes, and where two cars are: (x, y) of the left one, then of the right."""
    angle = VIEW * (0.4 * cr.rand(count, 2) + cr.tensor([-0.45, 0.05]))
    distance = 5 + 40 * cr.rand(count, 2)
    columns = cr.linspace(-VIEW / 2, VIEW / 2, WIDTH)
    seen = cr.exp(-(((columns - angle.unsqueeze(2)) / 0.03) ** 2)).sum(1)
    rows = cr.tensor([0.2, 1.0, 1.0, 0.2]).reshape(1, 1, HEIGHT, 1)
    images = rows * seen.reshape(count, 1, 1, WIDTH) + 0.1 * cr.randn(count, 1, HEIGHT, WIDTH)
    cells = 2 * cr.arange(CELLS)  # the left car is in the left beam, the right one in the right
    radar = cr.exp(-(((cells - distance.unsqueeze(2)) / 1.5) ** 2))
    radar = radar + 0.05 * cr.randn(count, BEAMS, CELLS)
    places = cr.stack([distance * angle.sin(), distance * angle.cos()], 2)
    return images, radar, places.flatten(1)


class TwoBranches(nn.Module):
    """A CNN for the image, an MLP for the radar, and a net that joins them; or one branch alone."""

    def __init__(self, use: str) -> None:
        super().__init__()
        self.use = use
        self.image = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
            nn.Flatten(), nn.Linear(8 * WIDTH // 2, 64), nn.ReLU(),
        )  # fmt: skip
        self.radar = nn.Sequential(nn.Flatten(), nn.Linear(BEAMS * CELLS, 64), nn.ReLU())
        features = 128 if use == "both" else 64
        self.join = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        """Return the four numbers, in units of 10 m."""
        branches = []
        if self.use != "radar":
            branches.append(self.image(image))
        if self.use != "image":
            branches.append(self.radar(radar))
        return self.join(cr.cat(branches, 1))


def error(use: str, epochs: int) -> float:
    """The mean distance, in metres, between where a car is and where the net says it is."""
    cr.manual_seed(0)
    image, radar, places = scenes(2000)
    net = TwoBranches(use)
    optimizer = optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(epochs):
        for rows in cr.randperm(len(places)).split(50):
            loss = F.mse_loss(net(image[rows], radar[rows]), places[rows] / 10)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    image, radar, places = scenes(500)
    with cr.no_grad():
        off = 10 * net(image, radar) - places
    return off.reshape(-1, 2).norm(dim=1).mean().item()


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.7, image and radar to positions of cars."""
    off = {use: error(use, 20 if small else 40) for use in ("both", "image", "radar")}
    slip = '"Custom Hyper" is custom, or hybrid'
    yield Finding(
        "2.7", "image and radar to cars: off by under 2 m", True, off["both"] < 2, slip=slip
    )
    yield Finding(
        "2.7",
        "either branch alone is off by half as much again, at least",
        True,
        min(off["image"], off["radar"]) > 1.5 * off["both"],
    )


if __name__ == "__main__":
    main(findings)

"""First application: the features of a home in, its price out. A plain net with two layers."""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.train import evaluate, fit


def homes(count: int) -> tuple[Tensor, Tensor]:
    """Area, rooms, age and distance to the centre; a price that no sum of the four explains."""
    area, age = 30 + 170 * cr.rand(count), 60 * cr.rand(count)
    rooms = (area / 35 + cr.rand(count)).ceil()
    distance = 20 * cr.rand(count)
    per_metre = 1 + 4 * cr.exp(-distance / 6) - 0.015 * age  # in thousands: the centre is dear
    price = area * per_metre + 10 * rooms + 10 * cr.randn(count)
    return cr.stack([area, rooms, age, distance], 1), price.unsqueeze(1)


def r2(net: nn.Module, rate: float, epochs: int) -> float:
    """The share of the prices' variance that a net explains for homes it has not seen."""
    cr.manual_seed(0)
    (x, price), (x_test, price_test) = homes(1000), homes(500)
    mean, std = x.mean(0), x.std(0)  # features of like size
    scale = price.std()
    optimizer = optim.Adam(net.parameters(), lr=rate)
    training = ((x - mean) / std, price / scale)
    fit(net, training, nn.MSELoss(), optimizer, epochs=epochs, batch_size=50, progress=False)
    test = ((x_test - mean) / std, price_test / scale)
    return evaluate(net, test, metrics="r2")["r2"]


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.7, home features to price."""
    cr.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    epochs = 40 if small else 200
    deep, linear = r2(net, 0.01, epochs), r2(nn.Linear(4, 1), 0.05, epochs)
    yield Finding("2.7", "home to price: R2 on new homes above 0.95", True, deep > 0.95)
    yield Finding("2.7", "the best linear function: R2 below 0.9", True, linear < 0.9)


if __name__ == "__main__":
    main(findings)

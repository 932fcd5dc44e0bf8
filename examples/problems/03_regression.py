"""Regression: the price of a house from its features by an MLP; the score is held-out R2."""

from problem import main

import chainrule as cr
from chainrule import nn, optim, train

BOUND = 0.9


def houses(n):
    """Area, rooms, age, distance to the centre; the price, where area counts more near it."""
    area, rooms = 40 + 160 * cr.rand(n), cr.randint(1, 7, (n,)).to(cr.float32)
    age, distance = 80 * cr.rand(n), 30 * cr.rand(n)
    price = area * (1 + 3 * (-distance / 8).exp()) + 8 * rooms - 0.5 * age + 8 * cr.randn(n)
    return cr.stack([area, rooms, age, distance], 1), price.unsqueeze(1)


def score(small):
    cr.manual_seed(0)
    (x, y), (new_x, new_y) = houses(1000), houses(500)
    mean, scale = x.mean(0), x.std(0)
    centre, unit = y.mean(), y.std()
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    data = ((x - mean) / scale, (y - centre) / unit)
    epochs = 15 if small else 60
    train.fit(model, data, nn.MSELoss(), optimizer, epochs=epochs, progress=False)
    guess = train.predict(model, (new_x - mean) / scale) * unit + centre
    return cr.metrics.r2_score(new_y, guess)


if __name__ == "__main__":
    main(score, BOUND)

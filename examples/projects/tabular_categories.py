"""The price of a flat from a table with numbers and words: each category learns an embedding.

A one-hot column says only that two districts differ. An embedding gives each district a point in
the plane, and after training similar districts lie close together.
"""

import sys

import numpy as np

import chainrule as cr
from chainrule import nn, optim

DISTRICTS, HEATINGS = 12, 4


def make_table(rows, rng):
    """Rooms and age, district and heating; what a district is worth depends on the rooms."""
    rooms, age = rng.integers(1, 6, rows), rng.integers(0, 100, rows)
    district, heating = rng.integers(0, DISTRICTS, rows), rng.integers(0, HEATINGS, rows)
    worth = np.linspace(0.5, 2.0, DISTRICTS)[district]
    price = 60 * rooms * worth - 0.8 * age + np.array([0, 15, 25, 40])[heating]
    numbers = np.stack([(rooms - 3) / 1.4, (age - 50) / 29], 1)
    categories = np.stack([district, heating], 1)
    return numbers, categories, (price + rng.normal(0, 15, rows)) / 100


class Pricer(nn.Module):
    """Numbers and embedded categories, side by side into a small network."""

    def __init__(self, numbers, categories, width=2):
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(size, width) for size in categories])
        self.network = nn.Sequential(
            nn.Linear(numbers + width * len(categories), 64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.ReLU(),
            nn.Linear(32, 1),
        )

    def forward(self, numbers, categories):
        embedded = [layer(categories[:, i]) for i, layer in enumerate(self.embeddings)]
        return self.network(cr.cat([numbers, *embedded], 1)).squeeze(1)


def run(small=False):
    """Return R2 on flats that the network has not seen."""
    cr.manual_seed(0)
    rng = np.random.default_rng(0)
    train, test = make_table(1000 if small else 5000, rng), make_table(1000, rng)
    model = Pricer(2, (DISTRICTS, HEATINGS))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loss = nn.MSELoss()
    history = cr.train.fit(
        model,
        train,
        loss,
        optimizer,
        epochs=15 if small else 30,
        callbacks=[cr.train.LRSchedule(optim.lr_scheduler.ExponentialLR(optimizer, 0.85))],
        progress=False,
    )
    found = cr.train.evaluate(model, test, loss, metrics=[cr.metrics.R2(), cr.metrics.RMSE()])
    print(f"loss from {history['loss'][0]:.3f} to {history['loss'][-1]:.3f}")
    print(f"new flats: R2 {found['r2']:.3f}, error {100 * found['rmse']:.0f} (noise alone: 15)")
    points = model.embeddings[0].weight.detach()
    order = cr.cdist(points[:1], points)[0].argsort()
    print(f"the nearest to district 0 in the plane: {order[1:4].tolist()}")
    return found["r2"]


if __name__ == "__main__":
    run(small="--small" in sys.argv)

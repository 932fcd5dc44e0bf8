"""AutoML: which network, which rate? Successive halving searches; the score is held-out accuracy.

Many settings get a little training; the better half gets twice as much, until one is left.
"""

import random
from itertools import pairwise

from problem import main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.9


def setting(rng):
    return {
        "widths": [rng.choice([8, 32, 64])] * rng.choice([1, 2, 3]),
        "activation": rng.choice([nn.ReLU, nn.Tanh, nn.Sigmoid]),
        "lr": 10 ** rng.uniform(-4, -1),
    }


def build(widths, activation, lr):
    sizes = [64, *widths, 10]
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), activation())]
    model = nn.Sequential(*layers[:-1])
    return model, optim.Adam(model.parameters(), lr=lr)


def score(small):
    cr.manual_seed(0)
    rng = random.Random(0)
    images, labels = load_digits(return_X_y=True)
    x, y = cr.tensor(images, dtype=cr.float32) / 16, cr.tensor(labels)
    seen, held, new = cr.randperm(len(y)).split([1100, 300, 397])

    def accuracy(model, part):
        return (model(x[part]).argmax(1) == y[part]).to(cr.float32).mean().item()

    living = [build(**setting(rng)) for _ in range(8)]
    steps = 30 if small else 120
    while True:
        for model, optimizer in living:
            for _ in range(steps):
                batch = seen[cr.randint(0, len(seen), (64,))]
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()
        living.sort(key=lambda pair: accuracy(pair[0], held), reverse=True)
        if len(living) == 1:
            return accuracy(living[0][0], new)
        living, steps = living[: len(living) // 2], 2 * steps


if __name__ == "__main__":
    main(score, BOUND)

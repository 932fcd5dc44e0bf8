"""Semi-supervised learning: ten labels and many examples without; the score is accuracy.

Pseudo-labels: the network labels what it is sure of, learns from that, and is sure of more.
"""

from problem import main

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.9


def score(small):
    cr.manual_seed(0)
    x, y = cr.datasets.moons(600, noise=0.08)
    labelled = cr.cat([(y == c).nonzero()[:5, 0] for c in (0, 1)])
    model = nn.Sequential(
        nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    part, guess = labelled, y[labelled]
    for _ in range(12 if small else 40):
        for _ in range(30):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[part]), guess)
            loss = loss + nn.functional.cross_entropy(model(x[labelled]), y[labelled])
            loss.backward()
            optimizer.step()
        with cr.no_grad():
            sure, guesses = nn.functional.softmax(model(x), 1).max(1)
        part = (sure > 0.95).nonzero()[:, 0]
        guess = guesses[part]
    rest = cr.ones(len(y), dtype=cr.bool)
    rest[labelled] = False
    return cr.metrics.accuracy_score(y[rest], guesses[rest])


if __name__ == "__main__":
    main(score, BOUND)

"""Learning to rank: order documents from pairs alone; the score is the share of pairs in order.

Nobody says how good a document is, only which of two is better: the margin ranking loss.
"""

from problem import main

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.9


def score(small):
    cr.manual_seed(0)

    def documents(n):
        x = cr.randn(n, 5)
        return x, x[:, 0] + 0.5 * x[:, 1] ** 2 - (2 * x[:, 2]).sin()

    x, worth = documents(500)
    model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200 if small else 600):
        a, b = cr.randint(0, len(x), (2, 64))
        better = cr.where(worth[a] > worth[b], 1.0, -1.0)
        optimizer.zero_grad()
        first, second = model(x[a])[:, 0], model(x[b])[:, 0]
        nn.functional.margin_ranking_loss(first, second, better, margin=1.0).backward()
        optimizer.step()

    x, worth = documents(300)
    guess = model(x).detach()[:, 0]
    i, j = cr.combinations(cr.arange(300)).T
    return ((guess[i] > guess[j]) == (worth[i] > worth[j])).to(cr.float32).mean().item()


if __name__ == "__main__":
    main(score, BOUND)

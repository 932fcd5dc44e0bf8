"""Association rules: what is bought together? Item embeddings; the score is partners found.

Every item has a partner bought with it four times out of five, amid items bought by chance. The
embeddings learn to tell pairs of one basket from pairs of two: the nearest item is the partner.
"""

from problem import main

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.9
ITEMS = 20  # 2k and 2k + 1 are partners


def baskets(n):
    """Three pairs of items per basket; a pair keeps its partner four times out of five."""
    first = cr.randint(0, ITEMS, (n, 3))
    partner = first + 1 - 2 * (first % 2)
    other = cr.where(cr.rand(n, 3) < 0.8, partner, cr.randint(0, ITEMS, (n, 3)))
    return cr.cat([first, other], 1)


def score(small):
    cr.manual_seed(0)
    shop = baskets(2000)
    items, contexts = nn.Embedding(ITEMS, 16), nn.Embedding(ITEMS, 16)
    optimizer = optim.Adam([*items.parameters(), *contexts.parameters()], lr=0.03)
    for _ in range(150 if small else 600):
        basket = shop[cr.randint(0, len(shop), (128,))]
        columns = cr.randperm(6)
        a, together = basket[:, columns[0]], basket[:, columns[1]]
        apart = shop[cr.randint(0, len(shop), (128,)), columns[1]]
        pairs = [(items(a) * contexts(b)).sum(1) for b in (together, apart)]
        loss = nn.functional.softplus(-pairs[0]).mean() + nn.functional.softplus(pairs[1]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    likeness = items.weight @ contexts.weight.T
    likeness = (likeness + likeness.T).detach().fill_diagonal_(-1e9)
    item = cr.arange(ITEMS)
    return (likeness.argmax(1) == item + 1 - 2 * (item % 2)).to(cr.float32).mean().item()


if __name__ == "__main__":
    main(score, BOUND)

"""Clustering: ten groups of digits without labels, by deep k-means; the score is purity.

An autoencoder codes each image, k-means groups the codes; each is then pulled to its centre.
"""

from problem import main
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule import nn, optim

BOUND = 0.65


def nearest(codes, centres):
    return cr.cdist(codes, centres).argmin(1)


def k_means(codes, centres):
    for _ in range(20):
        own = nn.functional.one_hot(nearest(codes, centres), len(centres)).to(codes.dtype)
        centres = own.T @ codes / own.sum(0).clamp(min=1).unsqueeze(1)
    return centres


def start(codes):
    """k-means++: a code becomes the next centre the likelier the further it is from the others."""
    chosen = codes[:1]
    while len(chosen) < 10:
        distance = cr.cdist(codes, chosen).amin(1).square()
        chosen = cr.cat([chosen, codes[cr.multinomial(distance, 1)]])
    return chosen


def score(small):
    cr.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = cr.tensor(images, dtype=cr.float32) / 16, cr.tensor(labels)
    encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))
    optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    epochs, centres = 12 if small else 40, None
    for epoch in range(epochs):
        if epoch >= epochs // 2:  # the second half also pulls codes to their centres
            codes = encoder(x).detach()
            centres = k_means(codes, start(codes) if centres is None else centres)
        for batch in x[cr.randperm(len(x))].split(64):
            code = encoder(batch)
            loss = nn.functional.mse_loss(decoder(code), batch)
            if centres is not None:
                loss = loss + 0.2 * (code - centres[nearest(code, centres)]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    group = nearest(encoder(x).detach(), centres)
    return sum(y[group == g].bincount().max().item() for g in group.unique().tolist()) / len(y)


if __name__ == "__main__":
    main(score, BOUND)

"""Second application: an ad and a user in, click or not out. Embeddings and a plain net.

Users and ads are only numbers; each gets a vector, which training fills with what it is about.
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.train import evaluate, fit

USERS, ADS, TOPICS = 60, 40, 4


class Clicks(nn.Module):
    """The vectors of a user and an ad, side by side, into a net."""

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        self.user, self.ad = nn.Embedding(USERS, size), nn.Embedding(ADS, size)
        self.net = nn.Sequential(nn.Linear(2 * size, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, user: Tensor, ad: Tensor) -> Tensor:
        """Return the logit of a click."""
        return self.net(cr.cat([self.user(user), self.ad(ad)], 1)).squeeze(1)


def shown(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Who saw which ad, and whether it was clicked: 9 in 10 when the topics match, else 1 in 10.

    The topics, users and ads modulo 4, are not told.
    """
    user, ad = cr.randint(0, USERS, (count,)), cr.randint(0, ADS, (count,))
    chance = cr.where(user % TOPICS == ad % TOPICS, 0.9, 0.1)
    return user, ad, cr.bernoulli(chance)


def findings(small: bool) -> Iterator[Finding]:
    """Row 2.7, ad and user to click."""
    cr.manual_seed(0)
    training, test = shown(4000), shown(2000)
    model = Clicks()
    loss = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    epochs = 15 if small else 20
    fit(model, training, loss, optimizer, epochs=epochs, batch_size=64, progress=False)
    auc = evaluate(model, test, metrics=cr.metrics.ROCAUC())["roc_auc"]
    yield Finding("2.7", "ad and user to click: ROC AUC on new pairs above 0.8", True, auc > 0.8)

    # The vectors of users who share a topic have come to lie together.
    with cr.no_grad():
        vectors = nn.functional.normalize(model.user.weight, dim=1)
        alike = vectors @ vectors.T
        topic = cr.arange(USERS) % TOPICS
        same = topic.unsqueeze(0) == topic.unsqueeze(1)
        nearest = alike.fill_diagonal_(-1.0).argmax(1)
    share = (topic[nearest] == topic).to(cr.float32).mean().item()
    yield Finding("2.7", "a user's nearest user shares its topic, 9 in 10", True, share > 0.9)
    inside, across = alike[same].mean().item(), alike[~same].mean().item()
    yield Finding("2.7", "users of one topic are more alike", True, inside > across)


if __name__ == "__main__":
    main(findings)

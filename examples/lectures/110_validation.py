"""Training, validation and test data: hold-out, K-fold, iterated K-fold, and how knowledge leaks.

The validation data chooses the model, the test data judges it, once. What the training may learn
from must not hold anything of what judges it.
"""

from collections.abc import Iterator

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn, optim
from chainrule.metrics import accuracy_score
from chainrule.model_selection import KFold, RepeatedKFold, folds, train_test_split
from chainrule.nn import functional as F

CENTERS = cr.tensor([[0.0, 4.0], [-4.0, -2.0], [4.0, -2.0]])


def trained(x: Tensor, y: Tensor, epochs: int = 30) -> nn.Module:
    """A small classifier."""
    model = nn.Linear(x.shape[1], 3)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    loss = F.cross_entropy
    cr.train.fit(model, (x, y), loss, optimizer, epochs=epochs, batch_size=64, progress=False)
    return model


def score(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of right answers."""
    return accuracy_score(y, cr.train.predict(model, x).argmax(1))


def split(data: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The lecture's split(rawData, 0.8)."""
    cut = round(share * len(data))
    return data[:cut], data[cut:]


def validated(splitter: object, x: Tensor, y: Tensor) -> tuple[list[float], Tensor]:
    """The score of each fold's model, and how often each sample was validated."""
    scores, times = [], cr.zeros(len(x), dtype=cr.int64)
    for train, validation in folds(splitter, cr.arange(len(x))):
        train, validation = cr.tensor(train.indices), cr.tensor(validation.indices)
        model = trained(x[train], y[train])
        scores.append(score(model, x[validation], y[validation]))
        times[validation] += 1
    return scores, times


def best_features(x: Tensor, y: Tensor, count: int = 20) -> Tensor:
    """The features that go most with the label."""
    return ((x - x.mean(0)) * (y - y.double().mean())[:, None]).mean(0).abs().topk(count)[1]


def score_on_noise(leak: bool) -> float:
    """K-fold's mean score on coin throws with 2000 features of noise, of which 20 are chosen."""
    cr.manual_seed(0)
    x, y = cr.randn(100, 2000), cr.randint(0, 2, (100,))
    chosen, scores = best_features(x, y), []
    for train, validation in KFold(5, shuffle=True, random_state=0).split(x.numpy()):
        if not leak:
            chosen = best_features(x[train], y[train])
        model = trained(x[train][:, chosen], y[train])
        scores.append(score(model, x[validation][:, chosen], y[validation]))
    return sum(scores) / len(scores)


def findings(small: bool) -> Iterator[Finding]:
    """Row 1.10."""
    cr.manual_seed(0)
    x, y = cr.datasets.blobs(240, centers=CENTERS)
    order = y.argsort()  # raw data often comes sorted
    x, y = x[order], y[order]
    yield Finding(
        "1.10",
        "split(rawData, 0.8) of sorted data: the classes it leaves to the test part",
        "0, 1, 2",
        ", ".join(map(str, split(y, 0.8)[1].unique().tolist())),
        "2",
        slip="the split does not shuffle, and makes two parts where three are spoken of",
    )
    rest, test, y_rest, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    train, validation, y_train, y_validation = train_test_split(
        rest, y_rest, test_size=0.25, stratify=y_rest, random_state=0
    )
    yield Finding(
        "1.10",
        "hold-out: samples to train, validate, test",
        [144, 48, 48],
        [len(train), len(validation), len(test)],
    )
    model = trained(train, y_train)
    yield Finding(
        "1.10",
        "hold-out: over 90 % right in validation and in the one test",
        [True, True],
        [score(model, validation, y_validation) > 0.9, score(model, test, y_test) > 0.9],
    )

    scores, times = validated(KFold(4, shuffle=True, random_state=0), x, y)
    yield Finding("1.10", "4 folds: models trained", 4, len(scores))
    yield Finding("1.10", "each sample is validated once", True, bool((times == 1).all()))
    yield Finding("1.10", "the folds' mean score is over 90 %", True, sum(scores) / 4 > 0.9)
    scores, times = validated(RepeatedKFold(n_splits=4, n_repeats=3, random_state=0), x, y)
    yield Finding("1.10", "iterated, 3 times 4 folds: models trained", 12, len(scores))
    yield Finding("1.10", "each sample is validated 3 times", True, bool((times == 3).all()))
    yield Finding(
        "1.10",
        "coin throws: features chosen by all data score over 70 %, by each fold's training data "
        "under 60 %",
        [True, True],
        [score_on_noise(leak=True) > 0.7, score_on_noise(leak=False) < 0.6],
    )


if __name__ == "__main__":
    main(findings)

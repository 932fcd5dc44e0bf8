"""Metrics against scikit-learn's, conventions included, where it is installed."""

import warnings

import numpy as np
import pytest

from chainrule import metrics as M

S = pytest.importorskip("sklearn.metrics")

RNG = np.random.default_rng(1)


def same(name, *args, **options):
    """Call both; equal numbers, and both warn of undefined metrics or neither does."""
    results, warned = [], []
    for module in (M, S):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results.append(getattr(module, name)(*args, **options))
        warned.append(any("Undefined" in w.category.__name__ for w in caught))
    for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in results), strict=True):
        if b is None:
            assert a is None
        else:
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
            if name == "confusion_matrix":
                assert a.dtype == b.dtype
    assert warned[0] == warned[1], warned


def labels(classes, count, kind):
    numbers = RNG.integers(0, classes, (2, count))
    return np.array(["ant", "bee", "cat", "dog", "eel"])[numbers] if kind == "str" else numbers


@pytest.mark.parametrize("kind", ["int", "str"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("classes", "count"), [(2, 40), (5, 200), (5, 6), (3, 1)])
def test_labels(classes, count, kind, weighted):
    truth, guess = labels(classes, count, kind)
    options = {"sample_weight": RNG.random(count) if weighted else None}
    same("accuracy_score", truth, guess, **options)
    same("accuracy_score", truth, guess, normalize=False, **options)
    for normalize in (None, "true", "pred", "all"):
        same("confusion_matrix", truth, guess, normalize=normalize, **options)
    for average in ("micro", "macro", "weighted", None):
        for zero_division in ("warn", 0, 1, np.nan):
            more = {"average": average, "zero_division": zero_division, **options}
            for name in ("precision_score", "recall_score", "f1_score"):
                same(name, truth, guess, **more)
            for beta in (0.0, 2.0):
                same("fbeta_score", truth, guess, beta=beta, **more)
            same("precision_recall_fscore_support", truth, guess, **more)
    if len(np.unique([truth, guess])) == 2:
        for name in ("precision_score", "recall_score", "f1_score"):
            same(name, truth, guess, pos_label=truth[0], **options)


def test_chosen_labels():
    truth, guess = RNG.integers(0, 5, (2, 100))
    for chosen in ([3, 1], [0, 1, 2, 3, 4, 7]):
        same("confusion_matrix", truth, guess, labels=chosen)
        for average in ("micro", "macro", "weighted", None):
            same("f1_score", truth, guess, labels=chosen, average=average, zero_division=0)
    same("confusion_matrix", truth, guess, sample_weight=RNG.integers(0, 4, 100))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("places", [1, 8])  # few places make ties
def test_scores(weighted, places, dtype):
    count = 300
    weights = np.maximum(RNG.random(count) - 0.2, 0) if weighted else None
    binary = RNG.integers(0, 2, count)
    scores = np.round(RNG.random(count), places).astype(dtype)
    same("roc_auc_score", binary, scores, sample_weight=weights)
    same("log_loss", binary, scores, sample_weight=weights)
    same("log_loss", binary, scores, sample_weight=weights, normalize=False)
    same("top_k_accuracy_score", binary, scores, k=1, sample_weight=weights)

    truth = RNG.integers(0, 4, count)
    proba = np.round(RNG.dirichlet(np.ones(4), count), places)
    proba = (proba / proba.sum(axis=1, keepdims=True)).astype(dtype)
    same("log_loss", truth, proba, sample_weight=weights)
    for k in (1, 2, 3, 4):
        same("top_k_accuracy_score", truth, proba, k=k, sample_weight=weights)
    for average in ("macro", "weighted", "micro", None):
        same("roc_auc_score", truth, proba, multi_class="ovr", average=average,
             sample_weight=weights)  # fmt: skip
    for average in ("macro", "weighted"):
        same("roc_auc_score", truth, proba, multi_class="ovo", average=average)


def test_scores_with_absent_classes():
    truth, proba = np.array([0, 2, 2, 0]), RNG.dirichlet(np.ones(3), 4)
    same("log_loss", truth, proba, labels=[0, 1, 2])
    same("top_k_accuracy_score", truth, proba, labels=[0, 1, 2], k=1)
    same("roc_auc_score", [1, 1, 1], [0.2, 0.3, 0.4])
    same("roc_auc_score", truth, proba, labels=[0, 1, 2], multi_class="ovr", average=None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(50,), (50, 3), (1,), (2, 2)])
def test_numbers(shape, weighted):
    truth, guess = RNG.standard_normal((2, *shape))
    options = {"sample_weight": RNG.random(shape[0]) if weighted else None}
    for name in ("mean_absolute_error", "mean_squared_error", "root_mean_squared_error",
                 "r2_score"):  # fmt: skip
        same(name, truth, guess, **options)
        same(name, truth, guess, multioutput="raw_values", **options)
        if len(shape) > 1:
            same(name, truth, guess, multioutput=RNG.random(shape[1]), **options)
    same("r2_score", truth, guess, multioutput="variance_weighted", **options)
    same("r2_score", np.ones(shape), guess, **options)
    same("r2_score", np.ones(shape), np.ones(shape), **options)

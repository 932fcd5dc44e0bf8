"""Metrics: the numbers by definition; those of scikit-learn are in peers."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics as M

RNG = np.random.default_rng(0)
TRUTH, GUESS = RNG.integers(0, 4, (2, 200))


def one_hot(labels, classes):
    return (labels[:, None] == np.arange(classes)).astype(float)


# ---------------------------------------------------------------- functions


def test_confusion_matrix_counts_pairs():
    expected = one_hot(TRUTH, 4).T @ one_hot(GUESS, 4)
    matrix = M.confusion_matrix(cr.tensor(TRUTH), GUESS)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, expected)
    np.testing.assert_array_equal(
        M.confusion_matrix(TRUTH, GUESS, labels=[2, 0]), expected[np.ix_([2, 0], [2, 0])]
    )
    assert M.confusion_matrix(TRUTH, GUESS, normalize="all").sum() == pytest.approx(1)
    assert M.confusion_matrix([0], [1], normalize="true").tolist() == [[0, 1], [0, 0]]


def test_scores_follow_their_definitions():
    hits = np.array([np.sum((c == TRUTH) & (c == GUESS)) for c in range(4)])
    precision = hits / np.array([np.sum(c == GUESS) for c in range(4)])
    recall = hits / np.array([np.sum(c == TRUTH) for c in range(4)])
    f1 = 2 * precision * recall / (precision + recall)
    np.testing.assert_allclose(M.precision_score(TRUTH, GUESS, average=None), precision)
    np.testing.assert_allclose(M.recall_score(TRUTH, GUESS, average=None), recall)
    np.testing.assert_allclose(M.f1_score(TRUTH, GUESS, average=None), f1)
    assert M.f1_score(TRUTH, GUESS, average="macro") == pytest.approx(f1.mean())
    assert M.accuracy_score(TRUTH, GUESS) == pytest.approx(np.mean(TRUTH == GUESS))
    assert M.f1_score(TRUTH, GUESS, average="micro") == pytest.approx(np.mean(TRUTH == GUESS))
    assert M.accuracy_score(TRUTH, GUESS, normalize=False) == np.sum(TRUTH == GUESS)


def test_the_area_is_a_rate_of_pairs():
    positive, scores = RNG.integers(0, 2, 60), np.round(RNG.random(60), 1)
    a, b = scores[positive == 1][:, None], scores[positive == 0]
    assert M.roc_auc_score(positive, scores) == pytest.approx(np.mean((a > b) + 0.5 * (a == b)))


def test_log_loss_and_top_k():
    proba = RNG.dirichlet(np.ones(4), 200)
    own = proba[np.arange(200), TRUTH]
    assert M.log_loss(TRUTH, proba) == pytest.approx(-np.log(own).mean())
    ranks = (proba > own[:, None]).sum(axis=1)
    for k in (1, 2, 3):
        assert M.top_k_accuracy_score(TRUTH, proba, k=k) == pytest.approx(np.mean(ranks < k))
    assert M.log_loss(["a", "b"], cr.tensor([0.0, 1.0])) < 1e-6  # clipped, not infinite


def test_errors_of_numbers():
    truth, guess = RNG.standard_normal((2, 50, 3))
    weight = RNG.random(50)
    error = truth - guess
    assert M.mean_absolute_error(truth, guess) == pytest.approx(np.abs(error).mean())
    assert M.mean_squared_error(truth, guess) == pytest.approx((error**2).mean())
    np.testing.assert_allclose(
        M.root_mean_squared_error(truth, guess, multioutput="raw_values"),
        np.sqrt((error**2).mean(axis=0)),
    )
    spread = np.sum((truth - truth.mean(axis=0)) ** 2, axis=0)
    r2 = 1 - np.sum(error**2, axis=0) / spread
    np.testing.assert_allclose(M.r2_score(truth, guess, multioutput="raw_values"), r2)
    weighted = np.average(np.abs(error), axis=0, weights=weight) @ [0.2, 0.3, 0.5]
    assert M.mean_absolute_error(
        truth, guess, sample_weight=weight, multioutput=[0.2, 0.3, 0.5]
    ) == pytest.approx(weighted)


def test_conventions_where_nothing_is_defined():
    with pytest.warns(M.UndefinedMetricWarning, match="precision_score: precision"):
        assert M.precision_score([1, 1], [0, 0]) == 0
    assert M.precision_score([1, 1], [0, 0], zero_division=1) == 1
    assert math.isnan(M.precision_score([1, 1], [0, 0], zero_division=np.nan))
    with pytest.warns(M.UndefinedMetricWarning, match="one class"):
        assert math.isnan(M.roc_auc_score([1, 1], [0.1, 0.2]))
    with pytest.warns(M.UndefinedMetricWarning, match="two samples"):
        assert math.isnan(M.r2_score([1.0], [1.0]))
    assert M.r2_score([1.0, 1.0], [1.0, 1.0]) == 1
    assert M.r2_score([1.0, 1.0], [1.0, 2.0]) == 0
    assert M.r2_score([1.0, 1.0], [1.0, 2.0], force_finite=False) == -np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: M.accuracy_score([0, 1], [0]), "accuracy_score: 2 and 1 samples"),
        (lambda: M.accuracy_score([], []), "no samples"),
        (lambda: M.accuracy_score([0.5], [1]), "no class labels"),
        (lambda: M.accuracy_score([[0, 1]], [[0, 1]]), "one class label per sample"),
        (lambda: M.accuracy_score(["a"], [1]), "strings on one side"),
        (lambda: M.accuracy_score([1], [1], sample_weight=[1, 2]), "sample_weight has shape"),
        (lambda: M.f1_score(TRUTH, GUESS), "there are 4 classes; expected average="),
        (lambda: M.f1_score(["a", "b"], ["a", "b"]), "pos_label=1 is none of the classes"),
        (lambda: M.f1_score([0], [1], average="samples"), "average is one of"),
        (lambda: M.f1_score([0], [1], zero_division=3), "zero_division is"),
        (lambda: M.confusion_matrix([0], [1], labels=[5]), "none of the labels"),
        (lambda: M.confusion_matrix([0], [1], normalize="rows"), "normalize is"),
        (lambda: M.roc_auc_score(TRUTH, np.ones((200, 4)) / 4), "expected multi_class="),
        (lambda: M.roc_auc_score(TRUTH, np.ones((200, 4)), multi_class="ovr"), "sum to 1"),
        (lambda: M.roc_auc_score([0, 1], [math.nan, 1]), "NaN or infinity"),
        (lambda: M.log_loss([0, 1], [0.5, 2.0]), "from 0 to 1"),
        (lambda: M.log_loss([1, 1], [0.5, 0.5]), "one label"),
        (lambda: M.log_loss([0, 3], [[0.5, 0.5]] * 2, labels=[0, 1]), r"contains \[3\]"),
        (lambda: M.top_k_accuracy_score([0, 1, 2], np.ones((3, 2))), "a column for each of 3"),
        (lambda: M.mean_squared_error([1.0], [[1.0, 2.0]]), "expected the same shape"),
        (lambda: M.r2_score([1.0, math.inf], [1.0, 2.0]), "NaN or infinity"),
    ],
)
def test_bad_input_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- fed by batches


def batches(*arrays, size=7):
    for start in range(0, len(arrays[0]), size):
        yield [cr.tensor(array[start : start + size]) for array in arrays]


PROBA = RNG.dirichlet(np.ones(4), 200)
NUMBERS = RNG.standard_normal((2, 200, 2)) + 1e4  # far from 0, where sums of squares cancel
HALF = RNG.random(200)
BITS = RNG.integers(0, 2, 200)

STREAMS = {
    "accuracy": (M.Accuracy(), PROBA, TRUTH, M.accuracy_score(TRUTH, PROBA.argmax(1))),
    "binary accuracy": (M.Accuracy(), HALF, BITS, M.accuracy_score(BITS, HALF > 0.5)),
    "logit accuracy": (M.Accuracy(0), HALF - 0.7, BITS, M.accuracy_score(BITS, HALF > 0.7)),
    "top 2": (M.TopKAccuracy(2), PROBA, TRUTH, M.top_k_accuracy_score(TRUTH, PROBA, k=2)),
    "precision": (M.Precision(), HALF, BITS, M.precision_score(BITS, HALF > 0.5)),
    "recall": (M.Recall("macro"), GUESS, TRUTH, M.recall_score(TRUTH, GUESS, average="macro")),
    "f1": (M.F1("weighted"), GUESS, TRUTH, M.f1_score(TRUTH, GUESS, average="weighted")),
    "f1 each": (M.F1(None), GUESS, TRUTH, M.f1_score(TRUTH, GUESS, average=None)),
    "confusion": (M.ConfusionMatrix(), GUESS, TRUTH, M.confusion_matrix(TRUTH, GUESS)),
    "auc": (M.ROCAUC(), HALF, BITS, M.roc_auc_score(BITS, HALF)),
    "auc ovo": (
        M.ROCAUC("ovo"),
        PROBA,
        TRUTH,
        M.roc_auc_score(TRUTH, PROBA, multi_class="ovo"),
    ),
    "auc of logits": (
        M.ROCAUC(logits=True),
        np.log(PROBA),
        TRUTH,
        M.roc_auc_score(TRUTH, PROBA, multi_class="ovr"),
    ),
    "log loss": (M.LogLoss(), PROBA, TRUTH, M.log_loss(TRUTH, PROBA)),
    "log loss of logits": (M.LogLoss(True), np.log(PROBA) + 3, TRUTH, M.log_loss(TRUTH, PROBA)),
    "mae": (M.MAE(), *NUMBERS, M.mean_absolute_error(*NUMBERS)),
    "mse": (M.MSE(), *NUMBERS, M.mean_squared_error(*NUMBERS)),
    "rmse": (M.RMSE(), *NUMBERS, math.sqrt(M.mean_squared_error(*NUMBERS))),
    "r2": (M.R2(), NUMBERS[1], NUMBERS[0], M.r2_score(*NUMBERS)),
}


@pytest.mark.parametrize("name", STREAMS)
def test_batches_give_the_number_of_the_whole(name, tmp_path):
    metric, output, target, expected = STREAMS[name]
    metric.reset()
    parts = list(batches(output, target))
    for part in parts[:11]:
        metric.update(*part)
    # In the middle of an epoch the metric goes through a file.
    path = tmp_path / "metric.safetensors"
    cr.save(metric.state_dict(), path)
    metric.reset()
    metric.load_state_dict(cr.load(path))
    for part in parts[11:]:
        metric.update(*part)
    np.testing.assert_allclose(metric.compute(), expected, rtol=1e-12)
    metric.reset()
    metric.update(*parts[0])
    assert not np.array_equal(metric.compute(), expected)


def test_classes_that_never_occur():
    metric = M.F1("macro", zero_division=0)
    metric.update(cr.tensor([0, 3]), cr.tensor([0, 3]))
    assert metric.compute() == 1  # over the classes 0 and 3
    lone = M.Precision(zero_division=0)
    lone.update(cr.tensor([0, 0]), cr.tensor([0, 0]))
    assert lone.compute() == 0
    fresh = M.as_metrics("fit", ["f1", "accuracy", "mae", "r2", "roc_auc", "log_loss"])
    assert all(math.isnan(m.compute()) for m in fresh.values())


def test_maps_of_classes_and_columns():
    metric = M.Accuracy()
    metric.update(cr.zeros(2, 3, 4, 4), cr.zeros(2, 4, 4, dtype=cr.int64))
    assert metric.compute() == 1
    mae = M.MAE()
    mae.update(cr.ones(3, 1), cr.zeros(3))  # no (3, 3) table of differences
    assert mae.compute() == 1


@pytest.mark.parametrize(
    ("metric", "output", "target", "message"),
    [
        (M.Accuracy(), cr.zeros(3, 2), cr.zeros(4, dtype=cr.int64), "Accuracy: output has shape"),
        (M.F1(), cr.tensor([-1]), cr.tensor([0]), "classes are numbers from 0"),
        (M.MSE(), cr.zeros(3), cr.zeros(4), "MSE: output has shape"),
        (M.ROCAUC(), cr.tensor([math.nan]), cr.tensor([1]), "ROCAUC: output contains NaN"),
        (M.TopKAccuracy(), cr.zeros(3), cr.zeros(3, dtype=cr.int64), "TopKAccuracy: output"),
        (M.Accuracy(), cr.zeros(1), cr.tensor([0.5]), "no class labels"),
    ],
)
def test_batches_are_checked(metric, output, target, message):
    with pytest.raises(ValueError, match=message):
        metric.update(output, target)


def test_metrics_by_name():
    found = M.as_metrics("fit", {"a": "accuracy", "b": M.F1("macro"), "c": lambda o, t: 3})
    assert [type(m) for m in found.values()] == [M.Accuracy, M.F1, M.Mean]
    assert list(M.as_metrics("fit", ["f1_macro", "recall"])) == ["f1_macro", "recall"]
    with pytest.raises(ValueError, match="no metric is named 'acc'; expected one of accuracy"):
        M.as_metrics("fit", "acc")
    with pytest.raises(ValueError, match="two metrics are named 'mae'"):
        M.as_metrics("fit", ["mae", M.MAE()])
    with pytest.raises(TypeError, match="gives an array"):
        M.as_metrics("fit", M.ConfusionMatrix())
    with pytest.raises(TypeError, match="is no metric"):
        M.as_metrics("fit", 3)


def test_one_output_is_seen_without_its_history():
    output = cr.tensor([0.2, 0.7], requires_grad=True) * 1
    for metric in (M.Accuracy(), M.ROCAUC(), M.Mean(lambda o, t: (o - t).abs().mean())):
        metric.update(output, cr.tensor([0, 1]))
    assert M.accuracy_score(cr.tensor([0, 1]), output > 0.5) == 1

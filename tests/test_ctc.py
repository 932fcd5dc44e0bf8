"""Connectionist temporal classification against enumeration and against the plain recursion."""

import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

STEPS = np.array([6, 5, 4, 6, 1])
SIZES = np.array([3, 2, 0, 3, 1])
TARGETS = np.array([[1, 2, 1], [3, 3, 9], [9, 9, 9], [1, 1, 1], [2, 9, 9]])
FLAT = np.concatenate([row[:n] for row, n in zip(TARGETS, SIZES, strict=True)])
SCORES = np.random.default_rng(0).standard_normal((6, 5, 4))
LOGP = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))


def tensor(array: Any, requires_grad: bool = False, dtype: Any = np.float64) -> Any:
    return cr.tensor(np.asarray(array, dtype), requires_grad=requires_grad)


def heard(path: tuple[int, ...], blank: int) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != blank]


def enumerated(logp: np.ndarray, labels: Any, blank: int = 0) -> float:
    """Minus the log of the probabilities of all paths that say the labels, added up."""
    total = sum(
        np.exp(sum(row[label] for row, label in zip(logp, path, strict=True)))
        for path in itertools.product(range(logp.shape[1]), repeat=len(logp))
        if heard(path, blank) == list(labels)
    )
    return float(-np.log(total)) if total else np.inf


def recursion(logp: np.ndarray, labels: Any, blank: int = 0) -> Any:
    states = [blank] + [x for label in labels for x in (label, blank)]
    alpha = np.full(len(states), -np.inf, logp.dtype)
    alpha[:2] = logp[0, states[:2]]
    for row in logp[1:]:
        before, alpha = alpha, alpha.copy()
        for s in range(len(states)):
            total = before[s]
            if s > 0:
                total = np.logaddexp(total, before[s - 1])
            if s > 1 and states[s] != blank and states[s] != states[s - 2]:
                total = np.logaddexp(total, before[s - 2])
            alpha[s] = total + row[states[s]]
    return -np.logaddexp.reduce(alpha[-2:])


def expected(logp: np.ndarray = LOGP) -> np.ndarray:
    rows = zip(STEPS, SIZES, TARGETS, strict=True)
    return np.array([enumerated(logp[:t, n], y[:k]) for n, (t, k, y) in enumerate(rows)])


REDUCED = {
    "none": lambda x: x,
    "sum": np.sum,
    "mean": lambda x: np.mean(x / np.maximum(SIZES, 1)),
}


@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize("form", ["padded", "concatenated", "lists", "int32"])
def test_loss_is_the_sum_over_all_alignments(form: str, reduction: str) -> None:
    targets: Any = FLAT if form == "concatenated" else TARGETS
    lengths: Any = (STEPS.tolist(), tuple(SIZES)) if form == "lists" else (STEPS, SIZES)
    if form == "int32":
        targets, lengths = targets.astype(np.int32), [x.astype(np.int32) for x in lengths]
    loss = F.ctc_loss(tensor(LOGP), cr.tensor(targets), *lengths, reduction=reduction)
    np.testing.assert_allclose(loss.numpy(), REDUCED[reduction](expected()), rtol=1e-12)
    module = nn.CTCLoss(reduction=reduction)
    assert cr.equal(module(tensor(LOGP), cr.tensor(targets), *lengths), loss)
    single = F.ctc_loss(
        tensor(LOGP, dtype=np.float32), cr.tensor(targets), *lengths, reduction=reduction
    )
    assert single.dtype == cr.float32
    np.testing.assert_allclose(single.numpy(), REDUCED[reduction](expected()), rtol=1e-5)


def test_gradients_of_two_orders() -> None:
    """Of free numbers, not only of the result of log_softmax."""

    def loss(x: Any, reduction: str = "none") -> Any:
        return F.ctc_loss(x, cr.tensor(TARGETS), STEPS, SIZES, reduction=reduction)

    x = tensor(SCORES, True)
    assert gradcheck(loss, (x,))
    assert gradgradcheck(loss, (x,))
    assert gradgradcheck(lambda x: loss(x.log_softmax(2), "mean"), (x,))
    # The fused gradient and the taped one are the same numbers.
    (fused,) = cr.autograd.grad(loss(x, "sum"), x)
    (taped,) = cr.autograd.grad(loss(x, "sum"), x, create_graph=True)
    np.testing.assert_allclose(fused.numpy(), taped.detach().numpy(), rtol=1e-12, atol=1e-15)
    # Each step says one thing; steps behind the end say nothing.
    inside = np.arange(6)[:, None] < STEPS
    np.testing.assert_allclose(fused.sum(2).numpy(), -1.0 * inside, atol=1e-14)


def test_blank_may_be_any_class() -> None:
    order = [3, 0, 1, 2]  # class k of the first problem is order[k] of the second
    moved = np.empty_like(LOGP)
    moved[:, :, order] = LOGP
    targets = np.array([*order, *[9] * 6])[TARGETS]
    loss = F.ctc_loss(tensor(moved), cr.tensor(targets), STEPS, SIZES, blank=3, reduction="none")
    np.testing.assert_allclose(loss.numpy(), expected(), rtol=1e-12)


def test_one_sample_without_a_batch() -> None:
    one = F.ctc_loss(tensor(LOGP[:, 0]), cr.tensor(TARGETS[0]), [6], [3], reduction="none")
    assert tuple(one.shape) == ()
    np.testing.assert_allclose(one.item(), expected()[0], rtol=1e-12)
    lengths = cr.tensor(6), cr.tensor(3)
    one = F.ctc_loss(tensor(LOGP[:, 0]), cr.tensor(TARGETS[0]), *lengths)
    np.testing.assert_allclose(one.item(), expected()[0] / 3, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_sequences(dtype: Any) -> None:
    """Thousands of steps: where the recursion of plain float32 has lost half its digits."""
    rng = np.random.default_rng(1)
    scores = 3 * rng.standard_normal((1500, 3, 20))
    logp = (scores - np.log(np.exp(scores).sum(-1, keepdims=True))).astype(dtype)
    labels = rng.integers(1, 20, (3, 140))
    steps, sizes = [1500, 900, 700], [140, 100, 7]
    x = tensor(logp, True, dtype)
    loss = F.ctc_loss(x, cr.tensor(labels), steps, sizes, reduction="none")
    wanted = [
        recursion(logp[:t, n].astype(np.longdouble), labels[n, :k])
        for n, (t, k) in enumerate(zip(steps, sizes, strict=True))
    ]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(loss.detach().numpy(), wanted, rtol=10 * eps)
    loss.sum().backward()
    sums = x.grad.sum(2).numpy()
    np.testing.assert_allclose(sums[:700], -1, atol=200 * eps)
    assert not sums[900:, 1].any()


def test_far_probabilities() -> None:
    """Log-probabilities of -1e4 neither underflow nor become NaN, -inf closes a way."""
    logp = np.full((5, 1, 3), -1e4)
    x = tensor(logp, True, np.float32)
    loss = F.ctc_loss(x, cr.tensor([[1, 2]]), [5], [2], reduction="sum")
    np.testing.assert_allclose(loss.item(), enumerated(logp[:, 0] + 1e4, [1, 2]) + 5e4, rtol=1e-6)
    loss.backward()
    np.testing.assert_allclose(x.grad.sum(2).numpy(), -1, rtol=1e-5)
    logp = LOGP[:, :1].copy()
    logp[2, 0, 0] = -np.inf
    x = tensor(logp, True)
    F.ctc_loss(x, cr.tensor([[1, 2]]), [6], [2], reduction="sum").backward()
    assert np.isfinite(x.grad.numpy()).all()
    with np.errstate(divide="ignore"):
        wanted = enumerated(logp[:, 0], [1, 2])
    loss = F.ctc_loss(x, cr.tensor([[1, 2]]), [6], [2], reduction="sum")
    np.testing.assert_allclose(loss.item(), wanted, rtol=1e-12)
    logp[2] = -np.inf
    x = tensor(logp, True)
    loss = F.ctc_loss(x, cr.tensor([[1, 2]]), [6], [2], reduction="sum")
    assert loss.item() == np.inf
    loss.backward()
    assert not x.grad.numpy().any()
    nan = tensor(np.where(np.arange(6)[:, None, None] == 3, np.nan, LOGP[:, :1]), True)
    assert np.isnan(F.ctc_loss(nan, cr.tensor([[1, 2]]), [6], [2]).item())


def test_what_cannot_be_aligned() -> None:
    args = tensor(LOGP[:, :2], True), cr.tensor([[1, 2, 3], [1, 1, 2]]), [2, 3], [3, 3]
    with pytest.raises(ValueError, match=r"sample 0 has 3 labels and needs 3 steps.* has 2 "):
        F.ctc_loss(*args)
    with pytest.raises(ValueError, match=r"sample 1 has 3 labels and needs 4 steps.* has 3 "):
        F.ctc_loss(args[0], args[1], [3, 3], [3, 3])
    loss = F.ctc_loss(*args, reduction="none", zero_infinity=True)
    assert loss.tolist() == [0.0, 0.0]
    loss.sum().backward()
    assert not args[0].grad.numpy().any()
    some = F.ctc_loss(args[0], args[1], [6, 3], [3, 3], reduction="none", zero_infinity=True)
    np.testing.assert_allclose(some.detach().numpy(), [enumerated(LOGP[:, 0], [1, 2, 3]), 0])
    for create_graph in (False, True):
        (grad,) = cr.autograd.grad(
            some.sum(), args[0], create_graph=create_graph, retain_graph=True
        )
        assert np.isfinite(grad.detach().numpy()).all()
        assert not grad.detach().numpy()[:, 1].any()


def test_nothing_to_say() -> None:
    loss = F.ctc_loss(
        tensor(LOGP), cr.zeros(5, 0, dtype=cr.int64), [6, 0, 3, 6, 1], [0] * 5, reduction="none"
    )
    wanted = [-LOGP[:t, n, 0].sum() for n, t in enumerate([6, 0, 3, 6, 1])]
    np.testing.assert_allclose(loss.numpy(), wanted, rtol=1e-12)


def test_threads_give_the_same_bits() -> None:
    rng = np.random.default_rng(2)
    x = tensor(rng.standard_normal((60, 33, 12)), True, np.float32)
    labels, steps = cr.tensor(rng.integers(1, 12, (33, 20))), rng.integers(50, 61, 33)
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        loss = F.ctc_loss(x, labels, steps, [20] * 33, reduction="none")
        (grad,) = cr.autograd.grad(loss.sum(), x)
        results.append((loss.detach().numpy().tobytes(), grad.numpy().tobytes()))
    assert results[0] == results[1] == results[2]


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "rank": ({"log_probs": cr.zeros(2, 2, 2, 2)}, ValueError, r"expected \(T, N, C\)"),
    "integers": ({"log_probs": cr.zeros(6, 5, 4).long()}, TypeError, r"floating-point"),
    "float targets": ({"targets": cr.zeros(5, 3)}, TypeError, r"targets must be integers"),
    "targets": (
        {"targets": cr.zeros(4, 3).long()},
        ValueError,
        r"targets has shape \(4, 3\); expected \(N, S\) with N = 5",
    ),
    "blank": ({"blank": 4}, ValueError, r"blank is 4; expected one of the 4 classes"),
    "label": (
        {"targets": cr.tensor([[1, 2, 4], *TARGETS[1:].tolist()])},
        IndexError,
        r"label 4 at position 2 of sample 0 .* expected 0 to 3",
    ),
    "blank label": ({"targets": cr.tensor(TARGETS * 0)}, IndexError, r"label 0 .* the blank 0"),
    "steps": ({"input_lengths": [6, 5, 7, 6, 1]}, ValueError, r"input_lengths\[2\] is 7; .* 6"),
    "negative": ({"input_lengths": [6, 5, -1, 6, 1]}, ValueError, r"input_lengths\[2\] is -1"),
    "sizes": ({"target_lengths": [3, 4, 0, 3, 1]}, ValueError, r"target_lengths\[1\] is 4; .* 3"),
    "number of lengths": ({"input_lengths": [6, 6]}, ValueError, r"one length for each of the 5"),
    "float lengths": ({"input_lengths": [1.0] * 5}, TypeError, r"input_lengths holds integers"),
    "sum": ({"targets": cr.ones(5).long()}, ValueError, r"target_lengths\[3\] is 3; .* 0 to 0"),
    "rest": ({"targets": cr.ones(20).long()}, ValueError, r"add up to 9; expected 20"),
    "reduction": ({"reduction": "avg"}, ValueError, r"reduction must be one of .*'avg'"),
    "empty": (
        {
            "log_probs": cr.zeros(6, 0, 4),
            "targets": cr.zeros(0, 3).long(),
            "input_lengths": [],
            "target_lengths": [],
        },
        ValueError,
        r"the batch is empty",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_sentence(name: str) -> None:
    changed, error, message = BAD[name]
    good = {
        "log_probs": tensor(LOGP), "targets": cr.tensor(TARGETS), "input_lengths": STEPS,
        "target_lengths": SIZES,
    }  # fmt: skip
    with pytest.raises(error, match=message):
        F.ctc_loss(**{**good, **changed})


# ---------------------------------------------------------------- decoding


def test_greedy_decoding() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 0]
    logp = np.log(np.eye(3)[path] * 0.7 + 0.1)
    labels, scores = F.ctc_decode(tensor(np.stack([logp, logp], 1)), [8, 3])
    assert [found.tolist() for found in labels] == [[1, 1, 2], [1]]
    np.testing.assert_allclose(scores.numpy(), [8 * np.log(0.8), 3 * np.log(0.8)])
    labels, _ = F.ctc_decode(tensor(logp), blank=2)
    assert labels[0].tolist() == [0, 1, 0, 1, 0]


def test_a_wide_beam_finds_the_likeliest_labels() -> None:
    for n in range(5):
        logp = LOGP[:5, n, :3]
        candidates = {
            tuple(heard(path, 0)) for path in itertools.product(range(3), repeat=len(logp))
        }
        scores = {labels: -enumerated(logp, labels) for labels in candidates}
        best = max(scores, key=lambda labels: scores[labels])
        found, score = F.ctc_decode(tensor(logp), beam_width=1000)
        assert tuple(found[0].tolist()) == best
        np.testing.assert_allclose(score.item(), scores[best], rtol=1e-12)
        _, narrow = F.ctc_decode(tensor(logp), beam_width=2)
        assert narrow.item() <= score.item() + 1e-12


def test_a_beam_finds_what_the_best_path_misses() -> None:
    """Two steps of 0.6 blank and 0.4 label: the label is likelier than silence (Graves)."""
    logp = tensor(np.log([[0.6, 0.4], [0.6, 0.4]]))
    assert F.ctc_decode(logp)[0][0].tolist() == []
    found, score = F.ctc_decode(logp, beam_width=4)
    assert found[0].tolist() == [1]
    np.testing.assert_allclose(score.item(), np.log(1 - 0.36))


def test_decoding_of_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"ctc_decode: log_probs has shape \(3,\)"):
        F.ctc_decode(cr.zeros(3))
    with pytest.raises(ValueError, match=r"blank is 9"):
        F.ctc_decode(cr.zeros(3, 2), blank=9)
    with pytest.raises(ValueError, match=r"beam_width is at least 1"):
        F.ctc_decode(cr.zeros(3, 2), beam_width=0)
    with pytest.raises(ValueError, match=r"input_lengths is \[4\]; expected 1 lengths"):
        F.ctc_decode(cr.zeros(3, 2), [4])
    assert F.ctc_decode(cr.zeros(0, 2))[0][0].tolist() == []

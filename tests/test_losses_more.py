"""Margins over classes, quantiles, focal, Dice and hinge losses against NumPy float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

REDUCTIONS: dict[str, Callable[[Any], Any]] = {"none": np.asarray, "sum": np.sum, "mean": np.mean}
RNG = np.random.default_rng(0)
N, C = 5, 4
X = RNG.uniform(-2, 2, (N, C))
Y = RNG.uniform(-2, 2, (N, C))
SIGNS = np.where(RNG.random((N, C)) < 0.5, 1.0, -1.0)
BITS = (RNG.random((N, C)) < 0.5).astype(float)
LABELS = np.array([0, 3, 1, 1, 2])
LISTS = np.array([[0, 2, -1, 1], [3, -1, -1, -1], [-1, 2, 3, 1], [1, 0, 3, 2], [2, 1, 3, -1]])
WEIGHT = np.array([0.5, 1.0, 2.0, 1.5])


def double(array: Any, requires_grad: bool = False) -> Any:
    return cr.tensor(np.asarray(array, np.float64), requires_grad=requires_grad)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def multi_margin(x: Any, p: int = 1, margin: float = 1.0, weight: Any = None) -> Any:
    result = np.zeros(len(x))
    for n, y in enumerate(LABELS):
        factor = 1 if weight is None else weight[y]
        result[n] = sum(
            factor * max(0, margin - x[n, y] + x[n, i]) ** p for i in range(C) if i != y
        )
    return result / C


def multilabel_margin(x: Any) -> Any:
    result = np.zeros(len(x))
    for n, row in enumerate(LISTS):
        own = row[: np.argmax(np.append(row, -1) < 0)]
        for y in own:
            result[n] += sum(max(0, 1 - x[n, y] + x[n, i]) for i in range(C) if i not in own)
    return result / C


def entropy(x: Any, t: Any) -> Any:
    return np.logaddexp(0, x) - t * x


def focal(x: Any, t: Any, gamma: float, alpha: float | None = None) -> Any:
    missed = t * sigmoid(-x) + (1 - t) * sigmoid(x)
    factor = 1 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    return factor * missed**gamma * entropy(x, t)


def focal_classes(x: Any, gamma: float, alpha: Any = None) -> Any:
    p = np.exp(x[np.arange(N), LABELS]) / np.exp(x).sum(1)
    return -((1 - p) ** gamma) * np.log(p) * (1 if alpha is None else alpha[LABELS])


def pinball(x: Any, t: Any, q: Any) -> Any:
    return np.maximum(q * (t - x), (q - 1) * (t - x))


Q = np.array([0.1, 0.5, 0.8, 0.9])

# Name: (module, the arguments that are not differentiated, the formula of the input).
CASES: dict[str, tuple[Callable[..., Any], list[Any], Callable[[Any], Any]]] = {
    "multi_margin": (nn.MultiMarginLoss, [LABELS], multi_margin),
    "multi_margin_squared": (
        lambda **k: nn.MultiMarginLoss(2, 0.5, double(WEIGHT), **k),
        [LABELS],
        lambda x: multi_margin(x, 2, 0.5, WEIGHT),
    ),
    "multilabel_margin": (nn.MultiLabelMarginLoss, [LISTS], multilabel_margin),
    "multilabel_soft_margin": (
        lambda **k: nn.MultiLabelSoftMarginLoss(double(WEIGHT), **k),
        [BITS],
        lambda x: (entropy(x, BITS) * WEIGHT).mean(1),
    ),
    "hinge": (
        lambda **k: nn.HingeLoss(0.7, **k),
        [SIGNS],
        lambda x: np.maximum(0.7 - SIGNS * x, 0),
    ),
    "hinge_squared": (
        lambda **k: nn.HingeLoss(squared=True, **k),
        [SIGNS],
        lambda x: np.maximum(1 - SIGNS * x, 0) ** 2,
    ),
    "quantile": (lambda **k: nn.QuantileLoss(0.8, **k), [Y], lambda x: pinball(x, Y, 0.8)),
    "quantiles": (
        lambda **k: nn.QuantileLoss(Q.tolist(), **k),
        [Y[:, 0]],
        lambda x: pinball(x, Y[:, :1], Q),
    ),
    "log_cosh": (nn.LogCoshLoss, [Y], lambda x: np.log(np.cosh(x - Y))),
    "focal": (nn.FocalLoss, [BITS], lambda x: focal(x, BITS, 2)),
    "focal_alpha": (
        lambda **k: nn.FocalLoss(0.5, 0.25, **k),
        [BITS],
        lambda x: focal(x, BITS, 0.5, 0.25),
    ),
    "focal_classes": (
        lambda **k: nn.FocalLoss(1.5, double(WEIGHT), **k),
        [LABELS],
        lambda x: focal_classes(x, 1.5, WEIGHT),
    ),
    "dice": (
        lambda **k: nn.DiceLoss(0.5, **k),
        [BITS],
        lambda x: 1 - (2 * (x * BITS).sum(1) + 0.5) / (x.sum(1) + BITS.sum(1) + 0.5),
    ),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", CASES)
def test_loss(name: str, reduction: str) -> None:
    make, rest, formula = CASES[name]
    module = make(reduction=reduction)
    x = np.abs(X) if name == "dice" else X
    expected = REDUCTIONS[reduction](formula(x))
    others = [cr.tensor(r) for r in rest]
    np.testing.assert_allclose(module(double(x), *others).numpy(), expected, rtol=1e-12)
    single = module.float()(cr.tensor(x.astype(np.float32)), *(_float32(o) for o in others))
    assert single.dtype == cr.float32
    np.testing.assert_allclose(single.numpy(), expected, rtol=2e-5)
    module.double()
    assert gradcheck(lambda x: module(x, *others), (double(x, True),))
    assert gradgradcheck(lambda x: module(x, *others), (double(x, True),))


def _float32(tensor: Any) -> Any:
    return tensor.float() if tensor.is_floating_point() else tensor


def test_gradients_reach_the_target() -> None:
    for function in (F.quantile_loss, F.log_cosh_loss, F.dice_loss):
        assert gradcheck(function, (double(np.abs(X), True), double(np.abs(Y), True)))


def test_single_samples() -> None:
    for name, labels in (("multi_margin", LABELS), ("multilabel_margin", LISTS)):
        make, _, formula = CASES[name]
        one = make(reduction="none")(double(X[1]), cr.tensor(labels[1]))
        assert tuple(one.shape) == ()
        np.testing.assert_allclose(one.item(), formula(X)[1], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_labels_of_any_integer_dtype(dtype: Any) -> None:
    expected = F.multi_margin_loss(double(X), cr.tensor(LABELS))
    assert F.multi_margin_loss(double(X), cr.tensor(LABELS.astype(dtype))).item() == expected.item()
    expected = F.focal_loss(double(X), cr.tensor(LABELS))
    assert F.focal_loss(double(X), cr.tensor(LABELS.astype(dtype))).item() == expected.item()


def test_triplets_by_any_distance() -> None:
    a, p, n = (double(v, True) for v in RNG.standard_normal((3, N, C)))

    def manhattan(x: Any, y: Any) -> Any:
        return (x - y).abs().sum(-1)

    arrays = [v.detach().numpy() for v in (a, p, n)]
    near, far, other = (np.abs(arrays[i] - arrays[j]).sum(-1) for i, j in ((0, 1), (0, 2), (1, 2)))
    for swap in (False, True):
        loss = nn.TripletMarginWithDistanceLoss(
            distance_function=manhattan, margin=0.7, swap=swap, reduction="none"
        )
        expected = np.maximum(near - (np.minimum(far, other) if swap else far) + 0.7, 0)
        np.testing.assert_allclose(loss(a, p, n).detach().numpy(), expected, rtol=1e-12)
        assert gradcheck(loss, (a, p, n))
    plain = nn.TripletMarginWithDistanceLoss()
    assert plain(a, p, n).item() == nn.TripletMarginLoss()(a, p, n).item()
    assert "(distance_function): PairwiseDistance()" in repr(plain)


def test_far_values() -> None:
    """No overflow, no NaN: values and gradients of scores of a thousand."""
    for loss in (nn.FocalLoss(0.5), nn.FocalLoss(2.0), nn.MultiLabelSoftMarginLoss()):
        x = double([[1000.0, -1000.0, 1000.0, -1000.0]], True)
        loss(x, double([[1.0, 0.0, 0.0, 1.0]])).backward()
        assert np.isfinite(x.grad.numpy()).all()
    x = double([[1000.0, -1000.0], [-1000.0, 1000.0]], True)
    nn.FocalLoss(0.5)(x, cr.tensor([0, 0])).backward()
    assert np.isfinite(x.grad.numpy()).all()
    x = double([1000.0, -1000.0, 1e-9], True)
    loss = F.log_cosh_loss(x, cr.zeros(3, dtype=cr.float64), reduction="none")
    np.testing.assert_allclose(
        loss.detach().numpy(), [1000 - np.log(2), 1000 - np.log(2), 5e-19], rtol=1e-12
    )
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1, -1, 1e-9], rtol=1e-12)


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "label": (
        lambda: F.multi_margin_loss(cr.zeros(2, 3), cr.tensor([0, 3])),
        IndexError,
        r"multi_margin_loss: label 3 at position 1 is out of range; expected 0 to 2",
    ),
    "negative label": (
        lambda: F.focal_loss(cr.zeros(2, 3), cr.tensor([-1, 0])),
        IndexError,
        r"focal_loss: label -1 at position 0",
    ),
    "label list": (
        lambda: F.multilabel_margin_loss(cr.zeros(2, 3), cr.tensor([[0, 1, -1], [1, 5, -1]])),
        IndexError,
        r"multilabel_margin_loss: label 5 at position \(1, 1\)",
    ),
    "float labels": (
        lambda: F.multi_margin_loss(cr.zeros(2, 3), cr.zeros(2)),
        TypeError,
        r"labels must be integers",
    ),
    "label shape": (
        lambda: F.multi_margin_loss(cr.zeros(2, 3), cr.tensor([0])),
        ValueError,
        r"\(2, 3\) and the target \(1,\)",
    ),
    "class weight": (
        lambda: F.multi_margin_loss(cr.zeros(2, 3), cr.tensor([0, 1]), weight=cr.ones(2)),
        ValueError,
        r"weight must have one entry per class \(got shape \(2,\)\)",
    ),
    "p": (
        lambda: F.multi_margin_loss(cr.zeros(2, 3), cr.tensor([0, 1]), p=3),
        ValueError,
        r"p is 1 or 2 \(got 3\)",
    ),
    "q": (lambda: F.quantile_loss(cr.zeros(2), cr.zeros(2), 1.0), ValueError, r"q lies between"),
    "quantiles": (
        lambda: F.quantile_loss(cr.zeros(2), cr.zeros(2), [0.1, 0.9]),
        ValueError,
        r"\(2,\) and the target \(2,\); expected \(2, 2\) for 2 quantiles",
    ),
    "gamma": (lambda: F.focal_loss(cr.zeros(2), cr.zeros(2), -1.0), ValueError, r"gamma"),
    "alpha": (lambda: F.focal_loss(cr.zeros(2), cr.zeros(2), 2.0, 1.5), ValueError, r"alpha"),
    "alphas": (
        lambda: F.focal_loss(cr.zeros(2, 3), cr.tensor([0, 1]), 2.0, cr.ones(2)),
        ValueError,
        r"alpha is a tensor with one factor .*\(2,\)",
    ),
    "smooth": (lambda: F.dice_loss(cr.zeros(2, 2), cr.zeros(2, 2), -1.0), ValueError, r"smooth"),
    "margin": (
        lambda: nn.TripletMarginWithDistanceLoss(margin=0.0),
        ValueError,
        r"margin is above 0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit(name: str) -> None:
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "name",
    [
        "quantile_loss",
        "log_cosh_loss",
        "focal_loss",
        "dice_loss",
        "hinge_loss",
        "multilabel_margin_loss",
        "multilabel_soft_margin_loss",
    ],
)
def test_losses_never_broadcast(name: str) -> None:
    function = getattr(F, name)
    target = cr.zeros(1, 4, dtype=cr.int64 if name == "multilabel_margin_loss" else None)
    with pytest.raises(ValueError, match=rf"{name}: .*\(4, 1\) and .*\(1, 4\)"):
        function(cr.zeros(4, 1), target)
    with pytest.raises(ValueError, match=rf"{name}: reduction must be one of .*'avg'"):
        function(target, target, reduction="avg") if not target.is_floating_point() else function(
            cr.zeros(1, 4), target, reduction="avg"
        )

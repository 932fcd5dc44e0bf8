"""Adaptive softmax: a distribution over all classes, computed where it is needed."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck

LABELS = np.array([0, 3, 4, 9, 10, 19, 2])


def make(**options: Any) -> nn.AdaptiveLogSoftmaxWithLoss:
    return nn.AdaptiveLogSoftmaxWithLoss(6, 20, [4, 10], div_value=2.0, **options).double()


def reference(layer: nn.AdaptiveLogSoftmaxWithLoss, x: np.ndarray) -> np.ndarray:
    def log_softmax(scores: np.ndarray) -> np.ndarray:
        return scores - np.log(np.exp(scores).sum(1, keepdims=True))

    weights = {key: value.numpy() for key, value in layer.state_dict().items()}
    head = log_softmax(x @ weights["head.weight"].T + weights.get("head.bias", 0))
    parts = [head[:, :4]]
    for i in range(2):
        inner = x @ weights[f"tail.{i}.0.weight"].T @ weights[f"tail.{i}.1.weight"].T
        parts.append(head[:, 4 + i : 5 + i] + log_softmax(inner))
    return np.concatenate(parts, 1)


@pytest.mark.parametrize("bias", [False, True])
def test_log_probabilities(bias: bool) -> None:
    layer, x = make(head_bias=bias), np.random.default_rng(0).standard_normal((7, 6))
    expected = reference(layer, x)
    np.testing.assert_allclose(np.exp(expected).sum(1), 1)
    np.testing.assert_allclose(layer.log_prob(cr.tensor(x)).detach().numpy(), expected, rtol=1e-10)
    picked = expected[np.arange(7), LABELS]
    for labels in (LABELS, LABELS.astype(np.uint8)):
        output, loss = layer(cr.tensor(x), cr.tensor(labels))
        np.testing.assert_allclose(output.detach().numpy(), picked, rtol=1e-10)
        np.testing.assert_allclose(loss.item(), -picked.mean(), rtol=1e-12)
    one = layer(cr.tensor(x[4]), cr.tensor(10))
    assert tuple(one.output.shape) == ()
    np.testing.assert_allclose(one.output.item(), picked[4], rtol=1e-10)
    assert layer.predict(cr.tensor(x)).tolist() == expected.argmax(1).tolist()


def test_gradients() -> None:
    layer, labels = make(), cr.tensor(LABELS)
    x = cr.tensor(np.random.default_rng(0).standard_normal((7, 6)), requires_grad=True)
    assert gradcheck(lambda x: layer(x, labels).loss, (x,))
    assert gradgradcheck(lambda x: layer(x, labels).loss, (x,))
    # Clusters without a target are not computed, and get no gradient.
    layer(x, cr.zeros(7, dtype=cr.int64)).loss.backward()
    assert layer.tail[0][0].weight.grad is None
    before = layer.head.weight.detach().clone()
    layer.reset_parameters()
    assert not cr.equal(layer.head.weight, before)


def test_what_does_not_fit() -> None:
    for cutoffs in ([], [0, 4], [4, 4], [10, 4], [4, 20]):
        with pytest.raises(ValueError, match="cutoffs ascend between 1 and 19"):
            nn.AdaptiveLogSoftmaxWithLoss(6, 20, cutoffs)
    layer = make()
    x = cr.zeros(2, 6, dtype=cr.float64)
    with pytest.raises(IndexError, match="classes from 0 to 20; expected 0 to 19"):
        layer(x, cr.tensor([0, 20]))
    with pytest.raises(ValueError, match=r"\(2, 6\) and the target \(3,\)"):
        layer(x, cr.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match="in_features=5 would fit"):
        nn.Sequential(layer)[0](x[:, :5], cr.tensor([0, 1]))


def test_as_in_torch() -> None:
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.AdaptiveLogSoftmaxWithLoss(6, 20, [4, 10], 2.0).double(), make()
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((7, 6))
    mine = ours(cr.tensor(x), cr.tensor(LABELS))
    other = theirs(torch.tensor(x), torch.tensor(LABELS))
    np.testing.assert_allclose(mine.output.detach().numpy(), other.output.detach().numpy())
    mine.loss.backward()
    other.loss.backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-13)

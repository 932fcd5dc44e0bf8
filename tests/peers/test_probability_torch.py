"""chainrule.distributions against torch's: values and gradients."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import distributions as ours

torch = pytest.importorskip("torch")
theirs = torch.distributions

X = np.random.default_rng(0).normal(size=(4, 3))
POSITIVE = np.abs(X) + 0.1
INSIDE = POSITIVE / (POSITIVE.max() + 0.1)
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "normal": ("Normal", {"loc": X, "scale": POSITIVE}, X[::-1].copy()),
    "uniform": ("Uniform", {"low": X, "high": X + POSITIVE}, X + POSITIVE / 3),
    "bernoulli": ("Bernoulli", {"probs": INSIDE}, (X > 0).astype(float)),
    "bernoulli logits": ("Bernoulli", {"logits": X}, (X > 0).astype(float)),
    "categorical": ("Categorical", {"probs": POSITIVE}, np.array([0, 2, 1, 0])),
    "categorical logits": ("Categorical", {"logits": X}, np.array([0, 2, 1, 0])),
}


def make(library: Any, space: Any, case: str, factor: float = 1.0) -> tuple[Any, Any, Any]:
    name, parameters, value = CASES[case]
    tensors = {k: library.tensor(v * factor, requires_grad=True) for k, v in parameters.items()}
    return getattr(space, name)(**tensors), list(tensors.values()), library.tensor(value)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("what", ["log_prob", "entropy", "mean", "variance", "stddev", "kl"])
def test_values_and_gradients_agree(case: str, what: str) -> None:
    answers = []
    for library, space in ((cr, ours), (torch, theirs)):
        d, parameters, value = make(library, space, case)
        if what == "log_prob":
            result = d.log_prob(value)
        elif what == "kl":
            other = make(library, space, case, 0.9)[0]
            result = space.kl_divergence(d, other)
        else:
            result = getattr(d, what)
            result = result() if callable(result) else result
        answers.append([result.detach().numpy(), tuple(d.batch_shape), tuple(d.event_shape)])
        if result.requires_grad and np.isfinite(result.detach().numpy()).all():
            result.sum().backward()
        answers[-1] += [None if p.grad is None else p.grad.numpy() for p in parameters]
    for a, b in zip(*answers, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_independent_agrees() -> None:
    a = ours.Independent(ours.Normal(cr.tensor(X), cr.tensor(POSITIVE)), 1)
    b = theirs.Independent(theirs.Normal(torch.tensor(X), torch.tensor(POSITIVE)), 1)
    assert (a.batch_shape, a.event_shape) == (tuple(b.batch_shape), tuple(b.event_shape))
    np.testing.assert_allclose(a.log_prob(cr.tensor(X)), b.log_prob(torch.tensor(X)).numpy())
    np.testing.assert_allclose(a.entropy(), b.entropy().numpy())

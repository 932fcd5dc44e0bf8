"""chainrule.distributions: densities that sum to one, draws that follow them, gradients."""

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    Normal,
    Uniform,
    kl_divergence,
)

N = 20_000
LOC, SCALE = cr.tensor([-1.0, 2.0]), cr.tensor([0.5, 3.0])
WEIGHTS = cr.tensor([[1.0, 2.0, 5.0], [3.0, 0.0, 1.0]])


@pytest.mark.smoke
@pytest.mark.parametrize("d", [Normal(LOC, SCALE), Uniform(LOC, LOC + SCALE)], ids=repr)
def test_densities_integrate_to_one_and_to_the_moments(d: Any) -> None:
    x = cr.linspace(-40.0, 40.0, 80_001, dtype=cr.float64).unsqueeze(1)
    d._validates = False  # the grid reaches out of the support
    p = d.log_prob(x).exp().numpy()
    np.testing.assert_allclose(p.sum(0) * 80 / 80_000, 1, rtol=5e-3)  # a jump costs half a step
    share = p / p.sum(0)
    mean = (x.numpy() * share).sum(0)
    np.testing.assert_allclose(mean, d.mean.numpy(), rtol=2e-3)
    second = ((x.numpy() - mean) ** 2 * share).sum(0)
    np.testing.assert_allclose(second, d.variance.numpy(), rtol=5e-3)
    logs = np.where(p > 0, np.log(np.maximum(p, 1e-30)), 0)
    np.testing.assert_allclose(-(share * logs).sum(0), d.entropy().numpy(), rtol=2e-3, atol=1e-6)
    q = cr.tensor([0.1, 0.9])
    np.testing.assert_allclose(d.cdf(d.icdf(q)).numpy(), q.numpy(), rtol=1e-5)


@pytest.mark.parametrize("d", [Bernoulli(cr.tensor([0.2, 0.7])), Bernoulli(logits=LOC)], ids=repr)
def test_bernoulli_sums_to_one(d: Bernoulli) -> None:
    p = [d.log_prob(cr.full((2,), value)).exp() for value in (0.0, 1.0)]
    np.testing.assert_allclose((p[0] + p[1]).numpy(), 1, rtol=1e-6)
    np.testing.assert_allclose(p[1].numpy(), d.mean.numpy(), rtol=1e-6)
    entropy = -sum((q * q.log()) for q in p)
    np.testing.assert_allclose(d.entropy().numpy(), entropy.numpy(), rtol=1e-5)


def test_categorical_normalizes_its_weights() -> None:
    d = Categorical(probs=WEIGHTS)
    np.testing.assert_allclose(d.probs.numpy(), [[0.125, 0.25, 0.625], [0.75, 0, 0.25]])
    every = d.log_prob(d.enumerate_support()).exp().numpy().T
    np.testing.assert_allclose(every, d.probs.numpy(), atol=1e-6)
    assert d.mode.tolist() == [2, 0]
    assert d.entropy()[0].item() == pytest.approx(
        -sum(q * math.log(q) for q in (0.125, 0.25, 0.625))
    )
    assert d.entropy()[1].item() == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25), 1e-4
    )
    same = Categorical(logits=d.logits + 3)
    np.testing.assert_allclose(same.probs.numpy(), d.probs.numpy(), atol=1e-6)
    assert d.log_prob(cr.tensor([[2, 0], [1, 2]])).shape == (2, 2)
    assert d.log_prob(cr.tensor(0)).shape == (2,)


ALL: list[Distribution] = [
    Normal(LOC, SCALE),
    Uniform(LOC, LOC + SCALE),
    Bernoulli(cr.tensor([0.2, 0.7])),
    Categorical(cr.tensor([[0.1, 0.9]])),
    Independent(Normal(LOC, SCALE), 1),
]


@pytest.mark.parametrize("d", ALL, ids=repr)
def test_samples_have_the_shapes_and_no_gradient(d: Distribution) -> None:
    shape = (*d.batch_shape, *d.event_shape)
    assert d.sample().shape == shape
    assert d.sample((3, 4)).shape == (3, 4, *shape)
    assert d.log_prob(d.sample((3,))).shape == (3, *d.batch_shape)
    assert d.entropy().shape == d.batch_shape
    cr.manual_seed(3)
    first = d.sample((5,))
    cr.manual_seed(3)
    assert d.sample((5,)).equal(first)


@pytest.mark.parametrize("d", ALL[:3], ids=repr)
def test_samples_follow_the_distribution(d: Distribution) -> None:
    x = d.sample((N,)).double().numpy()
    error = 5 * d.stddev.numpy() / math.sqrt(N)
    np.testing.assert_array_less(np.abs(x.mean(0) - d.mean.numpy()), error)
    np.testing.assert_allclose(x.std(0), d.stddev.numpy(), rtol=0.05)


def test_categorical_samples_follow_the_weights() -> None:
    x = Categorical(WEIGHTS).sample((N,)).numpy()
    assert x.shape == (N, 2)
    for column, probs in zip(x.T, Categorical(WEIGHTS).probs.numpy(), strict=True):
        share = np.bincount(column, minlength=3) / N
        np.testing.assert_allclose(share, probs, atol=0.02)


def test_gradients_reach_the_parameters() -> None:
    loc, scale = LOC.clone().requires_grad_(), SCALE.clone().requires_grad_()
    draw = Normal(loc, scale).rsample((7,))
    draw.sum().backward()
    np.testing.assert_allclose(loc.grad.numpy(), 7)
    noise = ((draw - loc) / scale).detach()
    np.testing.assert_allclose(scale.grad.numpy(), noise.sum(0).numpy(), rtol=1e-5)
    assert not Normal(loc, scale).sample().requires_grad
    logits = cr.zeros(3, requires_grad=True)
    Categorical(logits=logits).log_prob(cr.tensor(1)).backward()
    np.testing.assert_allclose(logits.grad.numpy(), [-1 / 3, 2 / 3, -1 / 3], rtol=1e-6)


PAIRS = [
    (Normal(LOC, SCALE), Normal(0.5, 2.0)),
    (Uniform(0.0, 1.0), Uniform(-1.0, 3.0)),
    (Bernoulli(cr.tensor([0.2, 0.7])), Bernoulli(cr.tensor([0.5, 0.1]))),
    (Categorical(WEIGHTS + 1), Categorical(cr.tensor([1.0, 1.0, 2.0]))),
    (Independent(Normal(LOC, SCALE), 1), Independent(Normal(LOC * 0, SCALE), 1)),
]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_divergence_is_the_mean_log_ratio(p: Any, q: Any) -> None:
    x = p.sample((N,))
    ratio = (p.log_prob(x) - q.log_prob(x)).numpy()
    error = 5 * ratio.std(0) / math.sqrt(N) + 1e-5
    np.testing.assert_array_less(np.abs(kl_divergence(p, q).numpy() - ratio.mean(0)), error)
    np.testing.assert_allclose(kl_divergence(p, p).numpy(), 0, atol=1e-6)


def test_divergence_is_infinite_where_q_cannot_be() -> None:
    assert kl_divergence(Uniform(0.0, 2.0), Uniform(0.0, 1.0)).item() == math.inf
    zero, some = cr.tensor([1.0, 0.0]), cr.tensor([0.5, 0.5])
    assert kl_divergence(Categorical(some), Categorical(zero)).item() == math.inf
    assert kl_divergence(Categorical(zero), Categorical(some)).item() == pytest.approx(
        math.log(2), abs=1e-6
    )
    with pytest.raises(NotImplementedError, match="Normal and Uniform have no formula here"):
        kl_divergence(Normal(0.0, 1.0), Uniform(0.0, 1.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Normal(0.0, -1.0), r"Normal: scale is out of its range .*above 0"),
        (lambda: Normal(0.0, math.nan), r"Normal: scale is out of its range"),
        (lambda: Uniform(1.0, 1.0), r"Uniform: high is out of its range"),
        (lambda: Uniform(0.0, 1.0).log_prob(cr.tensor(2.0)), r"Uniform: the value is out of"),
        (lambda: Bernoulli(cr.tensor(1.5)), r"Bernoulli: probs is out .*from 0 to 1"),
        (lambda: Bernoulli(), r"Bernoulli: got none of probs and logits"),
        (lambda: Bernoulli(0.5, 0.5), r"Bernoulli: got both of probs and logits"),
        (lambda: Bernoulli(0.5).log_prob(cr.tensor(0.5)), r"Bernoulli: the value .* 0 or 1"),
        (lambda: Categorical(cr.tensor([-1.0, 2.0])), r"Categorical: probs is out"),
        (lambda: Categorical(cr.tensor(1.0)), r"Categorical: got a 0-d tensor"),
        (lambda: Categorical(WEIGHTS).log_prob(cr.tensor(3)), r"the value .*classes 0 to 2"),
        (lambda: Categorical(WEIGHTS).log_prob(cr.tensor(-1)), r"the value .*classes 0 to 2"),
        (lambda: Independent(Normal(0.0, 1.0), 1), r"Independent: got 1 dimensions .*\(\)"),
    ],
)
def test_what_no_distribution_has_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_other_refusals_and_reprs() -> None:
    assert Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    with pytest.raises(NotImplementedError, match="Categorical: a sample has no gradient"):
        Categorical(WEIGHTS).rsample()
    assert repr(Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"
    assert repr(Categorical(WEIGHTS)) == "Categorical(probs: (size (2, 3)))"

"""Probability distributions with log-probabilities to differentiate: for policies and VAEs.

Names and meanings are those of torch.distributions. Draws come from chainrule's default generator.

    >>> from chainrule.distributions import Categorical
    >>> policy = Categorical(logits=cr.zeros(2, 4))
    >>> action = policy.sample()
    >>> policy.log_prob(action)
    tensor([-1.3863, -1.3863])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor
from chainrule.nn import functional as F

__all__ = [
    "Bernoulli", "Categorical", "Distribution", "Independent", "Normal", "Uniform", "kl_divergence",
]  # fmt: skip


def _together(*values: Any) -> list[Tensor]:
    """Parameters as tensors of one dtype and shape; numbers take the dtype of the tensors."""
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), cr.get_default_dtype())
    tensors = [v if isinstance(v, Tensor) else cr.tensor(v, dtype=dtype) for v in values]
    return list(cr.broadcast_tensors(*tensors))


class Distribution:
    """Base of the distributions: a batch of independent ones, each over events of some shape.

    Args:
        batch_shape: sizes of the batch of distributions.
        event_shape: sizes of one event.
        validate_args: whether parameters and values are checked (None: yes).
    """

    has_rsample = False
    _parameters: tuple[str, ...] = ()  # with the batch's shape first, for the repr

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self.batch_shape = tuple(batch_shape)
        self.event_shape = tuple(event_shape)
        self._validates = validate_args is not False

    def _check(self, holds: Tensor, what: str, value: Any, expected: str) -> None:
        if self._validates and not holds.all():
            raise ValueError(
                f"{type(self).__name__}: {what} is out of its range (got {value!r:.200}); "
                f"expected {expected}"
            )

    def _full_shape(self, sample_shape: Sequence[int]) -> tuple[int, ...]:
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw so that the gradient reaches the parameters.

        Raises:
            NotImplementedError: the distribution has no such draw; use ``log_prob`` of a sample.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: a sample has no gradient; use sample and log_prob"
        )

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw ``sample_shape`` times the batch, without a gradient."""
        with cr.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, of values."""
        raise NotImplementedError(f"{type(self).__name__}: log_prob is not defined")

    def entropy(self) -> Tensor:
        """The entropy in nats, one per distribution of the batch."""
        raise NotImplementedError(f"{type(self).__name__}: entropy is not defined")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__}: mean is not defined")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__}: variance is not defined")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def perplexity(self) -> Tensor:
        """The exponential of the entropy."""
        return self.entropy().exp()

    def __repr__(self) -> str:
        def show(value: Tensor) -> str:
            return str(value.item()) if value.numel() == 1 else f"(size {tuple(value.shape)})"

        shown = ", ".join(f"{name}: {show(getattr(self, name))}" for name in self._parameters)
        return f"{type(self).__name__}({shown})"


class Normal(Distribution):
    """The normal distribution.

    Args:
        loc: the mean, a tensor or a number.
        scale: the standard deviation, above 0; broadcast with ``loc``.
        validate_args: whether parameters are checked (None: yes).

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> cr.distributions.Normal(0.0, 1.0).log_prob(cr.tensor(0.0))
        tensor(-0.9189)
    """

    has_rsample = True
    _parameters = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = _together(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check(self.scale > 0, "scale", self.scale, "numbers above 0")

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The value of the largest density."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = cr.randn(self._full_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -0.5 * z**2 - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return 0.5 * (1 + cr.erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Tensor) -> Tensor:
        """The value that has this probability below it."""
        return self.loc + self.scale * cr.erfinv(2 * value - 1) * math.sqrt(2)


class Uniform(Distribution):
    """The uniform distribution on ``[low, high)``.

    Args:
        low: the lower end, a tensor or a number.
        high: the upper end, above ``low``.
        validate_args: whether parameters and values are checked (None: yes).

    Raises:
        ValueError: ``low`` is not below ``high``, or a value is outside of them.

    Example:
        >>> cr.distributions.Uniform(0.0, 2.0).entropy()
        tensor(0.6931)
    """

    has_rsample = True
    _parameters = ("low", "high")

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = _together(low, high)
        super().__init__(self.low.shape, (), validate_args)
        self._check(self.low < self.high, "high", self.high, "numbers above low")

    @property
    def mean(self) -> Tensor:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = cr.rand(self._full_shape(sample_shape), dtype=self.low.dtype)
        return self.low + noise * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value >= self.low) & (value <= self.high)
        self._check(inside, "the value", value, "numbers from low to high")
        return cr.where(inside, -(self.high - self.low).log(), -math.inf)

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to this one."""
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """The value that has this probability below it."""
        return self.low + value * (self.high - self.low)


class _Discrete(Distribution):
    """What Bernoulli and Categorical share: probabilities, or logits they follow from."""

    def _set(self, probs: Any, logits: Any) -> Tensor:
        if (probs is None) == (logits is None):
            raise ValueError(
                f"{type(self).__name__}: got {'none' if probs is None else 'both'} of probs and "
                "logits; expected one of them"
            )
        self._given = "logits" if probs is None else "probs"
        [value] = _together(logits if probs is None else probs)
        self._value = value
        return value

    def _clamped(self) -> Tensor:
        """The probabilities, where a logarithm is finite."""
        eps = cr.finfo(self.probs.dtype).eps
        return self.probs.clamp(eps, 1 - eps)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self._given,)

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        raise NotImplementedError


class Bernoulli(_Discrete):
    """Zero or one.

    Args:
        probs: probabilities of one.
        logits: or their logits.
        validate_args: whether parameters and values are checked (None: yes).

    Raises:
        ValueError: both or none of ``probs`` and ``logits``, a probability or a value out of range.

    Example:
        >>> cr.distributions.Bernoulli(cr.tensor([0.5])).log_prob(cr.tensor([1.0]))
        tensor([-0.6931])
    """

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        value = self._set(probs, logits)
        super().__init__(value.shape, (), validate_args)
        if logits is None:
            self._check((value >= 0) & (value <= 1), "probs", value, "numbers from 0 to 1")

    @functools.cached_property
    def probs(self) -> Tensor:
        return self._value if self._given == "probs" else self._value.sigmoid()

    @functools.cached_property
    def logits(self) -> Tensor:
        """The logits of one."""
        return self._value if self._given == "logits" else self._clamped().logit()

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return cr.bernoulli(self.probs.detach().expand(self._full_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check((value == 0) | (value == 1), "the value", value, "0 or 1")
        logits, target = cr.broadcast_tensors(self.logits, value.to(self.logits.dtype))
        return -F.binary_cross_entropy_with_logits(logits, target, reduction="none")

    def entropy(self) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")


class Categorical(_Discrete):
    """One of K classes, numbered from 0.

    Args:
        probs: ``(*, K)`` weights of the classes, not negative; they need not sum to 1.
        logits: or ``(*, K)`` unnormalized log-probabilities.
        validate_args: whether parameters and values are checked (None: yes).

    Raises:
        ValueError: both or none of ``probs`` and ``logits``, a weight or a value out of range.

    Example:
        >>> cr.distributions.Categorical(probs=cr.tensor([1.0, 3.0])).probs
        tensor([0.2500, 0.7500])
    """

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        value = self._set(probs, logits)
        if value.ndim == 0:
            raise ValueError("Categorical: got a 0-d tensor; expected one entry per class")
        super().__init__(value.shape[:-1], (), validate_args)
        if logits is None:
            fair = (value >= 0).all(-1) & (value.sum(-1) > 0)
            self._check(fair, "probs", value, "weights >= 0, not all of them 0")

    @functools.cached_property
    def probs(self) -> Tensor:
        if self._given == "logits":
            return self._value.softmax(-1)
        return self._value / self._value.sum(-1, keepdim=True)

    @functools.cached_property
    def logits(self) -> Tensor:
        """The log-probabilities."""
        return self._value.log_softmax(-1) if self._given == "logits" else self._clamped().log()

    @property
    def mean(self) -> Tensor:
        return cr.full(self.batch_shape, math.nan, dtype=self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        return cr.full(self.batch_shape, math.nan, dtype=self.probs.dtype)

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return self.probs.argmax(-1)

    def enumerate_support(self) -> Tensor:
        """All classes, ``(K, *batch_shape)``."""
        classes = cr.arange(self._value.shape[-1])
        shape = (-1, *(1 for _ in self.batch_shape))
        return classes.reshape(shape).expand(-1, *self.batch_shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        rows = self.probs.detach().reshape(-1, self._value.shape[-1])
        drawn = cr.multinomial(rows, math.prod(sample_shape), replacement=True)
        return drawn.t().reshape(self._full_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        known = (value >= 0) & (value < self._value.shape[-1]) & (value == value.floor())
        self._check(known, "the value", value, f"classes 0 to {self._value.shape[-1] - 1}")
        shape = cr.broadcast_shapes(value.shape, self.batch_shape)
        index = value.long().expand(shape).unsqueeze(-1)
        return self.logits.expand(*shape, -1).gather(-1, index).squeeze(-1)

    def entropy(self) -> Tensor:
        # A class of probability 0 adds 0, whatever its logarithm.
        logits = self.logits.clamp(min=cr.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)


class Independent(Distribution):
    """A distribution whose last batch dimensions count as parts of one event.

    Args:
        base_distribution: the distribution.
        reinterpreted_batch_ndims: how many dimensions; ``log_prob`` and ``entropy`` sum over them.
        validate_args: whether values are checked (None: as the base does).

    Raises:
        ValueError: the batch has fewer dimensions.

    Example:
        >>> base = cr.distributions.Normal(cr.zeros(3), cr.ones(3))
        >>> cr.distributions.Independent(base, 1).log_prob(cr.zeros(3))
        tensor(-2.7568)
    """

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        n = reinterpreted_batch_ndims
        batch = base_distribution.batch_shape
        if not 0 <= n <= len(batch):
            raise ValueError(
                f"Independent: got {n} dimensions of a batch of shape {batch}; "
                f"expected 0 to {len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, n
        cut = len(batch) - n
        super().__init__(batch[:cut], (*batch[cut:], *base_distribution.event_shape), validate_args)
        self.has_rsample = base_distribution.has_rsample

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._sum(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._sum(self.base_dist.entropy())

    def _sum(self, value: Tensor) -> Tensor:
        n = self.reinterpreted_batch_ndims
        return value.sum(tuple(range(-n, 0))) if n else value

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


# ---------------------------------------------------------------- divergence


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence ``E_p[log p(x) - log q(x)]`` of two of a kind.

    Args:
        p: the distribution that values are from.
        q: the distribution that stands for it; the batches broadcast.

    Returns:
        One number per distribution of the batch.

    Raises:
        NotImplementedError: the two are not of one kind.

    Example:
        >>> N = cr.distributions.Normal
        >>> cr.distributions.kl_divergence(N(1.0, 1.0), N(0.0, 1.0))
        tensor(0.5000)
    """
    for kind, formula in _DIVERGENCES.items():
        if isinstance(p, kind) and isinstance(q, kind):
            return formula(p, q)
    raise NotImplementedError(
        f"kl_divergence: {type(p).__name__} and {type(q).__name__} have no formula here; "
        "estimate it: (p.log_prob(x) - q.log_prob(x)).mean() with x = p.sample((n,))"
    )


def _kl_normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


def _kl_uniform(p: Uniform, q: Uniform) -> Tensor:
    covered = (q.low <= p.low) & (q.high >= p.high)
    return cr.where(covered, ((q.high - q.low) / (p.high - p.low)).log(), math.inf)


def _kl_bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = _weighted(p.probs, q.probs, F.softplus(-q.logits) - F.softplus(-p.logits))
    zero = _weighted(1 - p.probs, 1 - q.probs, F.softplus(q.logits) - F.softplus(p.logits))
    return one + zero


def _kl_categorical(p: Categorical, q: Categorical) -> Tensor:
    return _weighted(p.probs, q.probs, p.logits - q.logits).sum(-1)


def _weighted(p: Tensor, q: Tensor, difference: Tensor) -> Tensor:
    """``p * difference``, 0 where p cannot be and infinite where only q cannot."""
    return cr.where(p == 0, 0.0, cr.where(q == 0, math.inf, p * difference))


def _kl_independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise ValueError(
            f"kl_divergence: events of {p.reinterpreted_batch_ndims} and of "
            f"{q.reinterpreted_batch_ndims} dimensions; expected the same"
        )
    return p._sum(kl_divergence(p.base_dist, q.base_dist))


_DIVERGENCES: dict[type, Callable[[Any, Any], Tensor]] = {
    Normal: _kl_normal,
    Uniform: _kl_uniform,
    Bernoulli: _kl_bernoulli,
    Categorical: _kl_categorical,
    Independent: _kl_independent,
}

"""Random tensors. The stream is Philox4x32-10: the same on every machine and thread count."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from . import _core, _functions, _limits
from ._core import Tensor
from ._devices import check_device
from .autograd.mode import no_grad

# Functions of this module that are methods of Tensor too.
METHODS = (
    "bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_",
    "multinomial", "normal_", "random_", "uniform_",
)  # fmt: skip


class Generator:
    """A stream of random numbers: a seed and how far it has been used.

    Example:
        >>> g = cr.Generator().manual_seed(1)
        >>> a = cr.rand(2, generator=g)
        >>> cr.equal(a, cr.rand(2, generator=g.manual_seed(1)))
        True
    """

    def __init__(self, device: str = "cpu") -> None:
        check_device(device)
        self._state = _functions.tensor([_DEFAULT_SEED, 0])

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of a seed from its beginning."""
        # Any int counts: reduced to 64 bits, as torch does.
        wrapped = (int(seed) + 2**63) % 2**64 - 2**63
        self._state.copy_(_functions.tensor([wrapped, 0]))
        return self

    def seed(self) -> int:
        """Start the stream of a seed that the system chose; returns it."""
        value = int.from_bytes(os.urandom(8), "little") >> 1
        self.manual_seed(value)
        return value

    def initial_seed(self) -> int:
        """The seed that was set last."""
        value: int = self._state[0].item()
        return value % 2**64

    def get_state(self) -> Tensor:
        """Copy of the state, for :meth:`set_state`."""
        return self._state.clone()

    def set_state(self, state: Tensor) -> Generator:
        """Go back to a state from :meth:`get_state`."""
        if state.shape != (2,) or state.dtype != _core.int64:
            raise ValueError(
                f"set_state: expected int64 of shape (2,) (got {state.dtype}, {state.shape})"
            )
        self._state.copy_(state)
        return self

    def __reduce__(self) -> Any:
        return (_restore_generator, (self.get_state(),))


def _restore_generator(state: Tensor) -> Generator:
    return Generator().set_state(state)


_DEFAULT_SEED = 67280421310721
default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator.

    Example:
        >>> _ = cr.manual_seed(0)
        >>> a = cr.rand(3)
        >>> _ = cr.manual_seed(0)
        >>> cr.equal(a, cr.rand(3))
        True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """State of the default generator."""
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    """Restore the default generator's state."""
    default_generator.set_state(state)


def _state_of(generator: Generator | None) -> Tensor:
    return (generator or default_generator)._state


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], int) and not hasattr(size[0], "__index__"):
        return tuple(size[0])
    return size


def _finish(tensor: Tensor, requires_grad: bool) -> Tensor:
    return tensor.requires_grad_() if requires_grad else tensor


# ---------------------------------------------------------------- new tensors


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers in [0, 1).

    Example:
        >>> cr.rand(2, 3).shape
        (2, 3)
    """
    check_device(device)
    wanted = dtype or _core.get_default_dtype()
    return _finish(
        _core._uniform(_state_of(generator), _shape(size), 0.0, 1.0, wanted), requires_grad
    )


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Standard normal numbers.

    Example:
        >>> cr.randn(2, 3).shape
        (2, 3)
    """
    check_device(device)
    wanted = dtype or _core.get_default_dtype()
    return _finish(
        _core._normal(_state_of(generator), _shape(size), 0.0, 1.0, wanted), requires_grad
    )


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    dtype: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers in [low, high); ``randint(high, size)`` starts at 0.

    Raises:
        ValueError: when the range is empty.

    Example:
        >>> x = cr.randint(0, 10, (100,))
        >>> bool((x >= 0).all() and (x < 10).all())
        True
    """
    check_device(device)
    if size is None:
        low, high, size = 0, low, high
    if high is None or size is None:
        raise TypeError("randint: expected (high, size) or (low, high, size)")
    if low >= high:
        raise ValueError(f"randint: low must be below high (got {low} and {high})")
    wanted = dtype or _core.int64
    return _finish(
        _core._randint(_state_of(generator), tuple(size), low, high, wanted), requires_grad
    )


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None
) -> Tensor:
    """The numbers 0 to n - 1 in random order.

    Example:
        >>> sorted(cr.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    check_device(device)
    result: Tensor = _core._randperm(_state_of(generator), n)
    return result if dtype is None else result.to(dtype)


def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers of the shape and dtype of ``input``.

    Example:
        >>> cr.rand_like(cr.zeros(2)).shape
        (2,)
    """
    return rand(
        input.shape, generator=generator, dtype=dtype or input.dtype, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Standard normal numbers of the shape and dtype of ``input``.

    Example:
        >>> cr.randn_like(cr.zeros(2)).shape
        (2,)
    """
    return randn(
        input.shape, generator=generator, dtype=dtype or input.dtype, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None,
    dtype: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers in [low, high) of the shape and dtype of ``input``.

    Example:
        >>> cr.randint_like(cr.zeros(2), 3).shape
        (2,)
    """
    if high is None:
        low, high = 0, low
    return randint(
        low, high, input.shape, generator=generator, dtype=dtype or input.dtype, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of a mean and a standard deviation.

    Args:
        mean: number, or a tensor with one for each result.
        std: number or tensor alike; the two broadcast.
        size: shape of the result; by default that of ``mean`` and ``std``.
        generator: the stream to draw from.
        dtype: dtype of the result, by default that of the tensors.
        device: "cpu" or None.
        requires_grad: whether gradients are wanted.

    Raises:
        ValueError: for a negative deviation.

    Example:
        >>> cr.normal(0.0, 1.0, (2,)).shape
        (2,)
    """
    if size is None:
        size = _functions.broadcast_shapes(
            *[x.shape if isinstance(x, Tensor) else () for x in (mean, std)]
        )
    if (std.detach() < 0).any() if isinstance(std, Tensor) else std < 0:
        raise ValueError("normal: the standard deviation must not be negative")
    check_device(device)
    if dtype is None:
        given = [x.dtype for x in (mean, std) if isinstance(x, Tensor)]
        given = [t for t in given if _core.empty(0, dtype=t).is_floating_point()]
        dtype = given[0] if given else _core.get_default_dtype()
    with no_grad():
        result = (randn(size, generator=generator, dtype=dtype) * std + mean).to(dtype)
    return _finish(result, requires_grad)


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """1 with the probability that ``input`` gives (or with ``p``), else 0.

    Raises:
        ValueError: when a probability is outside [0, 1].

    Example:
        >>> cr.bernoulli(cr.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    probability = input.detach() if p is None else _core.full_like(input.detach(), p)
    if not bool(((probability >= 0) & (probability <= 1)).all()):
        raise ValueError("bernoulli: probabilities must lie in [0, 1]")
    return (rand(*input.shape, generator=generator, dtype=_core.float64) < probability).to(
        input.dtype
    )


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of events whose mean number ``input`` gives.

    Small means: the uniform numbers whose product stays above ``exp(-mean)`` are counted
    (Knuth, 1969); from 10 on: transformed rejection (Hormann's PTRS, 1993).

    Args:
        input: floating-point tensor of means, not negative.
        generator: the stream to draw from.

    Raises:
        ValueError: for a mean that is negative or not finite.
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.poisson(cr.tensor([0.0, 0.0]))
        tensor([0., 0.])
    """
    if not input.is_floating_point():
        raise TypeError(f"poisson: needs a floating-point tensor (got {input.dtype.name})")
    import numpy as np

    mean = input.detach().to(_core.float64).numpy().reshape(-1)
    if not (np.isfinite(mean) & (mean >= 0)).all():
        raise ValueError("poisson: means must be finite and not negative")
    counts = np.zeros(mean.shape)

    def uniform(size: int) -> Any:
        return rand(size, generator=generator, dtype=_core.float64).numpy()

    left = np.flatnonzero((mean > 0) & (mean < 10))
    product = np.ones(left.size)
    while left.size:
        product = product * uniform(left.size)
        more = product > np.exp(-mean[left])
        left, product = left[more], product[more]
        counts[left] += 1
    left = np.flatnonzero(mean >= 10)
    while left.size:
        m = mean[left]
        b = 0.931 + 2.53 * np.sqrt(m)
        a = -0.059 + 0.02483 * b
        u, v = uniform(left.size) - 0.5, 1 - uniform(left.size)
        s = 0.5 - np.abs(u)
        k = np.floor((2 * a / s + b) * u + m + 0.43)
        log_gamma = _core.lgamma(_functions.tensor(np.maximum(k, 0) + 1)).numpy()
        bound = np.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (s * s) + b))
        kept = (k >= 0) & (bound <= k * np.log(m) - m - log_gamma)
        counts[left[kept]] = k[kept]
        left = left[~kept]
    return _functions.tensor(counts.reshape(input.shape)).to(input.dtype)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probabilities proportional to the weights in the last dimension.

    Args:
        input: weights, ``(n,)`` or ``(rows, n)``, not negative, not all 0.
        num_samples: how many from each row.
        replacement: whether an index can come again.

    Raises:
        ValueError: for negative weights or more samples than nonzero weights.

    Example:
        >>> cr.multinomial(cr.tensor([0.0, 1.0]), 3, replacement=True)
        tensor([1, 1, 1])
    """
    weights = input.detach().to(_core.float64)
    if weights.ndim not in (1, 2):
        raise ValueError(f"multinomial: expected (n,) or (rows, n) weights (got {input.shape})")
    if num_samples < 1:
        raise ValueError(f"multinomial: num_samples must be 1 or more (got {num_samples})")
    if not bool((weights >= 0).all()) or not bool(_core.isfinite(weights).all()):
        raise ValueError("multinomial: weights must be finite and not negative")
    if not bool((weights.sum(-1) > 0).all()):
        raise ValueError("multinomial: each row needs a weight above 0")
    import numpy as np

    if replacement:
        draws = rand(*weights.shape[:-1], num_samples, generator=generator, dtype=_core.float64)
        chosen = np.empty(draws.shape, np.int64)
        for row in np.ndindex(*weights.shape[:-1]):
            bounds = np.cumsum(weights[row].numpy())
            places = np.searchsorted(bounds, draws[row].numpy() * bounds[-1], side="right")
            # Rounding may carry a draw up to the total.
            chosen[row] = np.minimum(places, np.flatnonzero(weights[row].numpy())[-1])
        return _functions.tensor(chosen)
    if bool(((weights > 0).sum(-1) < num_samples).any()):
        raise ValueError(
            f"multinomial: fewer than {num_samples} nonzero weights; use replacement=True"
        )
    # The largest of weight**(1/u) in logarithms (Efraimidis & Spirakis 2006).
    uniform = rand(*weights.shape, generator=generator, dtype=_core.float64)
    keys = _core.where(weights > 0, (1.0 - uniform).log() / weights, -float("inf"))
    order = np.argsort(-keys.numpy(), axis=-1, kind="stable")[..., :num_samples]
    return _functions.tensor(np.ascontiguousarray(order))


# ---------------------------------------------------------------- in place


def uniform_(
    self: Tensor,
    from_: float = 0.0,
    to: float = 1.0,
    *,
    generator: Generator | None = None,
    **kwargs: float,
) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    low = kwargs.pop("from", from_)
    if low > to:
        raise ValueError(f"uniform_: from must not exceed to (got {low} and {to})")
    return self.copy_(_core._uniform(_state_of(generator), self.shape, low, to, self.dtype))


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers."""
    if std < 0:
        raise ValueError(f"normal_: std must not be negative (got {std})")
    return self.copy_(_core._normal(_state_of(generator), self.shape, mean, std, self.dtype))


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with 1 (probability ``p``) and 0."""
    probability = (
        p if isinstance(p, Tensor) else _core.full(self.shape, float(p), dtype=_core.float64)
    )
    return self.copy_(bernoulli(_core.expand(probability, self.shape), generator=generator))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with exponential numbers of rate ``lambd``."""
    if lambd <= 0:
        raise ValueError(f"exponential_: lambd must be positive (got {lambd})")
    return self.copy_(-_above_zero(self, generator).log() / lambd)


def _above_zero(like: Tensor, generator: Generator | None) -> Tensor:
    """Uniform numbers in (0, 1] of a tensor's shape, in float64."""
    return 1.0 - rand(like.shape, generator=generator, dtype=_core.float64)


def _check_real(name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: needs a floating-point tensor (got {tensor.dtype.name})")


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with Cauchy numbers: ``median + sigma * tan(pi * (u - 1/2))`` of uniform ``u``."""
    _check_real("cauchy_", self)
    if not sigma > 0:
        raise ValueError(f"cauchy_: sigma must be positive (got {sigma})")
    uniform = rand(self.shape, generator=generator, dtype=_core.float64)
    return self.copy_(((uniform - 0.5) * math.pi).tan() * sigma + median)


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers whose logarithm is normal with this mean and deviation."""
    _check_real("log_normal_", self)
    if not std > 0:
        raise ValueError(f"log_normal_: std must be positive (got {std})")
    return self.copy_(
        _core._normal(_state_of(generator), self.shape, mean, std, _core.float64).exp()
    )


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the number of trials up to the first success, of probability ``p`` each."""
    if not 0 < p < 1:
        raise ValueError(f"geometric_: p must lie between 0 and 1 (got {p})")
    trials = (_above_zero(self, generator).log() / math.log1p(-p)).ceil().clamp(min=1)
    return self.copy_(trials.to(self.dtype))


def random_(
    self: Tensor, low: int = 0, high: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Fill with integers in [low, high); by default with all the dtype represents exactly."""
    if high is None and low:
        low, high = 0, low
    if high is not None and low >= high:
        raise ValueError(f"random_: low must be below high (got {low} and {high})")
    if high is None:
        if self.dtype.is_floating_point:
            high = round(2 / _limits.finfo(self.dtype).eps) + 1
        elif self.dtype is _core.bool:
            high = 2
        else:
            high = min(_limits.iinfo(self.dtype).max + 1, 2**63 - 1)
    return self.copy_(randint(low, high, self.shape, generator=generator))

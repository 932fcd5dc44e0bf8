"""Random tensors. The stream is Philox4x32-10: the same on every machine and thread count."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from . import _core, _functions, _limits
from ._core import Tensor

# Functions of this module that are methods of Tensor too.
METHODS = (
    "bernoulli_", "exponential_", "multinomial", "normal_", "random_", "uniform_",
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
        _functions._check_device(device)
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
    _functions._check_device(device)
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
    _functions._check_device(device)
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
    _functions._check_device(device)
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
    _functions._check_device(device)
    result: Tensor = _core._randperm(_state_of(generator), n)
    return result if dtype is None else result.to(dtype)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform numbers of the shape and dtype of ``input``.

    Example:
        >>> cr.rand_like(cr.zeros(2)).shape
        (2,)
    """
    return rand(*input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal numbers of the shape and dtype of ``input``.

    Example:
        >>> cr.randn_like(cr.zeros(2)).shape
        (2,)
    """
    return randn(*input.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None) -> Tensor:
    """Integers in [low, high) of the shape and dtype of ``input``.

    Example:
        >>> cr.randint_like(cr.zeros(2), 3).shape
        (2,)
    """
    if high is None:
        low, high = 0, low
    return randint(low, high, input.shape, dtype=dtype or input.dtype)


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers; mean and deviation may be tensors, which broadcast.

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
    result: Tensor = randn(*size, generator=generator) * std + mean
    return result


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
    uniform = rand(*self.shape, generator=generator, dtype=_core.float64)
    return self.copy_(-(1.0 - uniform).log() / lambd)


def random_(
    self: Tensor, low: int = 0, high: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Fill with integers in [low, high); by default with all the dtype represents exactly."""
    if high is None and low:
        low, high = 0, low
    if high is None:
        if self.dtype.is_floating_point:
            high = round(2 / _limits.finfo(self.dtype).eps) + 1
        elif self.dtype is _core.bool:
            high = 2
        else:
            high = min(_limits.iinfo(self.dtype).max + 1, 2**63 - 1)
    return self.copy_(randint(low, high, self.shape, generator=generator))

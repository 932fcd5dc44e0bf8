"""Summaries that look at all elements, and at those that are numbers; differences; running sums."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from . import _core, _functions, _limits
from ._arrays import dimension, in_place
from ._core import Tensor

__all__ = [
    "aminmax", "clamp_max", "clamp_max_", "clamp_min", "clamp_min_", "count_nonzero", "diff",
    "dist", "float_power", "heaviside", "logcumsumexp", "logspace", "nan_to_num", "nan_to_num_",
    "nanmean", "nansum", "norm", "renorm", "sinc", "sinc_", "std", "std_mean", "var", "var_mean",
]  # fmt: skip

METHODS = (
    "aminmax", "clamp_max", "clamp_max_", "clamp_min", "clamp_min_", "count_nonzero", "diff",
    "dist", "float_power", "float_power_", "heaviside", "heaviside_", "logcumsumexp", "nan_to_num",
    "nan_to_num_", "nanmean", "nansum", "norm", "renorm", "renorm_", "sinc", "sinc_", "std", "var",
)  # fmt: skip


class MinMax(NamedTuple):
    """The smallest and the largest."""

    min: Tensor
    max: Tensor


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element, of all or along a dimension.

    Args:
        input: tensor of any shape and dtype.
        dim: the dimension to look along; None looks at all elements.
        keepdim: whether the dimension stays, with size 1.

    Returns:
        ``(min, max)``.

    Raises:
        ValueError: when there are no elements.

    Example:
        >>> cr.aminmax(cr.tensor([3, 1, 2]))
        MinMax(min=tensor(1), max=tensor(3))
    """
    return MinMax(_core.amin(input, dim, keepdim), _core.amax(input, dim, keepdim))


def _numpy_words(name: str, dim: Any, keepdim: bool, names: dict[str, Any]) -> tuple[Any, bool]:
    """``dim`` and ``keepdim``, which NumPy calls axis and keepdims."""
    dim, keepdim = names.pop("axis", dim), names.pop("keepdims", keepdim)
    if names:
        raise TypeError(f"{name}: unexpected keyword argument {next(iter(names))!r}")
    return dim, keepdim


def _spread(
    op: Any, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool,
    correction: float | None, names: dict[str, Any],
) -> tuple[Tensor, Any, bool]:  # fmt: skip
    """``var`` or ``std``, and the dimensions and keepdim that were meant."""
    if isinstance(dim, bool):  # var(x, False) is about all elements
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = 1 if unbiased else 0
    if names:
        dim, keepdim = _numpy_words(op.__name__, dim, keepdim, names)
    correction = 1 if correction is None else correction
    return op(input, dim, correction=correction, keepdim=keepdim), dim, keepdim


def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = 1, **names: Any,
) -> Tensor:  # fmt: skip
    """Variance of all elements or along dimensions.

    Args:
        input: floating-point tensor.
        dim: dimensions to look along; None looks at all elements.
        unbiased: True for a correction of 1, False for 0.
        keepdim: whether the dimensions stay, with size 1.
        correction: what is taken off the number of elements in the divisor.
        names: ``axis`` and ``keepdims``, NumPy's words.

    Raises:
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.var(cr.tensor([1.0, 3.0]))
        tensor(2.)
        >>> cr.var(cr.tensor([1.0, 3.0]), unbiased=False)
        tensor(1.)
    """
    if dim is None and unbiased is None and correction == 1 and not names:  # the short way
        return _core.var(input, None, keepdim=keepdim)
    return _spread(_core.var, input, dim, unbiased, keepdim, correction, names)[0]


def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = 1, **names: Any,
) -> Tensor:  # fmt: skip
    """Standard deviation of all elements or along dimensions; see :func:`var`.

    Example:
        >>> cr.std(cr.tensor([1.0, 3.0]), correction=0)
        tensor(1.)
    """
    if dim is None and unbiased is None and correction == 1 and not names:  # the short way
        return _core.std(input, None, keepdim=keepdim)
    return _spread(_core.std, input, dim, unbiased, keepdim, correction, names)[0]


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = 1, **names: Any,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Variance and mean, of all elements or along dimensions; see :func:`var`.

    Example:
        >>> cr.var_mean(cr.tensor([1.0, 3.0]))
        (tensor(2.), tensor(2.))
    """
    result, dim, keepdim = _spread(_core.var, input, dim, unbiased, keepdim, correction, names)
    return result, _core.mean(input, dim, keepdim)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = 1, **names: Any,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Standard deviation and mean, of all elements or along dimensions; see :func:`var`.

    Example:
        >>> cr.std_mean(cr.tensor([1.0, 3.0]), correction=0)
        (tensor(1.), tensor(2.))
    """
    result, dim, keepdim = _spread(_core.std, input, dim, unbiased, keepdim, correction, names)
    return result, _core.mean(input, dim, keepdim)


def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
    **names: Any,
) -> Tensor:  # fmt: skip
    """Norm of all elements or along dimensions: ``sum(abs(input)**p) ** (1/p)``.

    Args:
        input: floating-point tensor.
        p: the exponent, also 0 (how many are not 0) and plus or minus infinity; "fro" is 2, "nuc"
            the sum of the singular values of matrices. The gradient at 0 is 0.
        dim: dimensions to look along; None looks at all elements.
        keepdim: whether the dimensions stay, with size 1.
        dtype: dtype the input is converted to first.
        names: ``axis`` and ``keepdims``, NumPy's words.

    Raises:
        ValueError: for an unknown ``p``.
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.norm(cr.tensor([3.0, 4.0]))
        tensor(5.)
    """
    if p == "fro" or p is None:
        p = 2.0
    elif isinstance(p, str) and p != "nuc":
        raise ValueError(f"norm: unknown p (got {p!r}); expected a number, 'fro' or 'nuc'")
    if dtype is not None:
        input = _core.to(input, dtype)
    if names:
        dim, keepdim = _numpy_words("norm", dim, keepdim, names)
    if p == "nuc":
        from . import linalg

        return linalg.matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim)
    return _core.norm(input, p, dim, keepdim)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of ``input - other``, which broadcast.

    Args:
        input: floating-point tensor.
        other: tensor that broadcasts with it.
        p: the exponent, see :func:`norm`.

    Example:
        >>> cr.dist(cr.tensor([1.0, 1.0]), cr.tensor([4.0, 5.0]))
        tensor(5.)
    """
    return norm(input - other, p)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Scale down the slices along a dimension whose p-norm is larger than ``maxnorm``.

    Args:
        input: floating-point tensor of at least two dimensions.
        p: the exponent of the norm, positive.
        dim: the dimension that numbers the slices.
        maxnorm: the largest norm a slice may keep, not negative.

    Raises:
        ValueError: for fewer dimensions, a ``p`` that is not positive or a negative ``maxnorm``.

    Example:
        >>> cr.renorm(cr.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    if input.ndim < 2 or not p > 0 or not maxnorm >= 0:
        raise ValueError(
            "renorm: expected at least 2 dimensions, a positive p and a maxnorm of 0 or more "
            f"(got shape {input.shape}, p={p}, maxnorm={maxnorm})"
        )
    dim = dimension("renorm", input, dim)
    size = norm(input, p, [d for d in range(input.ndim) if d != dim], True)
    large = size > maxnorm
    return input * _core.where(large, maxnorm / (_core.where(large, size, 1.0) + 1e-7), 1.0)


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not 0, of all or along dimensions.

    Example:
        >>> cr.count_nonzero(cr.tensor([[0, 1], [2, 3]]), 0)
        tensor([1, 2])
    """
    return (input if input.dtype is _core.bool else input != 0).sum(dim)


# ---------------------------------------------------------------- without NaN


def _numbers(input: Tensor) -> Tensor:
    """The elements, 0 in place of NaN."""
    return _core.where(_core.isnan(input), 0, input)


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum of the elements that are numbers.

    Args:
        input: tensor of any shape and dtype.
        dim: dimensions to sum over; None sums all elements.
        keepdim: whether the dimensions stay, with size 1.
        dtype: dtype of the sum.

    Example:
        >>> cr.nansum(cr.tensor([1.0, float("nan"), 2.0]))
        tensor(3.)
    """
    if dtype is None and input.is_floating_point():
        return _core._nansum(input, (dim,) if isinstance(dim, int) else dim, keepdim)
    return _core.sum(_numbers(input), dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Mean of the elements that are numbers; NaN where there are none.

    Args:
        input: floating-point tensor.
        dim: dimensions to look along; None looks at all elements.
        keepdim: whether the dimensions stay, with size 1.
        dtype: dtype of the mean.

    Raises:
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.nanmean(cr.tensor([1.0, float("nan"), 2.0]))
        tensor(1.5000)
    """
    if not input.is_floating_point():
        raise TypeError(f"nanmean: needs a floating-point tensor (got {input.dtype.name})")
    count = (~_core.isnan(input)).sum(dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replace NaN and the infinities by numbers.

    Args:
        input: tensor of any shape and dtype.
        nan: what replaces NaN.
        posinf: what replaces infinity; by default the dtype's largest number.
        neginf: what replaces minus infinity; by default the dtype's smallest number.

    Example:
        >>> cr.nan_to_num(cr.tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
        tensor([1., 0., 9.])
    """
    if not input.is_floating_point():
        return input.clone()
    largest = float(_limits.finfo(input.dtype).max)
    return _core._nan_to_num(
        input,
        0.0 if nan is None else nan,
        largest if posinf is None else posinf,
        -largest if neginf is None else neginf,
    )


# ---------------------------------------------------------------- along a dimension


def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Differences of neighbours along a dimension, ``n`` times over.

    Args:
        input: tensor of at least one dimension; bool elements give whether neighbours differ.
        n: how many times.
        dim: the dimension along which neighbours lie.
        prepend: tensor that is put in front first.
        append: tensor that is put behind first.

    Raises:
        ValueError: for a 0-d input and a negative ``n``.

    Example:
        >>> cr.diff(cr.tensor([1, 4, 9]))
        tensor([3, 5])
    """
    if input.ndim == 0:
        raise ValueError("diff: needs at least one dimension (got shape ())")
    if n < 0:
        raise ValueError(f"diff: n must not be negative (got {n})")
    dim = dimension("diff", input, dim)
    if n == 0:
        return input.clone()
    parts = [part for part in (prepend, input, append) if part is not None]
    result: Tensor = _core.cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, result.shape[dim])):
        after, before = result.slice(dim, 1), result.slice(dim, 0, -1)
        result = after != before if result.dtype is _core.bool else after - before
    return result


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Logarithm of the running sum of exponentials along a dimension, without overflow.

    Partial results are combined over distances 1, 2, 4, ...

    Args:
        input: floating-point tensor.
        dim: the dimension to run along.

    Raises:
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.logcumsumexp(cr.tensor([0.0, 0.0, -1000.0]), 0)
        tensor([0.0000, 0.6931, 0.6931])
    """
    if not input.is_floating_point():
        raise TypeError(f"logcumsumexp: needs a floating-point tensor (got {input.dtype.name})")
    dim = dimension("logcumsumexp", input, dim)
    if input.ndim == 0:
        return input.clone()
    result, distance = input.clone(), 1
    while distance < input.shape[dim]:
        head = result.slice(dim, 0, distance)
        tail = _core.logaddexp(result.slice(dim, distance), result.slice(dim, 0, -distance))
        result = _core.cat([head, tail], dim)
        distance *= 2
    return result


# ---------------------------------------------------------------- element by element


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """At least ``min``, a number or a tensor, element by element; see ``clamp``.

    Example:
        >>> cr.clamp_min(cr.tensor([-1.0, 2.0]), 0.5)
        tensor([0.5000, 2.0000])
    """
    return input.clamp(min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """At most ``max``, a number or a tensor, element by element; see ``clamp``.

    Example:
        >>> cr.clamp_max(cr.tensor([-1.0, 2.0]), 0.5)
        tensor([-1.0000,  0.5000])
    """
    return input.clamp(max=max)


def sinc(input: Tensor) -> Tensor:
    """``sin(pi * input) / (pi * input)``, 1 at 0, element by element.

    Example:
        >>> cr.sinc(cr.tensor([0.0, 0.5]))
        tensor([1.0000, 0.6366])
    """
    angle = input * math.pi
    near = angle.abs() < 0.05  # where the series is exact, and has the right derivatives at 0
    square = angle * angle
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    safe = _core.where(near, 1.0, angle)
    return _core.where(near, series, safe.sin() / safe)


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, and ``values`` at 0 (no gradient).

    Args:
        input: tensor of any shape.
        values: tensor of the same dtype that broadcasts with it.

    Raises:
        TypeError: when the dtypes differ.

    Example:
        >>> cr.heaviside(cr.tensor([-2.0, 0.0, 3.0]), cr.tensor(0.5))
        tensor([0.0000, 0.5000, 1.0000])
    """
    if input.dtype is not values.dtype:
        raise TypeError(
            f"heaviside: operands differ in dtype (got {input.dtype.name} and "
            f"{values.dtype.name}); use .to(dtype)"
        )
    input, values = input.detach(), values.detach()
    return _core.where(input == 0, values, (input > 0).to(input.dtype))


def float_power(input: Any, exponent: Any) -> Tensor:
    """Power computed in float64, element by element.

    Args:
        input: tensor or number.
        exponent: tensor or number.

    Example:
        >>> cr.float_power(cr.tensor([2, 3]), -1)
        tensor([0.5000, 0.3333], dtype=chainrule.float64)
    """
    base, power = (
        _core.to(x, _core.float64) if isinstance(x, Tensor) else float(x) for x in (input, exponent)
    )
    result: Tensor = _core.pow(base, power)
    return result


def logspace(
    start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``steps`` powers of a base, their exponents evenly spaced from ``start`` to ``end``.

    Example:
        >>> cr.logspace(0, 2, 3)
        tensor([  1.,  10., 100.])
    """
    wanted = _core.get_default_dtype() if dtype is None else dtype
    low, high = _functions._ends(start, end, wanted)
    exponents = _functions.linspace(low, high, steps, dtype=_core.float64, device=device)
    result: Tensor = _core.pow(float(base), exponents).to(wanted)
    return result.requires_grad_() if requires_grad else result


clamp_min_, clamp_max_ = in_place(clamp_min), in_place(clamp_max)
float_power_, heaviside_ = in_place(float_power), in_place(heaviside)
nan_to_num_, sinc_, renorm_ = in_place(nan_to_num), in_place(sinc), in_place(renorm)

"""Max pooling over windows at random places, so that sizes shrink by any factor.

Graham, "Fractional max-pooling", 2014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor

from ._pooling import Size, check_rank, spread

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]


def _starts(samples: Tensor, size: int, kernel: int, out: int) -> Tensor:
    """Return where the windows of one dimension begin: ``(planes, out)``, the last at the end."""
    end = cr.full((samples.shape[0], 1), size - kernel)
    if out == 1:
        return end
    step = (size - kernel) / (out - 1)
    offsets = samples.unsqueeze(1)
    steps = cr.arange(out - 1, dtype=samples.dtype)
    starts = ((steps + offsets) * step).to(cr.int64) - (offsets * step).to(cr.int64)
    return cr.cat([starts, end], 1)


def _places(samples: Tensor, sizes: Any, kernel: Any, out: Any) -> Tensor:
    """Return the places of all elements of all windows: ``(planes, windows, elements)``."""
    planes, rank = samples.shape
    places = cr.zeros(planes, *(1,) * (2 * rank), dtype=cr.int64)
    for d in range(rank):
        # torch draws for the width first in images, for the depth first in volumes.
        column = rank - 1 - d if rank == 2 else d
        starts = _starts(samples[:, column], sizes[d], kernel[d], out[d])
        rows = starts.unsqueeze(2) + cr.arange(kernel[d])
        shape = [planes, *(1,) * (2 * rank)]
        shape[1 + d], shape[1 + rank + d] = out[d], kernel[d]
        places = places * sizes[d] + rows.reshape(shape)
    return places.reshape(planes, math.prod(out), math.prod(kernel))


def _output_size(op: str, input: Tensor, kernel: Any, size: Any, ratio: Any) -> tuple[int, ...]:
    rank = len(kernel)
    if (size is None) == (ratio is None):
        raise ValueError(f"{op}: give either output_size or output_ratio (got {size} and {ratio})")
    own = input.shape[-rank:]
    if size is None:
        ratios = tuple(ratio) if isinstance(ratio, Sequence) else (ratio,) * rank
        if len(ratios) != rank or not all(0 < r < 1 for r in ratios):
            raise ValueError(f"{op}: output_ratio lies between 0 and 1 (got {ratio})")
        out = tuple(int(n * r) for n, r in zip(own, ratios, strict=True))
    else:
        out = spread(op, "output_size", size, rank)
    if any(o < 1 or k < 1 or o + k - 1 > n for o, k, n in zip(out, kernel, own, strict=True)):
        raise ValueError(
            f"{op}: so many windows do not fit (got input of shape {tuple(input.shape)}, "
            f"kernel_size={kernel}, output_size={out}); expected output_size + kernel_size - 1 to "
            "be at most the input's size"
        )
    return out


def _fractional_max_pool(
    op: str,
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None,
    output_ratio: float | Sequence[float] | None,
    samples: Tensor | None,
    rank: int,
) -> tuple[Tensor, Tensor]:
    check_rank(op, input, rank)
    if not input.is_floating_point():
        raise TypeError(f"{op}: got input of dtype {input.dtype}; expected a floating one")
    kernel = spread(op, "kernel_size", kernel_size, rank)
    out = _output_size(op, input, kernel, output_size, output_ratio)
    lead, sizes = input.shape[:-rank], input.shape[-rank:]
    n, c = (1, *lead)[-2:]
    if samples is None:
        samples = cr.rand(n, c, rank, dtype=input.dtype)
    if samples.ndim != 3 or samples.shape[0] < n or samples.shape[1:] != (c, rank):
        raise ValueError(
            f"{op}: _random_samples has shape {tuple(samples.shape)}; expected {(n, c, rank)}"
        )
    drawn = samples.detach()[:n].reshape(n * c, rank)
    if not bool(((drawn >= 0) & (drawn < 1)).all()):
        raise ValueError(f"{op}: _random_samples lie in [0, 1)")
    places = _places(drawn, sizes, kernel, out)
    planes = input.reshape(n * c, math.prod(sizes))
    windows = planes.gather(1, places.flatten(1)).reshape(places.shape)
    values, which = windows.max(-1)
    at = places.gather(2, which.unsqueeze(-1))
    return values.reshape(*lead, *out), at.reshape(*lead, *out)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return the maxima of windows that begin at random places, about evenly spaced.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        kernel_size: height and width of the windows, an int or a pair.
        output_size: the output's height and width.
        output_ratio: instead, what to multiply the input's size with, between 0 and 1.
        return_indices: also return where in the flattened planes the maxima were (int64).
        _random_samples: ``(N, C, 2)`` in [0, 1), the places' randomness; None draws it.

    Returns:
        ``(N, C, *output_size)``.

    Raises:
        ValueError: both or none of size and ratio, or more windows than fit.

    Example:
        >>> F.fractional_max_pool2d(cr.zeros(1, 3, 9, 9), 2, output_ratio=0.7).shape
        (1, 3, 6, 6)
    """
    result = _fractional_max_pool(
        *("fractional_max_pool2d", input, kernel_size, output_size, output_ratio),
        *(_random_samples, 2),
    )
    return result if return_indices else result[0]


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = True,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return :func:`fractional_max_pool2d` and where in their planes the maxima were.

    Example:
        >>> x = cr.arange(4.0).reshape(1, 2, 2)
        >>> F.fractional_max_pool2d_with_indices(x, 2, output_size=1)[1]
        tensor([[[3]]])
    """
    result: tuple[Tensor, Tensor] = fractional_max_pool2d(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )
    return result


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return the maxima of windows in volumes; see :func:`fractional_max_pool2d`.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        kernel_size: depth, height and width of the windows, an int or three.
        output_size: the output's depth, height and width.
        output_ratio: instead, what to multiply the input's size with, between 0 and 1.
        return_indices: also return where in the flattened volumes the maxima were (int64).
        _random_samples: ``(N, C, 3)`` in [0, 1), the places' randomness; None draws it.

    Example:
        >>> F.fractional_max_pool3d(cr.zeros(3, 6, 9, 9), 2, output_size=(3, 4, 5)).shape
        (3, 3, 4, 5)
    """
    result = _fractional_max_pool(
        *("fractional_max_pool3d", input, kernel_size, output_size, output_ratio),
        *(_random_samples, 3),
    )
    return result if return_indices else result[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = True,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return :func:`fractional_max_pool3d` and where in their volumes the maxima were.

    Example:
        >>> x = cr.arange(8.0).reshape(1, 2, 2, 2)
        >>> F.fractional_max_pool3d_with_indices(x, 2, output_size=1)[1]
        tensor([[[[7]]]])
    """
    result: tuple[Tensor, Tensor] = fractional_max_pool3d(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )
    return result

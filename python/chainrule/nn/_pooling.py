"""Pools that are more than one operation of the core.

The maximum (and the mean) over a box is that over depth of those over planes, so volumes are
pooled by two pools over planes: the last dimensions, then depth against all pixels as columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor, _core

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool3d_with_indices",
]

Size = int | Sequence[int]
_Sizes = tuple[int, ...]
AdaptiveSize = int | Sequence[int | None] | None
_LAYOUTS = (
    "",
    "(N, C, L) or (C, L)",
    "(N, C, H, W) or (C, H, W)",
    "(N, C, D, H, W) or (C, D, H, W)",
)


def spread(op: str, name: str, value: Any, rank: int) -> tuple[int, ...]:
    """Return one value per dimension."""
    values = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    if len(values) != rank:
        raise ValueError(f"{op}: {name} is an int or {rank} (got {value})")
    return values


def check_rank(op: str, input: Tensor, rank: int) -> None:
    if input.ndim not in (rank + 1, rank + 2):
        raise ValueError(
            f"{op}: got input of shape {tuple(input.shape)}; expected {_LAYOUTS[rank]}"
        )


def _volumes(op: str, input: Tensor) -> Tensor:
    """Return the input as ``(n, D, H, W)``."""
    check_rank(op, input, 3)
    if 0 in input.shape[-3:]:
        raise ValueError(f"{op}: the volumes are empty (got shape {tuple(input.shape)})")
    return input.flatten(0, -4)


class _Windows:
    """The geometry of pooling windows over volumes, checked."""

    def __init__(
        self,
        op: str,
        input: Tensor,
        kernel_size: Size,
        stride: Size | None,
        padding: Size,
        dilation: Size = 1,
    ) -> None:
        self.kernel = spread(op, "kernel_size", kernel_size, 3)
        self.stride = self.kernel if stride is None else spread(op, "stride", stride, 3)
        self.padding = spread(op, "padding", padding, 3)
        self.dilation = spread(op, "dilation", dilation, 3)
        got = (
            f"(got input {tuple(input.shape)}, kernel_size={self.kernel}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation})"
        )
        if min(self.kernel + self.stride + self.dilation) < 1 or min(self.padding) < 0:
            raise ValueError(
                f"{op}: kernel_size, stride and dilation must be at least 1 and padding at least "
                f"0 {got}"
            )
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        if any(p > r // 2 for p, r in zip(self.padding, reach, strict=True)):
            raise ValueError(f"{op}: padding is more than half the window {got}")
        sizes = zip(input.shape[-3:], self.padding, reach, strict=True)
        if any(size + 2 * p < r for size, p, r in sizes):
            raise ValueError(f"{op}: the window is larger than the padded input {got}")

    def planes(self) -> tuple[_Sizes, _Sizes, _Sizes, _Sizes]:
        """Return kernel, stride, padding and dilation over height and width."""
        return self.kernel[1:], self.stride[1:], self.padding[1:], self.dilation[1:]

    def depth(self) -> tuple[_Sizes, _Sizes, _Sizes, _Sizes]:
        """Return the same over depth, of planes whose columns are pixels."""
        k, s, p, d = self.kernel[0], self.stride[0], self.padding[0], self.dilation[0]
        return (k, 1), (s, 1), (p, 0), (d, 1)


def _volume_places(over_planes: Tensor, over_depth: Tensor, plane: int) -> Tensor:
    """Return places in volumes of ``plane`` pixels a plane, from those of the two pools.

    Args:
        over_planes: ``(n, D, P, Q)``, places in planes.
        over_depth: ``(n, E, P * Q)``, places in planes of D rows and P * Q columns.
        plane: elements of a plane of the input.
    """
    n, _, p, q = over_planes.shape
    at = over_depth.flatten(1).to(cr.int64)
    inner = over_planes.flatten(1).gather(1, at).to(cr.int64)
    return (at.div(p * q, rounding_mode="floor") * plane + inner).reshape(n, -1, p, q)


def _like_input(input: Tensor, result: Tensor) -> Tensor:
    """Return pooled volumes with the input's leading dimensions."""
    return result.reshape(*input.shape[:-3], *result.shape[1:])


# -------------------------------------------------------------------- maxima


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of every window of every sequence.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        kernel_size: length of the window.
        stride: step of the window; its length when None.
        padding: minus infinity added on both ends, at most half the window.
        dilation: distance between elements of the window.
        ceil_mode: round the output length up instead of down.
        return_indices: also return where the maxima were (int64), as a second tensor.

    Returns:
        ``(N, C, M)`` with ``M = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> F.max_pool1d(cr.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
        tensor([[3., 5.]])
    """
    pool = _core.max_pool1d_with_indices if return_indices else _core.max_pool1d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of every window of every plane.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        kernel_size: height and width of the window, an int or a pair, as the next three.
        stride: step of the window; its size when None.
        padding: minus infinity added on all sides, at most half the window.
        dilation: distance between elements of the window.
        ceil_mode: round the output size up instead of down.
        return_indices: also return where in the flattened planes the maxima were (int64), as a
            second tensor.

    Returns:
        ``(N, C, P, Q)`` with
        ``P = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1`` and Q alike.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> F.max_pool2d(cr.arange(16.0).reshape(1, 4, 4), 2, return_indices=True)[1]
        tensor([[[ 5,  7],
                 [13, 15]]])
    """
    pool = _core.max_pool2d_with_indices if return_indices else _core.max_pool2d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of every window of every volume.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        kernel_size: depth, height and width of the window, an int or three, as the next three.
        stride: step of the window; its size when None.
        padding: minus infinity added on all sides, at most half the window.
        dilation: distance between elements of the window.
        ceil_mode: round the output size up instead of down.
        return_indices: also return where in the flattened volumes the maxima were (int64), as a
            second tensor.

    Returns:
        ``(N, C, E, P, Q)`` with
        ``E = (D + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``, P and Q alike.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> F.max_pool3d(cr.arange(8.0).reshape(1, 2, 2, 2), 2)
        tensor([[[[7.]]]])
    """
    volumes = _volumes("max_pool3d", input)
    windows = _Windows("max_pool3d", input, kernel_size, stride, padding, dilation)
    values, over_planes = _core._max_pool(volumes, *windows.planes(), ceil_mode)
    pooled, over_depth = _core._max_pool(values.flatten(2), *windows.depth(), ceil_mode)
    result = _like_input(input, pooled.unflatten(2, values.shape[2:]))
    if not return_indices:
        return result
    places = _volume_places(over_planes, over_depth, volumes.shape[2] * volumes.shape[3])
    return result, _like_input(input, places)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return :func:`max_pool3d` and where in the flattened volumes the maxima were (int64).

    Example:
        >>> F.max_pool3d_with_indices(cr.arange(8.0).reshape(1, 2, 2, 2), 2)[1]
        tensor([[[[7]]]])
    """
    result: tuple[Tensor, Tensor] = max_pool3d(
        input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )
    return result


# -------------------------------------------------------------------- means


def avg_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of every window of every volume.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        kernel_size: depth, height and width of the window, an int or three, as the next two.
        stride: step of the window; its size when None.
        padding: zeros added on all sides, at most half the window.
        ceil_mode: round the output size up instead of down.
        count_include_pad: whether the padding counts in the divisor.
        divisor_override: divide by this instead of the size of the window.

    Returns:
        ``(N, C, E, P, Q)`` with ``E = (D + 2 padding - kernel_size) // stride + 1``, P and Q alike.

    Raises:
        ValueError: the padding is more than half the window, the window does not fit, or the
            divisor is 0.

    Example:
        >>> F.avg_pool3d(cr.arange(8.0).reshape(1, 2, 2, 2), 2)
        tensor([[[[3.5000]]]])
    """
    volumes = _volumes("avg_pool3d", input)
    windows = _Windows("avg_pool3d", input, kernel_size, stride, padding)
    options = (ceil_mode, count_include_pad)
    first = None if divisor_override is None else 1  # sums, which the second pool divides
    planes = _core.avg_pool2d(volumes, *windows.planes()[:3], *options, first)
    depth = windows.depth()[:3]
    pooled = _core.avg_pool2d(planes.flatten(2), *depth, *options, divisor_override)
    return _like_input(input, pooled.unflatten(2, planes.shape[2:]))


def _lp_pool(
    op: str,
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
    rank: int,
) -> Tensor:
    kernel = spread(op, "kernel_size", kernel_size, rank)
    check_rank(op, input, rank)
    if norm_type == 0:
        raise ValueError(f"{op}: norm_type must not be 0 (got {norm_type})")
    pool: Any = (_core.avg_pool1d, _core.avg_pool2d, avg_pool3d)[rank - 1]
    means: Tensor = pool(input.pow(norm_type), kernel, stride, 0, ceil_mode)
    return (means * math.prod(kernel)).pow(1 / norm_type)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return ``sum(x^p)^(1/p)`` over every window of every sequence, p being ``norm_type``.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        norm_type: p: 1 sums, infinity would be the maximum.
        kernel_size: length of the window.
        stride: step of the window; its length when None.
        ceil_mode: round the output length up instead of down.

    Returns:
        ``(N, C, M)`` with ``M = (L - kernel_size) // stride + 1``.

    Raises:
        ValueError: ``norm_type`` is 0, or the window does not fit.

    Example:
        >>> F.lp_pool1d(cr.tensor([[3.0, 4.0, 6.0, 8.0]]), 2, 2)
        tensor([[ 5., 10.]])
    """
    return _lp_pool("lp_pool1d", input, norm_type, kernel_size, stride, ceil_mode, 1)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return ``sum(x^p)^(1/p)`` over every window of every plane; see :func:`lp_pool1d`.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        norm_type: p.
        kernel_size: height and width of the window, an int or a pair.
        stride: step of the window; its size when None.
        ceil_mode: round the output size up instead of down.

    Example:
        >>> F.lp_pool2d(cr.ones(1, 2, 2), 2, 2)
        tensor([[[2.]]])
    """
    return _lp_pool("lp_pool2d", input, norm_type, kernel_size, stride, ceil_mode, 2)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return ``sum(x^p)^(1/p)`` over every window of every volume; see :func:`lp_pool1d`.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        norm_type: p.
        kernel_size: depth, height and width of the window, an int or three.
        stride: step of the window; its size when None.
        ceil_mode: round the output size up instead of down.

    Example:
        >>> F.lp_pool3d(cr.ones(1, 2, 2, 2), 1, 2)
        tensor([[[[8.]]]])
    """
    return _lp_pool("lp_pool3d", input, norm_type, kernel_size, stride, ceil_mode, 3)


# -------------------------------------------------------------------- adaptive pools


def _output_size(op: str, input: Tensor, size: Any, rank: int) -> Any:
    """Return an adaptive pool's output size with None replaced by the input's size."""
    if size is not None and not (isinstance(size, Sequence) and None in tuple(size)):
        return size
    own = input.shape[-rank:]
    wanted = spread(op, "output_size", size, rank)
    return [o if w is None else w for w, o in zip(wanted, own, strict=True)]


def adaptive_avg_pool1d(input: Tensor, output_size: AdaptiveSize) -> Tensor:
    """Return the means of windows that cut the input into M parts.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        output_size: the length M; None keeps the input's.

    Returns:
        ``(N, C, M)``.

    Example:
        >>> F.adaptive_avg_pool1d(cr.tensor([[1.0, 2.0, 3.0]]), 1)
        tensor([[2.]])
    """
    return _core.adaptive_avg_pool1d(
        input, _output_size("adaptive_avg_pool1d", input, output_size, 1)
    )


def adaptive_avg_pool2d(input: Tensor, output_size: AdaptiveSize) -> Tensor:
    """Return the means of windows that cut the input into P x Q parts.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.

    Returns:
        ``(N, C, P, Q)``.

    Example:
        >>> F.adaptive_avg_pool2d(cr.zeros(2, 3, 8, 9), (1, None)).shape
        (2, 3, 1, 9)
    """
    return _core.adaptive_avg_pool2d(
        input, _output_size("adaptive_avg_pool2d", input, output_size, 2)
    )


def adaptive_max_pool1d(
    input: Tensor, output_size: AdaptiveSize, return_indices: bool = False
) -> Any:
    """Return the maxima of windows that cut the input into M parts.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        output_size: the length M; None keeps the input's.
        return_indices: also return where the maxima were (int64), as a second tensor.

    Returns:
        ``(N, C, M)``.

    Example:
        >>> F.adaptive_max_pool1d(cr.tensor([[1.0, 2.0, 3.0]]), 1)
        tensor([[3.]])
    """
    pool = _core.adaptive_max_pool1d_with_indices if return_indices else _core.adaptive_max_pool1d
    return pool(input, _output_size("adaptive_max_pool1d", input, output_size, 1))


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: AdaptiveSize
) -> tuple[Tensor, Tensor]:
    """Return the maxima of windows that cut the input into M parts, and where they are.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        output_size: the length M; None keeps the input's.

    Returns:
        ``(N, C, M)`` twice: the maxima, and their places (int64).

    Example:
        >>> x = cr.tensor([[1.0, 2.0, 3.0]])
        >>> F.adaptive_max_pool1d_with_indices(x, 1)[1]
        tensor([[2]])
    """
    return _core.adaptive_max_pool1d_with_indices(
        input, _output_size("adaptive_max_pool1d", input, output_size, 1)
    )


def adaptive_max_pool2d(
    input: Tensor, output_size: AdaptiveSize, return_indices: bool = False
) -> Any:
    """Return the maxima of windows that cut the input into P x Q parts.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.
        return_indices: also return where the maxima were (int64), as a second tensor.

    Returns:
        ``(N, C, P, Q)``.

    Example:
        >>> F.adaptive_max_pool2d(cr.zeros(2, 3, 8, 9), 2).shape
        (2, 3, 2, 2)
    """
    pool = _core.adaptive_max_pool2d_with_indices if return_indices else _core.adaptive_max_pool2d
    return pool(input, _output_size("adaptive_max_pool2d", input, output_size, 2))


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: AdaptiveSize
) -> tuple[Tensor, Tensor]:
    """Return the maxima of windows that cut the input into P x Q parts, and where they are.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.

    Returns:
        ``(N, C, P, Q)`` twice: the maxima, and their places (int64).

    Example:
        >>> x = cr.arange(4.0).reshape(1, 2, 2)
        >>> F.adaptive_max_pool2d_with_indices(x, 1)[1]
        tensor([[[3]]])
    """
    return _core.adaptive_max_pool2d_with_indices(
        input, _output_size("adaptive_max_pool2d", input, output_size, 2)
    )


def _output_volume(op: str, input: Tensor, size: AdaptiveSize) -> tuple[int, ...]:
    """Return an adaptive pool's depth, height and width."""
    sizes = spread(op, "output_size", _output_size(op, input, size, 3), 3)
    if min(sizes) < 1:
        raise ValueError(
            f"{op}: output_size must be at least 1 (got {sizes} for input {tuple(input.shape)})"
        )
    return sizes


def adaptive_avg_pool3d(input: Tensor, output_size: AdaptiveSize) -> Tensor:
    """Return the means of windows that cut the input into E x P x Q parts.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        output_size: ``(E, P, Q)`` or an int for all; None keeps the input's.

    Returns:
        ``(N, C, E, P, Q)``.

    Example:
        >>> F.adaptive_avg_pool3d(cr.zeros(2, 3, 4, 8, 9), (2, 1, None)).shape
        (2, 3, 2, 1, 9)
    """
    volumes = _volumes("adaptive_avg_pool3d", input)
    depth, *plane = _output_volume("adaptive_avg_pool3d", input, output_size)
    planes = _core.adaptive_avg_pool2d(volumes, plane)
    pooled = _core.adaptive_avg_pool2d(planes.flatten(2), (depth, -1))
    return _like_input(input, pooled.unflatten(2, plane))


def adaptive_max_pool3d(
    input: Tensor, output_size: AdaptiveSize, return_indices: bool = False
) -> Any:
    """Return the maxima of windows that cut the input into E x P x Q parts.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        output_size: ``(E, P, Q)`` or an int for all; None keeps the input's.
        return_indices: also return where in the flattened volumes the maxima were (int64), as a
            second tensor.

    Returns:
        ``(N, C, E, P, Q)``.

    Example:
        >>> F.adaptive_max_pool3d(cr.zeros(2, 3, 4, 8, 9), 2).shape
        (2, 3, 2, 2, 2)
    """
    volumes = _volumes("adaptive_max_pool3d", input)
    depth, *plane = _output_volume("adaptive_max_pool3d", input, output_size)
    values, over_planes = _core._adaptive_max_pool(volumes, plane)
    pooled, over_depth = _core._adaptive_max_pool(values.flatten(2), (depth, -1))
    result = _like_input(input, pooled.unflatten(2, plane))
    if not return_indices:
        return result
    places = _volume_places(over_planes, over_depth, volumes.shape[2] * volumes.shape[3])
    return result, _like_input(input, places)


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: AdaptiveSize
) -> tuple[Tensor, Tensor]:
    """Return :func:`adaptive_max_pool3d` and where in the flattened volumes the maxima were.

    Example:
        >>> F.adaptive_max_pool3d_with_indices(cr.arange(8.0).reshape(1, 2, 2, 2), 1)[1]
        tensor([[[[7]]]])
    """
    result: tuple[Tensor, Tensor] = adaptive_max_pool3d(input, output_size, return_indices=True)
    return result

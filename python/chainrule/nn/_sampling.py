"""Images read at any coordinates, as spatial transformers do.

Jaderberg et al., "Spatial transformer networks", 2015.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import chainrule as cr
from chainrule import Tensor

__all__ = ["affine_grid", "grid_sample"]

_PADDINGS = ("zeros", "border", "reflection")


class _Axis:
    """One spatial dimension: coordinates of pixels, and what lies beyond the border."""

    def __init__(self, size: int, padding_mode: str, align_corners: bool) -> None:
        self.size = size
        self.padding_mode = padding_mode
        self.align_corners = align_corners

    def place(self, at: Tensor) -> Tensor:
        """Turn -1 .. 1 into pixels."""
        if self.align_corners:
            return (at + 1) * ((self.size - 1) / 2)
        return ((at + 1) * self.size - 1) / 2

    def inside(self, at: Tensor) -> Tensor:
        """Move coordinates into the image as the padding mode says; zeros leaves them."""
        if self.padding_mode == "zeros":
            return at
        if self.padding_mode == "reflection":
            low, span = (0.0, self.size - 1) if self.align_corners else (-0.5, self.size)
            if span == 0:
                return cr.zeros_like(at)
            distance = (at - low).abs()
            rest = distance.fmod(span)
            turned = (distance / span).floor().detach().fmod(2) == 1
            at = cr.where(turned, span - rest, rest) + low
        return at.clamp(0, self.size - 1)

    def index(self, at: Tensor) -> Tensor:
        """Return whole coordinates as indices, those outside as the nearest one inside."""
        return at.detach().clamp(0, self.size - 1).nan_to_num(0.0).to(cr.int64)

    def holds(self, at: Tensor) -> Tensor:
        """Return 1 where whole coordinates are pixels, 0 elsewhere."""
        return ((at >= 0) & (at <= self.size - 1)).to(at.dtype)


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """Weights of the pixels -1, 0, 1, 2 for a point t behind pixel 0 (Keys, a = -0.75)."""
    a = -0.75

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _taps(axis: _Axis, at: Tensor, mode: str) -> list[tuple[Tensor, Tensor]]:
    """Return whole coordinates and weights along one dimension."""
    if mode == "nearest":
        nearest = axis.inside(at).detach().round()
        return [(nearest, cr.ones_like(nearest))]
    if mode == "bilinear":
        at = axis.inside(at)
        low = at.detach().floor()
        return [(low, low + 1 - at), (low + 1, at - low)]
    low = at.detach().floor()
    weights = _cubic_weights(at - low)
    return [(axis.inside(low + k - 1), weight) for k, weight in enumerate(weights)]


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Read images at given coordinates.

    Args:
        input: ``(N, C, H, W)``, or ``(N, C, D, H, W)``, floating dtype.
        grid: ``(N, P, Q, 2)`` with x (along W) before y, or ``(N, E, P, Q, 3)``; -1 and 1 are the
            image's borders.
        mode: ``"bilinear"`` (trilinear in volumes), ``"nearest"`` or ``"bicubic"`` (images only).
        padding_mode: what lies outside: ``"zeros"``, ``"border"`` (the nearest pixel) or
            ``"reflection"``.
        align_corners: whether -1 and 1 are the centres of the corner pixels rather than their
            outer edges; None is False.

    Returns:
        ``(N, C, P, Q)``, or ``(N, C, E, P, Q)``.

    Raises:
        ValueError: shapes that do not fit, or an unknown mode.
        TypeError: dtypes differ.

    Gradient: for input and grid, of any order; a pixel's own place has none.

    Example:
        >>> x = cr.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> F.grid_sample(x, cr.zeros(1, 1, 1, 2))
        tensor([[[[2.5000]]]])
    """
    rank = input.ndim - 2
    shapes = f"(got input {tuple(input.shape)} and grid {tuple(grid.shape)})"
    if rank not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != rank:
        raise ValueError(
            f"grid_sample: expected (N, C, H, W) and (N, P, Q, 2), or (N, C, D, H, W) and "
            f"(N, E, P, Q, 3) {shapes}"
        )
    if input.shape[0] != grid.shape[0] or 0 in input.shape[2:]:
        raise ValueError(f"grid_sample: expected as many images, not empty, as grids {shapes}")
    if input.dtype != grid.dtype or not input.is_floating_point():
        raise TypeError(
            "grid_sample: input and grid have one floating dtype "
            f"(got {input.dtype} and {grid.dtype})"
        )
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and rank == 3):
        raise ValueError(
            "grid_sample: mode is 'bilinear', 'nearest' or, for images, 'bicubic' "
            f"(got {mode!r} {shapes})"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(f"grid_sample: padding_mode is one of {_PADDINGS} (got {padding_mode!r})")
    sizes = input.shape[2:]
    axes = [_Axis(size, padding_mode, bool(align_corners)) for size in sizes]
    # The grid's last dimension begins with the image's last.
    taps = [_taps(axis, axis.place(grid[..., rank - 1 - d]), mode) for d, axis in enumerate(axes)]
    n, channels = input.shape[:2]
    out_size = grid.shape[1:-1]
    # Pixels as rows of channels, so that a point reads neighbours in memory.
    pixels = input.movedim(1, -1).reshape(n * math.prod(sizes), channels)
    image = cr.arange(n).reshape(n, *(1,) * rank)
    terms = []
    for corner in itertools.product(*taps):
        place, weight = image, cr.ones_like(corner[0][1])
        for axis, (at, share) in zip(axes, corner, strict=True):
            place = place * axis.size + axis.index(at)
            weight = weight * share * axis.holds(at)
        terms.append(pixels.index_select(0, place.flatten()) * weight.reshape(-1, 1))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total.reshape(n, *out_size, channels).movedim(-1, 1).contiguous()


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return the coordinates at which :func:`grid_sample` makes an affine map of images.

    Args:
        theta: ``(N, 2, 3)`` for images or ``(N, 3, 4)`` for volumes, floating dtype: where output
            coordinates, with a 1 behind them, lie in the input.
        size: the output's whole shape, ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        align_corners: as of :func:`grid_sample`.

    Returns:
        ``(N, H, W, 2)``, or ``(N, D, H, W, 3)``.

    Raises:
        ValueError: shapes that do not fit.
        TypeError: an integer dtype.

    Example:
        >>> F.affine_grid(cr.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2))
        tensor([[[[-0.5000,  0.0000],
                  [ 0.5000,  0.0000]]]])
    """
    rank = len(size) - 2
    if rank not in (2, 3) or theta.shape != (size[0], rank, rank + 1):
        raise ValueError(
            "affine_grid: expected theta (N, 2, 3) and size (N, C, H, W), or (N, 3, 4) and "
            f"(N, C, D, H, W) (got theta {tuple(theta.shape)} and size {tuple(size)})"
        )
    if min(size) < 1:
        raise ValueError(f"affine_grid: sizes must be at least 1 (got {tuple(size)})")
    if not theta.is_floating_point():
        raise TypeError(f"affine_grid: got theta of dtype {theta.dtype}; expected a floating one")

    def coordinates(n: int) -> Tensor:
        if n == 1:
            return cr.zeros(1, dtype=theta.dtype)
        edge = 1.0 if align_corners else (n - 1) / n
        return cr.linspace(-edge, edge, n, dtype=theta.dtype)

    spatial = tuple(size[2:])
    columns = []
    for d in reversed(range(rank)):  # x first
        shape = [1] * rank
        shape[d] = -1
        columns.append(coordinates(spatial[d]).reshape(shape).expand(spatial).reshape(-1))
    columns.append(cr.ones_like(columns[0]))
    points = cr.stack(columns, -1)
    return (points @ theta.transpose(1, 2)).reshape(size[0], *spatial, rank)

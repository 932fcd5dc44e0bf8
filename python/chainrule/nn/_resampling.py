"""Images of another size: interpolation, and channels traded for pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule import Tensor, _core

from ._pooling import adaptive_avg_pool3d

__all__ = [
    "channel_shuffle",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

# Name: what it does along each dimension, and the ranks of inputs it is for.
_MODES = {
    "nearest": ("nearest", (3, 4, 5)),
    "nearest-exact": ("nearest_exact", (3, 4, 5)),
    "linear": ("linear", (3,)),
    "bilinear": ("linear", (4,)),
    "trilinear": ("linear", (5,)),
    "bicubic": ("cubic", (4,)),
    "area": ("area", (3, 4, 5)),
}


def _per_dimension(name: str, value: Any, rank: int) -> list[Any]:
    values = list(value) if isinstance(value, Sequence) else [value] * rank
    if len(values) != rank:
        raise ValueError(
            f"interpolate: {name} has {len(values)} values; expected one or {rank} (got {value})"
        )
    return values


def _target(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float]]:
    """Return the output's spatial size and the scale of each dimension (0: what the sizes give)."""
    rank = input.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "interpolate: give either size or scale_factor "
            f"(got size={size}, scale_factor={scale_factor})"
        )
    if size is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is for scale_factor, not size")
        sizes, scales = [int(n) for n in _per_dimension("size", size, rank)], [0.0] * rank
    else:
        scales = [float(s) for s in _per_dimension("scale_factor", scale_factor, rank)]
        if not all(math.isfinite(s) and s > 0 for s in scales):
            raise ValueError(f"interpolate: scale_factor must be positive (got {scale_factor})")
        own = zip(input.shape[2:], scales, strict=True)
        sizes = [math.floor(n * s) for n, s in own]
        if recompute:
            scales = [0.0] * rank
    if min(sizes) < 1 or 0 in input.shape[2:]:
        raise ValueError(
            f"interpolate: sizes must be at least 1 (got {tuple(sizes)} for input of shape "
            f"{tuple(input.shape)})"
        )
    return sizes, scales


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Change the size of sequences, images or volumes.

    Pixels are squares: output pixel ``i`` lies at ``(i + 0.5) * scale - 0.5`` of the input, scale
    being the input's size over the output's, unless ``align_corners`` puts the centres of the
    corner pixels upon each other.

    Args:
        input: ``(N, C, L)``, ``(N, C, H, W)`` or ``(N, C, D, H, W)``, floating dtype.
        size: the output's spatial size, an int or one per dimension.
        scale_factor: instead, what to multiply the size with (rounded down).
        mode: ``"nearest"`` (rounds ``i * scale`` down, as torch and OpenCV do),
            ``"nearest-exact"``, ``"linear"`` (sequences), ``"bilinear"`` and ``"bicubic"``
            (images), ``"trilinear"`` (volumes), or ``"area"``: the mean of what an output pixel
            covers.
        align_corners: for linear and cubic modes; None is False.
        recompute_scale_factor: take the scale from the sizes even where ``scale_factor`` is given;
            the two differ when the output's size had to be rounded.
        antialias: where images shrink, let every pixel count by a filter as wide as an output
            pixel (bilinear and bicubic).

    Returns:
        ``(N, C, *size)``.

    Raises:
        ValueError: a mode of another rank, both or none of size and scale_factor, sizes below 1.
        TypeError: an integer dtype.

    Gradient: of any order.

    Example:
        >>> F.interpolate(cr.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
        >>> F.interpolate(cr.tensor([[[1.0, 2.0]]]), size=4, mode="linear")
        tensor([[[1.0000, 1.2500, 1.7500, 2.0000]]])
    """
    if mode not in _MODES:
        raise ValueError(f"interpolate: mode is one of {', '.join(_MODES)} (got {mode!r})")
    method, ranks = _MODES[mode]
    if input.ndim not in ranks:
        expected = " or ".join(f"{rank} dimensions" for rank in ranks)
        raise ValueError(
            f"interpolate: got input of shape {tuple(input.shape)} for mode={mode!r}; expected "
            f"{expected}: batch, channels and what is resized"
        )
    if align_corners is not None and method in ("nearest", "nearest_exact", "area"):
        raise ValueError(
            f"interpolate: align_corners is for linear and cubic modes (got mode={mode!r})"
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(
            f"interpolate: antialias is for mode='bilinear' and 'bicubic' (got mode={mode!r})"
        )
    sizes, scales = _target(input, size, scale_factor, recompute_scale_factor)
    if method == "area":
        if input.ndim == 5:
            return adaptive_avg_pool3d(input, sizes)
        pool: Any = _core.adaptive_avg_pool1d if input.ndim == 3 else _core.adaptive_avg_pool2d
        pooled: Tensor = pool(input, sizes)
        return pooled
    # Small intermediate results: what shrinks comes first, what grows last and from the back,
    # where a step costs most.
    own = input.shape[2:]
    shrinking = [d for d, n in enumerate(sizes) if n < own[d]]
    growing = [d for d, n in enumerate(sizes) if n >= own[d]]
    result = input
    for d in shrinking + growing[::-1]:
        scale = scales[d]
        # As in torch: a factor that is rounded away does not count here.
        if sizes[d] == own[d] and (method == "linear" or antialias):
            scale = 0.0
        if sizes[d] in (own[d], 2 * own[d]) and method == "nearest" and input.ndim == 4:
            scale = 0.0
        if sizes[d] == own[d] and scale in (0.0, 1.0):
            continue
        how = (method, bool(align_corners), antialias, scale, False)
        result = _core._resample(result, d + 2, own[d], sizes[d], *how)
    return input.clone() if result is input else result


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Old name of :func:`interpolate`.

    Example:
        >>> F.upsample(cr.zeros(1, 2, 4, 4), scale_factor=2).shape
        (1, 2, 8, 8)
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """Old name of :func:`interpolate` with ``mode="nearest"``.

    Example:
        >>> F.upsample_nearest(cr.zeros(1, 2, 4, 4), scale_factor=2).shape
        (1, 2, 8, 8)
    """
    return interpolate(input, size, scale_factor)


def upsample_bilinear(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """Old name of :func:`interpolate` with ``mode="bilinear"`` and ``align_corners=True``.

    Example:
        >>> F.upsample_bilinear(cr.tensor([[[[0.0, 2.0]]]]), size=(1, 3))
        tensor([[[[0., 1., 2.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


# -------------------------------------------------------------------- channels and pixels


def _images(op: str, input: Tensor, factor: int, what: str) -> None:
    if input.ndim < 3:
        raise ValueError(f"{op}: got input of shape {tuple(input.shape)}; expected (*, C, H, W)")
    if factor < 1:
        raise ValueError(f"{op}: {what} must be at least 1 (got {factor})")


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn groups of channels into finer pixels: ``(*, C r^2, H, W)`` to ``(*, C, H r, W r)``.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", 2016.

    Args:
        input: ``(*, C r^2, H, W)``, any dtype.
        upscale_factor: r.

    Raises:
        ValueError: r^2 does not divide the channels, or fewer than three dimensions.

    Example:
        >>> F.pixel_shuffle(cr.arange(4).reshape(4, 1, 1), 2)
        tensor([[[0, 1],
                 [2, 3]]])
    """
    r = upscale_factor
    _images("pixel_shuffle", input, r, "upscale_factor")
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise ValueError(
            f"pixel_shuffle: the square of upscale_factor divides the channels (got input of shape "
            f"{tuple(input.shape)} and upscale_factor={r})"
        )
    n, c = len(lead), channels // (r * r)
    cells = input.reshape(*lead, c, r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return cells.permute(*order).reshape(*lead, c, height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Turn pixels into channels: ``(*, C, H r, W r)`` to ``(*, C r^2, H, W)``.

    Args:
        input: ``(*, C, H r, W r)``, any dtype.
        downscale_factor: r.

    Raises:
        ValueError: r does not divide height and width, or fewer than three dimensions.

    Example:
        >>> F.pixel_unshuffle(cr.arange(4).reshape(1, 2, 2), 2).flatten()
        tensor([0, 1, 2, 3])
    """
    r = downscale_factor
    _images("pixel_unshuffle", input, r, "downscale_factor")
    *lead, c, height, width = input.shape
    if height % r or width % r:
        raise ValueError(
            f"pixel_unshuffle: downscale_factor divides height and width (got input of shape "
            f"{tuple(input.shape)} and downscale_factor={r})"
        )
    n = len(lead)
    cells = input.reshape(*lead, c, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return cells.permute(*order).reshape(*lead, c * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Deal the channels of each group out to all groups, so that grouped layers mix.

    Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for mobile
    devices", 2018.

    Args:
        input: ``(N, C, *)``, any dtype.
        groups: how many groups of C / groups channels there are.

    Raises:
        ValueError: groups does not divide the channels, or fewer than three dimensions.

    Example:
        >>> F.channel_shuffle(cr.arange(6).reshape(1, 6, 1), 2).flatten()
        tensor([0, 3, 1, 4, 2, 5])
    """
    if input.ndim < 3:
        raise ValueError(
            f"channel_shuffle: got input of shape {tuple(input.shape)}; expected (N, C, *)"
        )
    n, channels, *rest = input.shape
    if groups < 1 or channels % groups:
        raise ValueError(
            f"channel_shuffle: groups divides the channels (got input of shape "
            f"{tuple(input.shape)} and groups={groups})"
        )
    dealt = input.reshape(n, groups, channels // groups, *rest).transpose(1, 2)
    return dealt.reshape(n, channels, *rest)

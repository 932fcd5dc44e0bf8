"""Small sets made by formula: data for lessons and tests, without a file."""

from __future__ import annotations

import math

import chainrule as cr
from chainrule import Generator, Tensor

__all__ = ["adding_problem", "blobs", "circles", "moons", "sine", "spirals", "xor"]


def _check(name: str, samples: int, noise: float) -> None:
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise ValueError(f"{name}: samples is a positive int (got {samples!r})")
    if not noise >= 0:
        raise ValueError(f"{name}: noise is at least 0 (got {noise})")


def _shares(samples: int, parts: int) -> list[int]:
    """Sizes of nearly equal parts."""
    return [samples // parts + (k < samples % parts) for k in range(parts)]


def _finish(
    parts: list[Tensor], noise: float, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """Join the classes' points, add noise and shuffle."""
    x = cr.cat(parts)
    y = cr.cat([cr.full((len(part),), label, dtype=cr.int64) for label, part in enumerate(parts)])
    if noise:
        x = x + noise * cr.randn(*x.shape, generator=generator)
    order = cr.randperm(len(y), generator=generator)
    return x[order], y[order]


def moons(
    samples: int = 200, *, noise: float = 0.1, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Two half circles that reach into each other: no line separates them.

    Args:
        samples: number of points.
        noise: standard deviation of what is added to the points.
        generator: the source of randomness; None for the default one.

    Returns:
        Points ``(samples, 2)``, float32, and labels ``(samples,)``, int64, 0 or 1.

    Example:
        >>> x, y = cr.datasets.moons(100)
        >>> x.shape, y.sum().item()
        ((100, 2), 50)
    """
    _check("moons", samples, noise)
    upper, lower = (cr.linspace(0, math.pi, count) for count in _shares(samples, 2))
    return _finish(
        [
            cr.stack([upper.cos(), upper.sin()], 1),
            cr.stack([1 - lower.cos(), 0.5 - lower.sin()], 1),
        ],
        noise,
        generator,
    )


def circles(
    samples: int = 200,
    *,
    noise: float = 0.05,
    factor: float = 0.5,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """A circle inside another.

    Args:
        samples: number of points.
        noise: standard deviation of what is added to the points.
        factor: radius of the inner circle (label 1); the outer one's is 1.
        generator: the source of randomness; None for the default one.

    Returns:
        Points ``(samples, 2)``, float32, and labels ``(samples,)``, int64.

    Example:
        >>> x, y = cr.datasets.circles(100, noise=0.0)
        >>> x[y == 1].norm(dim=1).mean().item()
        0.5
    """
    _check("circles", samples, noise)
    if not 0 <= factor < 1:
        raise ValueError(f"circles: factor is at least 0 and below 1 (got {factor})")
    parts = []
    for radius, count in zip((1.0, factor), _shares(samples, 2), strict=True):
        angle = cr.arange(count) * (2 * math.pi / max(1, count))
        parts.append(radius * cr.stack([angle.cos(), angle.sin()], 1))
    return _finish(parts, noise, generator)


def spirals(
    samples: int = 300,
    *,
    arms: int = 2,
    turns: float = 1.5,
    noise: float = 0.02,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Spiral arms around the origin, one per class: a hard test for small nets.

    An arm's radius grows from 0.05 to 1 while it turns ``turns`` times.

    Args:
        samples: number of points.
        arms: number of arms, which is that of the classes.
        turns: how often an arm goes round.
        noise: standard deviation of what is added to the points.
        generator: the source of randomness; None for the default one.

    Returns:
        Points ``(samples, 2)``, float32, and labels ``(samples,)``, int64.

    Example:
        >>> x, y = cr.datasets.spirals(90, arms=3)
        >>> x.shape, cr.bincount(y).tolist()
        ((90, 2), [30, 30, 30])
    """
    _check("spirals", samples, noise)
    if arms < 1:
        raise ValueError(f"spirals: arms is at least 1 (got {arms})")
    parts = []
    for arm, count in enumerate(_shares(samples, arms)):
        radius = cr.linspace(0.05, 1, count)
        angle = 2 * math.pi * (turns * radius + arm / arms)
        parts.append(cr.stack([radius * angle.cos(), radius * angle.sin()], 1))
    return _finish(parts, noise, generator)


def xor(
    samples: int = 4, *, noise: float = 0.0, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """The corners of the unit square; the label is the exclusive or of the coordinates.

    Args:
        samples: number of points; the corners repeat in turn.
        noise: standard deviation of what is added to the points.
        generator: the source of the noise; None for the default one.

    Returns:
        Points ``(samples, 2)``, float32, and labels ``(samples,)``, int64.

    Example:
        >>> x, y = cr.datasets.xor()
        >>> x.tolist(), y.tolist()
        ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    _check("xor", samples, noise)
    corner = cr.arange(samples) % 4
    a, b = corner // 2, corner % 2
    x = cr.stack([a, b], 1).to(cr.float32)
    if noise:
        x = x + noise * cr.randn(samples, 2, generator=generator)
    return x, (a != b).to(cr.int64)


def blobs(
    samples: int = 300,
    *,
    centers: int | Tensor = 3,
    features: int = 2,
    std: float = 1.0,
    box: tuple[float, float] = (-10.0, 10.0),
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Round clouds of points, normally distributed about their centres.

    Args:
        samples: number of points.
        centers: how many, drawn from the box; or the centres themselves, ``(k, features)``.
        features: dimension of the points, where the centres are drawn.
        std: standard deviation of the clouds.
        box: least and greatest coordinate of a drawn centre.
        generator: the source of randomness; None for the default one.

    Returns:
        Points ``(samples, features)``, float32, and labels ``(samples,)``, int64.

    Example:
        >>> x, y = cr.datasets.blobs(30, centers=cr.tensor([[0.0, 0.0], [50.0, 0.0]]))
        >>> cr.equal(y, (x[:, 0] > 25).long())
        True
    """
    _check("blobs", samples, std)
    if isinstance(centers, int):
        if centers < 1:
            raise ValueError(f"blobs: centers is at least 1 (got {centers})")
        low, high = box
        centers = low + (high - low) * cr.rand(centers, features, generator=generator)
    if centers.ndim != 2:
        raise ValueError(f"blobs: centers is (k, features) (got shape {tuple(centers.shape)})")
    rows = zip(centers.to(cr.float32), _shares(samples, len(centers)), strict=True)
    parts = [center.expand(count, centers.shape[1]) for center, count in rows]
    return _finish(parts, std, generator)


def sine(
    samples: int = 100,
    *,
    noise: float = 0.1,
    low: float = -math.pi,
    high: float = math.pi,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Points about a sine curve, for regression.

    Args:
        samples: number of points, evenly spaced.
        noise: standard deviation of what is added to the values.
        low: the first argument of the sine.
        high: the last one.
        generator: the source of the noise; None for the default one.

    Returns:
        Arguments and values, ``(samples, 1)``, float32.

    Example:
        >>> x, y = cr.datasets.sine(50, noise=0.0)
        >>> x.shape, cr.equal(y, x.sin())
        ((50, 1), True)
    """
    _check("sine", samples, noise)
    x = cr.linspace(low, high, samples).unsqueeze(1)
    y = x.sin()
    return x, y + noise * cr.randn(samples, 1, generator=generator) if noise else y


def adding_problem(
    samples: int = 1000, length: int = 50, *, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Sequences whose target is the sum of two marked numbers: a test of long memory.

    A step holds a number from [0, 1) and a mark, which is 1 at one step of the first half and at
    one of the second (Hochreiter and Schmidhuber, 1997). Always answering 1 has the mean squared
    error 1/6.

    Args:
        samples: number of sequences.
        length: steps of a sequence.
        generator: the source of randomness; None for the default one.

    Returns:
        Sequences ``(samples, length, 2)`` and sums ``(samples, 1)``, float32.

    Example:
        >>> x, y = cr.datasets.adding_problem(10, 20)
        >>> cr.allclose((x[:, :, 0] * x[:, :, 1]).sum(1, keepdim=True), y)
        True
    """
    _check("adding_problem", samples, 0)
    if length < 2:
        raise ValueError(f"adding_problem: length is at least 2 (got {length})")
    numbers = cr.rand(samples, length, generator=generator)
    middle = length // 2
    first = cr.randint(0, middle, (samples, 1), generator=generator)
    second = cr.randint(middle, length, (samples, 1), generator=generator)
    marks = cr.zeros(samples, length)
    marks.scatter_(1, cr.cat([first, second], 1), 1.0)
    return cr.stack([numbers, marks], 2), (numbers * marks).sum(1, keepdim=True)

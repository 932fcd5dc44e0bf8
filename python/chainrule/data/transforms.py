"""Transformations of pictures: making more data of what there is.

Pictures are tensors ``(channels, height, width)``, or batches of them ``(N, channels, height,
width)``; in a batch every picture draws for itself. :class:`TransformedDataset` applies one to a
dataset, whole batches at a time where the dataset gives whole batches. In a DataLoader's worker the
random numbers are the worker's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import Generator, Tensor
from chainrule.nn import functional as F

from ._workers import get_worker_info
from .dataset import Dataset

__all__ = [
    "Compose",
    "CutMix",
    "GaussianNoise",
    "MixUp",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomShift",
    "RandomVerticalFlip",
    "TransformedDataset",
]


def _source(generator: Generator | None) -> Generator:
    """Return the generator given, the worker's, or the default one."""
    if generator is not None:
        return generator
    info = get_worker_info()
    return cr.default_generator if info is None else info.generator


def _batched(name: str, x: Tensor) -> Tensor:
    """Return pictures as a batch."""
    if x.ndim not in (3, 4):
        raise ValueError(
            f"{name}: expected pictures (channels, height, width) or a batch of them "
            f"(got shape {tuple(x.shape)})"
        )
    return x if x.ndim == 4 else x.unsqueeze(0)


def _check_probability(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is a probability between 0 and 1 (got {p})")


class Compose:
    """One transformation after the other.

    Args:
        transforms: functions of a picture.

    Example:
        >>> from chainrule.data import transforms
        >>> both = transforms.Compose([lambda x: x + 1, lambda x: x * 2])
        >>> both(cr.ones(1))
        tensor([4.])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x


class Normalize:
    """``(x - mean) / std``, channel by channel.

    Args:
        mean: a number per channel, or one for all.
        std: likewise.

    Raises:
        ValueError: a ``std`` is not positive.

    Example:
        >>> from chainrule.data import transforms
        >>> transforms.Normalize([0.5], [0.25])(cr.ones(1, 1, 1)).item()
        2.0
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        self.mean = cr.tensor(mean, dtype=cr.float32).reshape(-1, 1, 1)
        self.std = cr.tensor(std, dtype=cr.float32).reshape(-1, 1, 1)
        if not bool((self.std > 0).all()):
            raise ValueError(f"Normalize: std is positive (got {std})")

    def __call__(self, x: Tensor) -> Tensor:
        channels = _batched("Normalize", x).shape[1]
        for values in (self.mean, self.std):
            if len(values) not in (1, channels):
                raise ValueError(f"Normalize: {len(values)} values for {channels} channels")
        return (x - self.mean) / self.std


class _RandomFlip:
    """Flip along a dimension with probability ``p``."""

    dim: int

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        _check_probability(type(self).__name__, p)
        self.p = p
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        pictures = _batched(type(self).__name__, x)
        draws = cr.rand(len(pictures), 1, 1, 1, generator=_source(self.generator))
        return cr.where(draws < self.p, pictures.flip(self.dim), pictures).reshape(x.shape)


class RandomHorizontalFlip(_RandomFlip):
    """Swap left and right with probability ``p``.

    Args:
        p: the probability.
        generator: the source of randomness; None for the worker's or the default one.

    Example:
        >>> from chainrule.data import transforms
        >>> transforms.RandomHorizontalFlip(1.0)(cr.arange(4).reshape(1, 2, 2))
        tensor([[[1, 0],
                 [3, 2]]])
    """

    dim = -1


class RandomVerticalFlip(_RandomFlip):
    """Swap top and bottom with probability ``p``.

    Args:
        p: the probability.
        generator: the source of randomness; None for the worker's or the default one.

    Example:
        >>> from chainrule.data import transforms
        >>> transforms.RandomVerticalFlip(1.0)(cr.arange(4).reshape(1, 2, 2))
        tensor([[[2, 3],
                 [0, 1]]])
    """

    dim = -2


class RandomCrop:
    """Cut out a part at a random place.

    Args:
        size: height and width of the part; an int for both.
        padding: how many zeros are first put around the picture.
        generator: the source of randomness; None for the worker's or the default one.

    Raises:
        ValueError: when called: the picture with its padding is smaller than ``size``.

    Example:
        >>> from chainrule.data import transforms
        >>> transforms.RandomCrop(24)(cr.zeros(8, 3, 32, 32)).shape
        (8, 3, 24, 24)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int = 0,
        generator: Generator | None = None,
    ) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if len(self.size) != 2 or min(self.size) < 1 or padding < 0:
            raise ValueError(
                f"RandomCrop: size is positive and padding at least 0 (got {size}, {padding})"
            )
        self.padding = padding
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        pictures = _crop(x, self.size, self.padding, self.generator)
        return pictures if x.ndim == 4 else pictures[0]


def _crop(x: Tensor, size: tuple[int, ...], padding: int, generator: Generator | None) -> Tensor:
    pictures = _batched("RandomCrop", x)
    if padding:
        pictures = F.pad(pictures, (padding,) * 4)
    count, channels, *whole = pictures.shape
    if whole[0] < size[0] or whole[1] < size[1]:
        raise ValueError(
            f"RandomCrop: cannot cut {size[0]}x{size[1]} out of {whole[0]}x{whole[1]} (padding "
            f"{padding} included)"
        )
    source = _source(generator)
    rows, columns = (
        cr.randint(0, full - part + 1, (count, 1), generator=source) + cr.arange(part)
        for full, part in zip(whole, size, strict=True)
    )
    return pictures[
        cr.arange(count).reshape(-1, 1, 1, 1),
        cr.arange(channels).reshape(-1, 1, 1),
        rows.reshape(count, 1, -1, 1),
        columns.reshape(count, 1, 1, -1),
    ]


class RandomShift:
    """Move the picture by up to some pixels in each direction; what comes in is zero.

    Args:
        pixels: the largest shift.
        generator: the source of randomness; None for the worker's or the default one.

    Example:
        >>> from chainrule.data import transforms
        >>> transforms.RandomShift(2)(cr.zeros(8, 1, 28, 28)).shape
        (8, 1, 28, 28)
    """

    def __init__(self, pixels: int, generator: Generator | None = None) -> None:
        if pixels < 0:
            raise ValueError(f"RandomShift: pixels is at least 0 (got {pixels})")
        self.pixels = pixels
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        return _crop(x, tuple(x.shape[-2:]), self.pixels, self.generator).reshape(x.shape)


class GaussianNoise:
    """Add normal noise.

    Args:
        std: its standard deviation.
        generator: the source of randomness; None for the worker's or the default one.

    Example:
        >>> from chainrule.data import transforms
        >>> 0.5 < transforms.GaussianNoise(1.0)(cr.zeros(1000)).std().item() < 1.5
        True
    """

    def __init__(self, std: float = 0.1, generator: Generator | None = None) -> None:
        if not std >= 0:
            raise ValueError(f"GaussianNoise: std is at least 0 (got {std})")
        self.std = std
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        noise = cr.randn(*x.shape, dtype=x.dtype, generator=_source(self.generator))
        return x + self.std * noise


class _Mixing:
    """What mixes a batch with itself in another order: pictures and one-hot labels."""

    def __init__(
        self, classes: int, alpha: float = 1.0, generator: Generator | None = None
    ) -> None:
        if classes < 1 or not alpha > 0:
            raise ValueError(
                f"{type(self).__name__}: classes and alpha are positive (got {classes}, {alpha})"
            )
        self.classes = classes
        self.alpha = alpha
        self.generator = generator

    def __call__(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if len(x) != len(y):
            raise ValueError(f"{type(self).__name__}: {len(x)} pictures and {len(y)} labels")
        labels = F.one_hot(y, self.classes).to(cr.float32) if y.ndim == 1 else y
        source = _source(self.generator)
        seed = int(cr.randint(0, 2**62, (), generator=source))
        rng = np.random.default_rng(seed)  # which has the beta distribution
        other = cr.randperm(len(x), generator=source)
        mixed, share = self._mix(x, x[other], float(rng.beta(self.alpha, self.alpha)), rng)
        return mixed, share * labels + (1 - share) * labels[other]

    def _mix(
        self, x: Tensor, other: Tensor, share: float, rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        raise NotImplementedError


class MixUp(_Mixing):
    """Blend each picture, and its label, with another of the batch (Zhang et al., 2018).

    ``s * x[i] + (1 - s) * x[j]``, with one s of a beta distribution for the batch.

    Args:
        classes: number of classes; labels become shares of them.
        alpha: both parameters of the beta distribution.
        generator: the source of randomness; None for the worker's or the default one.

    Example:
        >>> from chainrule.data import transforms
        >>> x, y = transforms.MixUp(3)(cr.randn(4, 1, 8, 8), cr.tensor([0, 1, 2, 0]))
        >>> cr.allclose(y.sum(1), cr.ones(4))
        True
    """

    def _mix(
        self, x: Tensor, other: Tensor, share: float, rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        return share * x + (1 - share) * other, share


class CutMix(_Mixing):
    """Replace a rectangle of each picture by another's, labels in proportion (Yun et al., 2019).

    Args:
        classes: number of classes; labels become shares of them.
        alpha: both parameters of the beta distribution that the area is drawn from.
        generator: the source of randomness; None for the worker's or the default one.

    Example:
        >>> from chainrule.data import transforms
        >>> x, y = transforms.CutMix(3)(cr.randn(4, 1, 8, 8), cr.tensor([0, 1, 2, 0]))
        >>> x.shape, y.shape
        ((4, 1, 8, 8), (4, 3))
    """

    def _mix(
        self, x: Tensor, other: Tensor, share: float, rng: np.random.Generator
    ) -> tuple[Tensor, float]:
        height, width = x.shape[-2:]
        half = 0.5 * (1 - share) ** 0.5
        y, x0 = rng.integers(height), rng.integers(width)
        top, bottom = (int(np.clip(y + s * half * height, 0, height)) for s in (-1, 1))
        left, right = (int(np.clip(x0 + s * half * width, 0, width)) for s in (-1, 1))
        mixed = x.clone()
        mixed[..., top:bottom, left:right] = other[..., top:bottom, left:right]
        return mixed, 1 - (bottom - top) * (right - left) / (height * width)


class TransformedDataset(Dataset[Any]):
    """A dataset whose samples' first field is transformed when it is read.

    Args:
        dataset: its samples are tuples ``(x, ...)``.
        transform: a function of x, or of a batch of them where the dataset has ``get_batch``.

    Example:
        >>> from chainrule.data import DataLoader, TensorDataset, transforms
        >>> data = TensorDataset(cr.ones(4, 1, 2, 2), cr.arange(4))
        >>> double = transforms.TransformedDataset(data, lambda x: 2 * x)
        >>> next(iter(DataLoader(double, batch_size=2)))[0].sum().item()
        16.0
    """

    def __init__(self, dataset: Any, transform: Callable[[Any], Any]) -> None:
        self.dataset = dataset
        self.transform = transform

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        x, *rest = self.dataset[index]
        return (self.transform(x), *rest)

    @property
    def get_batch(self) -> Callable[[Tensor], list[Any]]:
        """``get_batch(indices)`` where the dataset has it."""
        fetch = self.dataset.get_batch

        def transformed(indices: Tensor) -> list[Any]:
            x, *rest = fetch(indices)
            return [self.transform(x), *rest]

        return transformed

    def __len__(self) -> int:
        return len(self.dataset)

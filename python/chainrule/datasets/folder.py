"""Pictures in folders, one folder per class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import Tensor
from chainrule.data import Dataset

__all__ = ["ImageFolder"]

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFolder(Dataset[tuple[Any, Any]]):
    """Pictures below a directory, whose sub-directories are the classes.

    The names are those of torchvision's ``ImageFolder``. A sample is a picture, float32 in [0, 1]
    of shape ``(channels, height, width)``, and the number of its class. Needs Pillow.

    Args:
        root: the directory.
        transform: applied to the picture.
        target_transform: applied to the class number.
        mode: Pillow's mode that pictures are converted to, such as ``"RGB"`` or ``"L"`` (grey).
        size: ``(height, width)`` that pictures are scaled to; None keeps their own, which then
            must agree within a batch.
        extensions: what names of pictures end with.

    Attributes:
        classes: names of the classes, sorted.
        class_to_idx: their numbers.
        samples: paths and class numbers.
        targets: the class numbers alone.

    Raises:
        FileNotFoundError: no such directory, or no class or picture in it.
        ImportError: Pillow is missing.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        *,
        mode: str = "RGB",
        size: tuple[int, int] | None = None,
        extensions: Sequence[str] = EXTENSIONS,
    ) -> None:
        _pillow()
        self.root = os.fspath(root)
        self.transform = transform
        self.target_transform = target_transform
        self.mode = mode
        self.size = size
        self.classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        if not self.classes:
            raise FileNotFoundError(
                f"ImageFolder: {self.root!r} has no sub-directories; expected one per class"
            )
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples: list[tuple[str, int]] = []
        endings = tuple(extension.lower() for extension in extensions)
        for name, number in self.class_to_idx.items():
            before = len(self.samples)
            for folder, folders, files in os.walk(os.path.join(self.root, name)):
                folders.sort()
                for file in sorted(files):
                    if file.lower().endswith(endings):
                        self.samples.append((os.path.join(folder, file), number))
            if len(self.samples) == before:
                raise FileNotFoundError(
                    f"ImageFolder: class {name!r} in {self.root!r} has no picture; expected files "
                    f"that end with one of {', '.join(endings)}"
                )
        self.targets = [number for _, number in self.samples]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        picture: Any = self.load(path)
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            return picture, self.target_transform(target)
        return picture, target

    def __len__(self) -> int:
        return len(self.samples)

    def load(self, path: str | os.PathLike[str]) -> Tensor:
        """Read one picture, as samples are read.

        Args:
            path: the file.

        Raises:
            ValueError: the file is no picture, or is damaged.
        """
        image = _pillow()
        try:
            with image.open(path) as file:
                picture = file.convert(self.mode)
                if self.size is not None:
                    picture = picture.resize(self.size[::-1], image.Resampling.BILINEAR)
        except FileNotFoundError:
            raise
        except (OSError, SyntaxError, ValueError, image.DecompressionBombError) as error:
            raise ValueError(f"ImageFolder: {os.fspath(path)!r}: {error}") from None
        array = np.asarray(picture)
        if array.ndim == 2:
            array = array[:, :, None]
        scale = 255 if array.dtype == np.uint8 else 1
        return cr.tensor(np.float32(array.transpose(2, 0, 1)) / np.float32(scale))


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "ImageFolder: reading pictures needs Pillow; run: pip install 'chainrule[examples]'"
        ) from None
    return Image

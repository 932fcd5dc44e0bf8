"""`chainrule predict`: which digit does a picture show?"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr

from ._common import UsageError, require
from ._digits_data import Images
from ._digits_model import load_recogniser

FAINT = 0.3  # ink up to this is taken for smudges when the digit's edges are sought


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    image_module = require("PIL.Image", "pillow")
    model = load_recogniser(args.model)
    for path in args.images:
        picture = prepare(read_ink(image_module, path), image_module, model.size, model.margin)
        with cr.no_grad():
            logits = model.network(cr.from_numpy(picture[None, None]))[0]
        probabilities = logits.softmax(dim=0).numpy()
        print(f"{path}: {probabilities.argmax()}")
        for digit, probability in enumerate(probabilities):
            print(f"  {digit}  {probability:6.1%} {'#' * round(40 * float(probability))}".rstrip())


def read_ink(image_module: Any, path: str) -> Images:
    """Read a picture as ink from 0 to 1, dark on bright and bright on dark alike."""
    try:
        with image_module.open(path) as image:
            if image.mode.startswith("I"):  # 16 and 32 bits of grey
                grey = image.convert("I").convert("F")
            else:
                page = image_module.new("RGBA", image.size, "white")
                grey = image_module.alpha_composite(page, image.convert("RGBA")).convert("F")
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as error:
        raise UsageError(f"cannot read {path!r} as a picture: {error}") from None
    values: npt.NDArray[np.float32] = np.asarray(grey, np.float32)
    low, high = values.min(), values.max()
    if not high - low > 1:
        raise UsageError(f"{path!r} is blank; expected a digit")
    ink = (values - low) / (high - low)
    border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    return np.asarray(1 - ink if np.median(border) > 0.5 else ink, np.float32)


def prepare(ink: Images, image_module: Any, size: int, margin: int) -> Images:
    """Bring ink to the `(size, size)` the network was trained on.

    An image of that size is taken as it is. Any other is cropped to the ink, scaled so that its
    longer side leaves `margin` pixels of paper, and centred.
    """
    if ink.shape == (size, size):
        return ink
    rows = np.flatnonzero((ink > FAINT).any(axis=1))
    columns = np.flatnonzero((ink > FAINT).any(axis=0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = np.array(crop.shape) * (size - 2 * margin) / max(crop.shape)
    height, width = max(1, round(height)), max(1, round(width))
    small = image_module.fromarray(crop).resize((width, height), image_module.Resampling.BOX)
    result = np.zeros((size, size), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    result[top : top + height, left : left + width] = small
    result /= result.max()
    return result

"""The digit recogniser's network, and the file it lives in."""

from __future__ import annotations

from typing import NamedTuple

from .. import nn
from ..io import load_file, load_metadata, save_file
from ._common import UsageError

_APPLICATION = "chainrule digits"


class Recogniser(NamedTuple):
    """A network with what a caller must know to prepare an image for it."""

    network: nn.Module
    size: int  # images are (N, 1, size, size), paper 0, ink 1
    margin: int  # blank pixels around the ink


def build_network(size: int) -> nn.Sequential:
    """Two convolutions, a pool, one more of each, a linear layer: 30,634 parameters for 8x8."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(64 * (size // 4) ** 2, 10),
    )


def save_recogniser(model: Recogniser, path: str, notes: dict[str, str]) -> None:
    """Write weights and description to one safetensors file."""
    metadata = {
        "application": _APPLICATION,
        "image_size": str(model.size),
        "margin": str(model.margin),
        "input": f"float32 (N, 1, {model.size}, {model.size}), paper 0, ink 1",
        "network": repr(model.network),
    }
    save_file(model.network.state_dict(), path, {**metadata, **notes})


def load_recogniser(path: str) -> Recogniser:
    """Read a file of `save_recogniser`, ready to predict."""
    try:
        metadata, weights = load_metadata(path), load_file(path)
    except ValueError as error:
        raise UsageError(str(error)) from None
    size, margin = metadata.get("image_size", ""), metadata.get("margin", "")
    if (
        metadata.get("application") != _APPLICATION
        or not (size.isdecimal() and margin.isdecimal())
        or not (8 <= int(size) <= 256 and 2 * int(margin) < int(size))
    ):
        raise UsageError(f"{path!r} is not a model of `chainrule digits`")
    network = build_network(int(size))
    try:
        network.load_state_dict(weights)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path!r} does not fit the network: {error}") from None
    network.eval()
    return Recogniser(network, int(size), int(margin))

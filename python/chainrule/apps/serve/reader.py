"""What the network says to a drawing: probabilities, activations, and the pixels that mattered."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import nn

from .._digits_data import Images
from .._digits_model import Recogniser
from ..predict import FAINT, prepare

_SIDES = range(8, 1025)  # of a drawing


class BadDrawingError(ValueError):
    """A request that holds no drawing; the page shows the sentence."""


class Reader:
    """A recogniser that explains itself. It keeps no state: threads may share it."""

    def __init__(self, model: Recogniser, image_module: Any) -> None:
        assert isinstance(model.network, nn.Sequential)
        self._model = model
        self._image_module = image_module
        self._first = model.network[:2]  # the first convolution and its ReLU
        self._rest = model.network[2:]

    def describe(self) -> dict[str, Any]:
        """Return what the page says about the network."""
        weights = sum(weight.numel() for weight in self._model.network.parameters())
        return {"size": self._model.size, "parameters": weights}

    def read(self, request: Any) -> dict[str, Any]:
        """Answer a drawing, ``{"width": w, "height": h, "ink": base64 of w * h bytes}``.

        Returns:
            ``probabilities`` of the ten digits; the ``digit`` of the largest; and three stacks of
            pictures as base64 of bytes, each with its ``shape``: ``seen``, the input; ``maps``,
            the first layer's activations; ``mattered``, the gradient of the digit's score
            with respect to the input, 128 for zero (Simonyan et al., "Deep Inside Convolutional
            Networks", 2013).

        Raises:
            BadDrawingError: anything else than a drawing, or a blank one.
        """
        ink = _decode(request)
        if not ink.max() > FAINT:
            raise BadDrawingError("the drawing is blank; draw a digit")
        picture = prepare(ink, self._image_module, self._model.size, self._model.margin)
        x = cr.from_numpy(picture[None, None]).requires_grad_()
        maps = self._first(x)
        scores = self._rest(maps)[0]
        digit = int(scores.argmax().item())
        (gradient,) = cr.autograd.grad(scores[digit], [x])
        slope = gradient[0].numpy()
        return {
            "digit": digit,
            "probabilities": scores.detach().softmax(dim=0).tolist(),
            "seen": _encode(255 * picture[None]),
            "maps": _encode(_spread(maps.detach()[0].numpy()) * 255),
            "mattered": _encode(128 + 127 * _spread(slope)),
        }


def _decode(request: Any) -> Images:
    if not isinstance(request, dict):
        raise BadDrawingError("expected a JSON object with width, height and ink")
    height, width = (_side(name, request.get(name)) for name in ("height", "width"))
    ink = request.get("ink")
    if not isinstance(ink, str):
        raise BadDrawingError("ink is missing; expected base64 of one byte per pixel")
    try:
        values = base64.b64decode(ink, validate=True)
    except ValueError:
        raise BadDrawingError("ink is not base64") from None
    if len(values) != width * height:
        raise BadDrawingError(
            f"ink holds {len(values)} bytes; expected {width * height} for {width} x {height}"
        )
    pixels = np.frombuffer(values, np.uint8).reshape(height, width)
    return np.divide(pixels, 255, dtype=np.float32)


def _side(name: str, value: Any) -> int:
    if type(value) is int and value in _SIDES:
        return value
    raise BadDrawingError(
        f"{name} is {str(value)[:20]!r}; expected an integer from {_SIDES[0]} to {_SIDES[-1]}"
    )


def _spread(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale to a largest magnitude of 1."""
    largest = np.abs(values).max()
    return values / largest if largest > 0 else values


def _encode(values: npt.NDArray[np.float32]) -> dict[str, Any]:
    data = base64.b64encode(np.rint(values).astype(np.uint8).tobytes()).decode()
    return {"shape": list(values.shape), "data": data}

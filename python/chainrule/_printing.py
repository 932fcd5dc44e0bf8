"""Text of tensors, as torch prints them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ._core import Tensor, get_default_dtype


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed.

    Args:
        precision: digits after the point (default 4).
        threshold: elements above which the middle is left out (default 1000).
        edgeitems: elements shown at each end then (default 3).
        linewidth: characters of a line (default 80).
        profile: "default", "short" or "full".
        sci_mode: True or False for scientific notation, None to choose by the values.

    Example:
        >>> cr.set_printoptions(precision=2)
        >>> cr.tensor([1 / 3])
        tensor([0.33])
        >>> cr.set_printoptions(profile="default")
    """
    profiles: dict[str, dict[str, Any]] = {
        "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
        "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
        "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
    }
    if profile is not None:
        if profile not in profiles:
            raise ValueError(
                f"set_printoptions: profile must be one of {list(profiles)} (got {profile!r})"
            )
        for name, value in profiles[profile].items():
            setattr(_options, name, value)
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, value in given.items():
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


class _Formatter:
    """Chooses one format and width for all elements shown."""

    def __init__(self, tensor: Tensor) -> None:
        self._floating = tensor.is_floating_point()
        self._integral = True  # as long as no element shows otherwise
        self._scientific = False
        self.width = 1
        values = tensor.reshape(-1).tolist()
        if not self._floating:
            self.width = max([1, *(len(str(v)) for v in values)])
            return
        finite = [abs(v) for v in values if math.isfinite(v) and v != 0]
        if finite:
            largest, smallest = max(finite), min(finite)
            self._integral = all(v == math.ceil(v) for v in finite)
            far_apart = largest / smallest > 1000.0
            self._scientific = (
                far_apart or largest > 1.0e8 or (not self._integral and smallest < 1.0e-4)
            )
        if _options.sci_mode is not None:
            self._scientific = _options.sci_mode
        # torch measures nonzero finite values, and pads the others to that width.
        measured = [v for v in values if math.isfinite(v) and v != 0] or []
        self.width = max([1, *(len(self._number(v)) for v in measured)])

    def _number(self, value: float) -> str:
        if not math.isfinite(value):
            return str(value)
        if self._scientific:
            return f"{value:.{_options.precision}e}"
        if self._integral:
            return f"{value:.0f}."
        return f"{value:.{_options.precision}f}"

    def __call__(self, value: Any) -> str:
        text = self._number(value) if self._floating else str(value)
        return text.rjust(self.width)


def _summarised(tensor: Tensor, edge: int) -> Tensor:
    """Only the elements that a summary shows."""
    for dim in range(tensor.ndim):
        size = tensor.size(dim)
        if size > 2 * edge:
            from ._core import cat, slice

            tensor = cat([slice(tensor, dim, 0, edge), slice(tensor, dim, size - edge, None)], dim)
    return tensor


def _lines(tensor: Tensor, indent: int, summarise: bool, formatter: _Formatter) -> str:
    if tensor.ndim == 0:
        return formatter(tensor.item())
    edge = _options.edgeitems
    size = tensor.size(0)
    cut = summarise and size > 2 * edge
    if tensor.ndim == 1:
        per_line = max(1, (_options.linewidth - indent) // (formatter.width + 2))
        shown = (
            [formatter(v) for v in tensor[:edge].tolist()]
            + [" ..."]
            + [formatter(v) for v in tensor[-edge:].tolist()]
            if cut
            else [formatter(v) for v in tensor.tolist()]
        )
        rows = [shown[i : i + per_line] for i in range(0, len(shown), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(", ".join(row) for row in rows) + "]"

    def inner(i: int) -> str:
        return _lines(tensor[i], indent + 1, summarise, formatter)

    if cut:
        slices = (
            [inner(i) for i in range(edge)] + ["..."] + [inner(i) for i in range(size - edge, size)]
        )
    else:
        slices = [inner(i) for i in range(size)]
    separator = "," + "\n" * (tensor.ndim - 1) + " " * (indent + 1)
    return "[" + separator.join(slices) + "]"


def tensor_repr(tensor: Tensor) -> str:
    """``repr`` of a tensor; a summary also shows the shape."""
    plain = tensor.detach()
    prefix = "tensor("
    summarise = plain.numel() > _options.threshold
    suffixes = []
    natural = plain.dtype.name in ("bool", "int64") or plain.dtype == get_default_dtype()
    if plain.numel() == 0:
        body = "[]"
        if plain.ndim != 1:
            suffixes.append(f"size={plain.shape}")
        natural = plain.dtype == get_default_dtype()
    else:
        shown = _summarised(plain, _options.edgeitems) if summarise else plain
        body = _lines(plain, len(prefix), summarise, _Formatter(shown))
        if summarise:
            suffixes.append(f"shape={plain.shape}")
    if not natural:
        suffixes.append(f"dtype={plain.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    text = prefix + body
    indent = len(prefix)
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            last = indent + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"

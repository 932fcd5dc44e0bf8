"""What notebooks show of tensors and modules: HTML with inline SVG, nothing to load."""

from __future__ import annotations

import html
import math
from typing import Any

from ._core import Tensor

_ROWS, _COLUMNS = 32, 64  # of a heat map; larger matrices are sampled
_CELL = 6  # pixels
_LOW, _MIDDLE, _HIGH = (33, 102, 172), (247, 247, 247), (178, 24, 43)
_NONE = "#999"  # neither number nor colour


def tensor_html(tensor: Tensor) -> str:
    """Shape, dtype, statistics and a heat map of the last two dimensions."""
    plain: Any = tensor.detach()
    facts = [f"shape {tuple(plain.shape)}", str(plain.dtype)]
    if tensor.grad_fn is not None:
        facts.append(f"grad_fn {tensor.grad_fn.name()}")
    elif tensor.requires_grad:
        facts.append("requires_grad")
    head = f"<b>{html.escape(type(tensor).__name__)}</b> {html.escape(', '.join(facts))}"
    if plain.ndim == 0 or plain.numel() == 0:
        return f"<div>{head}<pre>{html.escape(repr(plain))}</pre></div>"
    statistics = "".join(f"<td>{name} {value}</td>" for name, value in _statistics(plain).items())
    matrix, which = _matrix(plain)
    caption = f"<div>{which}</div>" if which else ""
    return f"<div>{head}<table><tr>{statistics}</tr></table>{caption}{_heat_map(matrix)}</div>"


def _statistics(plain: Any) -> dict[str, str]:
    values = plain.double()
    finite = values[values.isfinite()]
    found: dict[str, str] = {}
    if finite.numel():
        found["min"] = f"{finite.min().item():.4g}"
        found["max"] = f"{finite.max().item():.4g}"
        found["mean"] = f"{finite.mean().item():.4g}"
        found["std"] = f"{finite.std(correction=0).item():.4g}"
    for name, mask in (("nan", values.isnan()), ("inf", values.isinf()), ("zeros", values == 0)):
        count = int(mask.sum().item())
        if count:
            found[name] = f"{count:,}"
    return found


def _matrix(plain: Any) -> tuple[Any, str]:
    """The part of a tensor that the heat map shows, and its name when it is not the whole."""
    if plain.ndim <= 2:
        return plain.reshape(-1, plain.shape[-1]), ""
    first = (0,) * (plain.ndim - 2)
    return plain[first], f"[{', '.join(map(str, first))}, :, :]"


def _heat_map(matrix: Any) -> str:
    rows, columns = matrix.shape
    for dim, size, most in ((0, rows, _ROWS), (1, columns, _COLUMNS)):
        if size > most:
            matrix = matrix.index_select(dim, _sample(size, most))
    values = matrix.double().tolist()
    finite = [v for row in values for v in row if math.isfinite(v)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    cells = "".join(
        f'<rect x="{x * _CELL}" y="{y * _CELL}" width="{_CELL}" height="{_CELL}" '
        f'fill="{_colour(value, low, high)}"/>'
        for y, row in enumerate(values)
        for x, value in enumerate(row)
    )
    width, height = len(values[0]) * _CELL, len(values) * _CELL
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'shape-rendering="crispEdges">{cells}</svg>'
    )


def _sample(size: int, count: int) -> Any:
    """Indices of ``count`` of ``size`` places, evenly, the first and the last among them."""
    from ._functions import tensor

    return tensor([i * (size - 1) // (count - 1) for i in range(count)])


def _colour(value: float, low: float, high: float) -> str:
    """Blue below zero, red above, white at zero; of one sign only, from white to one of them."""
    if math.isnan(value):
        return _NONE
    if low < 0 < high:
        largest = max(-low, high)
        share = value / largest
    elif high == low:
        share = 0.0 if low == 0 else math.copysign(0.5, low)
    elif low >= 0:
        share = (value - low) / (high - low)
    else:
        share = (value - high) / (high - low)
    share = max(-1.0, min(1.0, share))  # infinities
    end = _HIGH if share > 0 else _LOW
    mixed = (
        round(m + (e - m) * abs(share)) for m, e in zip(_MIDDLE, end, strict=True)
    )  # fmt: skip
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def module_html(module: Any) -> str:
    """The tree of modules with the number of parameters in each."""
    return f"<div>{_branch('', module)}{_total(module)}</div>"


def _branch(name: str, module: Any) -> str:
    label = f"<code>{html.escape(name)}</code> " if name else ""
    extra = " ".join(module.extra_repr().split())
    text = html.escape(f"({extra})") if extra else ""
    count = sum(p.numel() for p in module.parameters())
    parameters = f" <i>{count:,} parameters</i>" if count else ""
    line = f"{label}<b>{html.escape(module._get_name())}</b>{text}{parameters}"
    children = [(key, child) for key, child in module._modules.items() if child is not None]
    if not children:
        return f"<div>{line}</div>"
    inside = "".join(f"<li>{_branch(key, child)}</li>" for key, child in children)
    return f'<details open="open"><summary>{line}</summary><ul>{inside}</ul></details>'


def _total(module: Any) -> str:
    parameters = list(module.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    size = sum(p.numel() * p.element_size() for p in parameters)
    mode = "training" if module.training else "evaluation"
    return (
        f"<div>{sum(p.numel() for p in parameters):,} parameters, {trainable:,} trainable, "
        f"{size:,} bytes; {mode} mode</div>"
    )

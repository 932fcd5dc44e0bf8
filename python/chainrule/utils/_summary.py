"""What a model is made of: layers, output shapes, parameters and multiply-adds."""

from __future__ import annotations

import contextlib
import html
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.train.evaluation import evaluating

__all__ = ["Layer", "Summary", "summary"]

_HEAD = ("Layer", "Output shape", "Parameters", "Multiply-adds")


@dataclass
class Layer:
    """A line of a :class:`Summary`.

    Attributes:
        name: the path in the model, as in ``named_modules``; empty for the model itself.
        kind: the name of its class.
        shapes: of the tensors it returned last; empty for a layer that was not called.
        calls: how often the pass called it.
        parameters: elements of its own parameters, without those of the layers inside and those
            that a line further up owns too.
        trainable: those of them that require a gradient.
        multiply_adds: of its products, over all calls.
    """

    name: str
    kind: str
    shapes: list[tuple[int, ...]]
    calls: int = 0
    parameters: int = 0
    trainable: int = 0
    multiply_adds: int = 0

    @property
    def depth(self) -> int:
        """How many modules it stands in."""
        return self.name.count(".") + 1 if self.name else 0


class Summary:
    """The layers of a model, printed as a table and shown in a notebook as one.

    Attributes:
        layers: the :class:`Layer` lines, the model first, in the order of ``named_modules``.
        counted: whether a pass was run, so that shapes and multiply-adds are known.
    """

    def __init__(self, layers: list[Layer], counted: bool) -> None:
        self.layers = layers
        self.counted = counted

    @property
    def parameters(self) -> int:
        """Elements of all parameters, shared ones once."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def trainable(self) -> int:
        """Elements of the parameters that require a gradient."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one pass; twice as many floating-point operations."""
        return sum(layer.multiply_adds for layer in self.layers)

    def _cells(self, layer: Layer) -> tuple[str, str, str, str]:
        label = f"{layer.name.rpartition('.')[2]} ({layer.kind})" if layer.name else layer.kind
        if layer.calls > 1:
            label += f", {layer.calls} calls"
        return (
            label,
            ", ".join(map(str, layer.shapes)),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
        )

    def _totals(self) -> str:
        frozen = self.parameters - self.trainable
        text = f"{self.parameters:,} parameters"
        if frozen:
            text += f" ({self.trainable:,} trainable, {frozen:,} frozen)"
        return text + (f", {self.multiply_adds:,} multiply-adds" if self.counted else "")

    def __repr__(self) -> str:
        rows = [("  " * layer.depth + cells[0], *cells[1:])
                for layer in self.layers for cells in [self._cells(layer)]]  # fmt: skip
        table = [_HEAD, *rows]
        used = [any(row[column] for row in rows) for column in range(len(_HEAD))]
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
                if used[column]
            ).rstrip()
            for row in table
        ]
        rule = "─" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, self._totals()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{text}</th>" for text in _HEAD)
        body = ""
        for layer in self.layers:
            label, *rest = map(html.escape, self._cells(layer))
            body += (
                f'<tr><td style="text-align:left;padding-left:{1 + 1.5 * layer.depth}em">{label}'
                f"</td>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>"
            )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            f'<tfoot><tr><td colspan="{len(_HEAD)}" style="text-align:left">{self._totals()}</td>'
            "</tr></tfoot></table>"
        )


def summary(
    model: nn.Module,
    input_size: Sequence[Any] | None = None,
    *,
    input: Any = None,
    dtype: cr.dtype | None = None,
    depth: int | None = None,
) -> Summary:
    """Return the layers of a model with their output shapes, parameters and multiply-adds.

    One pass runs in evaluation mode and without gradients; the model is left as it was. A
    multiply-add is counted for each product that linear, bilinear, convolutional, recurrent and
    attention layers sum up; what a module multiplies by itself in ``forward`` is not seen, and
    activations, norms and pools count nothing.

    Args:
        model: any module.
        input_size: the shape of the input with its batch dimension, or a list of shapes for
            several inputs; the pass gets zeros.
        input: the input itself instead: a tensor, a tuple of arguments, or a dict of keyword
            arguments. Without either there is no pass, and only parameters are known.
        dtype: of the zeros; the dtype of the model's first floating-point parameter by default.
            Integers such as ``cr.int64`` suit an embedding.
        depth: the deepest level shown; what is inside counts for the last line shown. All by
            default.

    Returns:
        A :class:`Summary`; print it, or let a notebook show it.

    Raises:
        TypeError: ``model`` is not a module, or ``input_size`` no shape.
        ValueError: both ``input_size`` and ``input``, or a negative ``depth``.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
        >>> cr.utils.summary(net, (1, 1, 8, 8))
        Layer          Output shape  Parameters  Multiply-adds
        ──────────────────────────────────────────────────────
        Sequential     (1, 10)
          0 (Conv2d)   (1, 4, 6, 6)          40          1,296
          1 (ReLU)     (1, 4, 6, 6)
          2 (Flatten)  (1, 144)
          3 (Linear)   (1, 10)            1,450          1,440
        ──────────────────────────────────────────────────────
        1,490 parameters, 2,736 multiply-adds
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"summary: model is an nn.Module (got {type(model).__name__})")
    if input_size is not None and input is not None:
        raise ValueError("summary: input_size and input exclude each other; give one of them")
    if depth is not None and depth < 0:
        raise ValueError(f"summary: depth counts from 0, the model itself (got {depth})")
    layers = _own_parameters(model)
    args, kwargs = _arguments(model, input_size, input, dtype)
    counted = input_size is not None or input is not None
    if counted:
        with evaluating(model), contextlib.ExitStack() as hooks:
            for (_, module), layer in zip(model.named_modules(), layers, strict=True):
                hook = _counter(layer)
                hooks.enter_context(module.register_forward_hook(hook, with_kwargs=True))
            model(*args, **kwargs)
    return Summary(layers if depth is None else _fold(layers, depth), counted)


def _own_parameters(model: nn.Module) -> list[Layer]:
    layers, seen = [], set()
    for name, module in model.named_modules():
        layer = Layer(name, type(module).__name__, [])
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                layer.parameters += parameter.numel()
                layer.trainable += parameter.numel() if parameter.requires_grad else 0
        layers.append(layer)
    return layers


def _arguments(
    model: nn.Module, input_size: Sequence[Any] | None, input: Any, dtype: cr.dtype | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(input, dict):
        return (), input
    if input is not None:
        return (tuple(input) if type(input) in (tuple, list) else (input,)), {}  # named: one
    if input_size is None:
        return (), {}
    shapes = list(input_size) if isinstance(input_size, Sequence) else [input_size]
    if all(isinstance(size, int) for size in shapes):
        shapes = [shapes]
    for shape in shapes:
        if not isinstance(shape, Sequence) or not all(isinstance(size, int) for size in shape):
            raise TypeError(
                f"summary: input_size is a shape or a list of shapes (got {input_size!r})"
            )
    if dtype is None:
        floats = (p.dtype for p in model.parameters() if p.dtype.is_floating_point)
        dtype = next(floats, cr.get_default_dtype())
    return tuple(cr.zeros(tuple(shape), dtype=dtype) for shape in shapes), {}


def _counter(layer: Layer) -> Callable[..., None]:
    def count(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        layer.calls += 1
        layer.shapes = [tuple(tensor.shape) for tensor in _tensors(output)]
        formula = next((f for kinds, f in _FORMULAS if isinstance(module, kinds)), None)
        if formula is not None:
            named = inspect.signature(module.forward).bind(*args, **kwargs).arguments
            layer.multiply_adds += formula(module, named, layer.shapes[0])

    return count


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _fold(layers: list[Layer], depth: int) -> list[Layer]:
    shown: list[Layer] = []
    for layer in layers:  # parents come before what they contain
        if layer.depth <= depth:
            shown.append(layer)
        else:
            shown[-1].parameters += layer.parameters
            shown[-1].trainable += layer.trainable
            shown[-1].multiply_adds += layer.multiply_adds
    return shown


# ---------------------------------------------------------------- multiply-adds

# Mostly: each element of each weight matrix enters one product per position.


def _linear(module: Any, _: dict[str, Any], shape: tuple[int, ...]) -> int:
    return prod(shape[:-1]) * int(module.weight.numel())


def _bilinear(module: Any, _: dict[str, Any], shape: tuple[int, ...]) -> int:
    out_features, _, in2_features = module.weight.shape
    return prod(shape[:-1]) * int(module.weight.numel() + out_features * in2_features)


def _conv(module: Any, _: dict[str, Any], shape: tuple[int, ...]) -> int:
    return int(prod(shape) // module.out_channels * module.weight.numel())


def _conv_transpose(module: Any, named: dict[str, Any], _: tuple[int, ...]) -> int:
    return int(named["input"].numel() // module.in_channels * module.weight.numel())


def _recurrent(module: Any, named: dict[str, Any], _: tuple[int, ...]) -> int:
    steps = next(_tensors(named["input"])).numel() // module.input_size
    return int(steps * sum(p.numel() for p in module.parameters() if p.ndim > 1))


def _attention(module: Any, named: dict[str, Any], _: tuple[int, ...]) -> int:
    width = module.embed_dim
    queries = named["query"].numel() // width
    keys = named["key"].numel() // module.kdim
    batches = 1
    if named["query"].ndim == 3:
        batches = named["query"].shape[0 if module.batch_first else 1]
    projections = 2 * queries * width + keys * (module.kdim + module.vdim)
    # Scores, and the sum of values that they weigh.
    return int(width * (projections + 2 * queries * (keys // max(batches, 1))))


_FORMULAS: list[tuple[Any, Callable[[Any, dict[str, Any], tuple[int, ...]], int]]] = [
    (nn.Linear, _linear),
    (nn.Bilinear, _bilinear),
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _conv),
    ((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _conv_transpose),
    ((nn.RNNBase, nn.RNNCell, nn.LSTMCell, nn.GRUCell), _recurrent),
    (nn.MultiheadAttention, _attention),
]

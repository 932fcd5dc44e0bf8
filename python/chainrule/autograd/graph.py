"""The tape as seen from Python: its entries, and the places of tensors in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._absent import missing
from .._core import Node, Tensor

__all__ = ["GradientEdge", "Node", "get_gradient_edge"]


class GradientEdge(NamedTuple):
    """Where a tensor's gradient arrives: an entry of the tape and which of its outputs."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Return where the gradient of a tensor that requires one arrives.

    Args:
        tensor: a leaf or a result that requires a gradient.

    Returns:
        The entry of the tape (of a leaf the one that receives its gradient) and the number of
        the output; the tape is kept while it is held, the tensor is not.

    Raises:
        RuntimeError: the tensor does not require a gradient.

    Example:
        >>> x = cr.tensor(2.0, requires_grad=True)
        >>> cr.autograd.graph.get_gradient_edge(x * 3).node.name()
        'MulBackward'
    """
    if not tensor.requires_grad:
        raise RuntimeError("get_gradient_edge: the tensor does not require a gradient")
    if tensor.grad_fn is not None:
        return GradientEdge(tensor.grad_fn, tensor.output_nr)
    return GradientEdge(tensor.view_as(tensor).grad_fn.next_functions[0][0], 0)


def __getattr__(name: str) -> Any:
    raise missing("autograd.graph", name)

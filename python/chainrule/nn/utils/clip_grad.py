"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable

import chainrule as cr
from chainrule import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of all tensors joined into one vector.

    Args:
        tensors: the tensors, or a single one.
        norm_type: the exponent; ``inf`` for the largest absolute value.
        error_if_nonfinite: whether a norm that is NaN or infinite is an error.

    Returns:
        A 0-d tensor.

    Raises:
        RuntimeError: the norm is not finite and ``error_if_nonfinite``.

    Example:
        >>> cr.nn.utils.get_total_norm([cr.tensor([3.0]), cr.tensor([4.0])])
        tensor(5.)
    """
    norm_type = float(norm_type)
    with cr.no_grad():
        norms = [tensor.norm(norm_type) for tensor in _listed(tensors)]
        total = cr.stack(norms).norm(norm_type) if norms else cr.tensor(0.0)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"get_total_norm: the norm of order {norm_type} is {total.item()}")
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor
) -> None:
    """Multiply all gradients by ``max_norm / (total_norm + 1e-6)`` where that is below one.

    Args:
        parameters: the tensors whose gradients are scaled, or a single one.
        max_norm: the largest norm allowed.
        total_norm: the norm the gradients have now, see :func:`get_total_norm`.
    """
    with cr.no_grad():
        factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
        for parameter in _listed(parameters):
            if parameter.grad is not None:
                parameter.grad.mul_(factor)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale the gradients so that their norm, all joined into one vector, is at most ``max_norm``.

    Args:
        parameters: the tensors whose gradients are scaled, or a single one.
        max_norm: the largest norm allowed.
        norm_type: the exponent; ``inf`` for the largest absolute value.
        error_if_nonfinite: whether a norm that is NaN or infinite is an error.

    Returns:
        The norm before, a 0-d tensor.

    Raises:
        RuntimeError: the norm is not finite and ``error_if_nonfinite``.

    Example:
        >>> w = cr.nn.Parameter(cr.zeros(2))
        >>> w.grad = cr.tensor([3.0, 4.0])
        >>> cr.nn.utils.clip_grad_norm_([w], max_norm=1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    parameters = _listed(parameters)
    grads = [p.grad for p in parameters if p.grad is not None]
    total_norm = get_total_norm(grads, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total_norm)
    return total_norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Bring every element of the gradients into ``[-clip_value, clip_value]``.

    Args:
        parameters: the tensors whose gradients are clipped, or a single one.
        clip_value: the largest absolute value allowed.

    Example:
        >>> w = cr.nn.Parameter(cr.zeros(2))
        >>> w.grad = cr.tensor([3.0, -0.5])
        >>> cr.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad
        tensor([ 1.0000, -0.5000])
    """
    with cr.no_grad():
        for parameter in _listed(parameters):
            if parameter.grad is not None:
                parameter.grad.clamp_(-clip_value, clip_value)

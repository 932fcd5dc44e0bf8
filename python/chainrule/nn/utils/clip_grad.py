"""Gradient clipping: each function is one or two calls into the core over all gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

import chainrule as cr
from chainrule import Tensor
from chainrule._core import _clip_grad_norm_, _clip_grad_value_, _get_total_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [grad for p in _listed(parameters) if (grad := p.grad) is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all tensors joined into one vector.

    Sums run in float64, so that neither large elements overflow nor small ones get lost.

    Args:
        tensors: the tensors, or a single one.
        norm_type: the exponent; ``inf`` for the largest absolute value.
        error_if_nonfinite: whether a norm that is NaN or infinite is an error.
        foreach: accepted for ported scripts; one fused call does it all.

    Returns:
        A 0-d tensor.

    Raises:
        RuntimeError: the norm is not finite and ``error_if_nonfinite``.

    Example:
        >>> cr.nn.utils.get_total_norm([cr.tensor([3.0]), cr.tensor([4.0])])
        tensor(5.)
    """
    tensors, norm_type = _listed(tensors), float(norm_type)
    with cr.no_grad():
        if not tensors:
            total = cr.tensor(0.0)
        elif norm_type in (1.0, 2.0, math.inf):
            total = _get_total_norm(tensors, norm_type)
        elif norm_type in (0.0, -math.inf):
            total = cr.stack([tensor.norm(norm_type) for tensor in tensors]).norm(norm_type)
        else:
            powers = [(tensor.abs() ** norm_type).sum() for tensor in tensors]
            total = cr.stack(powers).sum() ** (1 / norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"get_total_norm: the norm of order {norm_type} is {total.item()}; to clip with it "
            "nevertheless, set error_if_nonfinite=False"
        )
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Multiply all gradients by ``max_norm / (total_norm + 1e-6)`` where that is below one.

    Args:
        parameters: the tensors whose gradients are scaled, or a single one.
        max_norm: the largest norm allowed.
        total_norm: the norm the gradients have now, see :func:`get_total_norm`.
        foreach: accepted for ported scripts; one fused call does it all.
    """
    _clip_grad_norm_(_gradients(parameters), max_norm, float(total_norm))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients so that their norm, all joined into one vector, is at most ``max_norm``.

    Args:
        parameters: the tensors whose gradients are scaled, or a single one.
        max_norm: the largest norm allowed.
        norm_type: the exponent; ``inf`` for the largest absolute value.
        error_if_nonfinite: whether a norm that is NaN or infinite is an error.
        foreach: accepted for ported scripts; one fused call does it all.

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
    grads = _gradients(parameters)
    total_norm = get_total_norm(grads, norm_type, error_if_nonfinite)
    _clip_grad_norm_(grads, max_norm, total_norm.item())
    return total_norm


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Bring every element of the gradients into ``[-clip_value, clip_value]``.

    Args:
        parameters: the tensors whose gradients are clipped, or a single one.
        clip_value: the largest absolute value allowed.
        foreach: accepted for ported scripts; one fused call does it all.

    Example:
        >>> w = cr.nn.Parameter(cr.zeros(2))
        >>> w.grad = cr.tensor([3.0, -0.5])
        >>> cr.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad
        tensor([ 1.0000, -0.5000])
    """
    _clip_grad_value_(_gradients(parameters), clip_value)

"""Penalties and constraints on parameters."""

from __future__ import annotations

from collections.abc import Iterable

import chainrule as cr
from chainrule import Tensor

__all__ = ["l1_penalty", "l2_penalty", "max_norm_"]


def _sum(terms: list[Tensor]) -> Tensor:
    return cr.stack(terms).sum() if terms else cr.tensor(0.0)


def l1_penalty(parameters: Tensor | Iterable[Tensor]) -> Tensor:
    """Return the sum of magnitudes, to be added to a loss (lasso): it makes weights zero.

    Args:
        parameters: the tensors, or a single one.

    Returns:
        A 0-d tensor.

    Example:
        >>> layer = cr.nn.Linear(2, 2)
        >>> loss = layer(cr.ones(1, 2)).sum() + 1e-3 * cr.nn.utils.l1_penalty(layer.weight)
    """
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return _sum([tensor.abs().sum() for tensor in tensors])


def l2_penalty(parameters: Tensor | Iterable[Tensor]) -> Tensor:
    """Return the sum of squares, to be added to a loss (ridge): it makes weights small.

    For plain SGD, ``weight_decay=2 * factor`` does the same without a backward.

    Args:
        parameters: the tensors, or a single one.

    Returns:
        A 0-d tensor.

    Example:
        >>> cr.nn.utils.l2_penalty([cr.tensor([1.0, 2.0]), cr.tensor([3.0])])
        tensor(14.)
    """
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return _sum([tensor.square().sum() for tensor in tensors])


def max_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float = 3.0, dim: int = 0) -> None:
    """Scale down, in place, what is longer than ``max_norm``; call it after the optimizer's step.

    The weights that lead to one unit are kept within a ball (Srivastava et al., 2014, who combine
    it with dropout).

    Args:
        parameters: the weights, or a single one; those with fewer than two dimensions (biases)
            stay as they are.
        max_norm: the largest Euclidean norm allowed.
        dim: the dimension of the units: each slice along it has its norm; 0 for ``nn.Linear`` and
            convolutions.

    Raises:
        ValueError: ``max_norm`` is not positive.

    Example:
        >>> weight = cr.tensor([[3.0, 4.0], [0.3, 0.4]])
        >>> cr.nn.utils.max_norm_(weight, 1.0)
        >>> weight
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm_: max_norm is positive (got {max_norm})")
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    with cr.no_grad():
        for tensor in tensors:
            if tensor.ndim < 2:
                continue
            others = [k for k in range(tensor.ndim) if k != dim % tensor.ndim]
            norms = tensor.norm(2, others, keepdim=True)
            tensor.mul_(max_norm / norms.clamp(min=max_norm))

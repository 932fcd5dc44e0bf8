"""Parameters as one vector, for optimizers that want one."""

from __future__ import annotations

from collections.abc import Iterable

import chainrule as cr
from chainrule import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Join all parameters, each in row-major order, into one vector.

    Args:
        parameters: the parameters, such as ``model.parameters()``.

    Returns:
        ``(n,)``, n being the number of elements of all of them.

    Example:
        >>> cr.nn.utils.parameters_to_vector(cr.nn.Linear(3, 2).parameters()).shape
        (8,)
    """
    return cr.cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector into the parameters: the inverse of :func:`parameters_to_vector`.

    Args:
        vec: ``(n,)``.
        parameters: the parameters, n elements altogether.

    Raises:
        ValueError: the vector has another number of elements.

    Example:
        >>> layer = cr.nn.Linear(1, 1)
        >>> cr.nn.utils.vector_to_parameters(cr.tensor([2.0, 3.0]), layer.parameters())
        >>> layer.weight.item(), layer.bias.item()
        (2.0, 3.0)
    """
    parameters = list(parameters)
    size = sum(parameter.numel() for parameter in parameters)
    if tuple(vec.shape) != (size,):
        raise ValueError(
            f"vector_to_parameters: the vector has shape {tuple(vec.shape)}; expected ({size},)"
        )
    start = 0
    with cr.no_grad():
        for parameter in parameters:
            end = start + parameter.numel()
            parameter.copy_(vec[start:end].reshape(parameter.shape))
            start = end

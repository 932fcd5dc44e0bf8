"""Parameter: a tensor that a Module trains."""

from __future__ import annotations

import chainrule as cr
from chainrule import Tensor, _core

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that becomes a parameter of the Module it is assigned to.

    Args:
        data: the values; the parameter shares their memory. None gives an empty tensor.
        requires_grad: whether gradients are recorded.

    Raises:
        TypeError: ``data`` is not a tensor.

    Example:
        >>> w = cr.nn.Parameter(cr.zeros(2))
        >>> w
        Parameter containing:
        tensor([0., 0.], requires_grad=True)
        >>> (w * 2).requires_grad
        True
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = cr.empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data is a {type(data).__name__}; expected a Tensor")
        parameter: Parameter = _core._make_subclass(cls, data.detach(), requires_grad)
        return parameter

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Parameter containing:\n{super().__repr__()}"

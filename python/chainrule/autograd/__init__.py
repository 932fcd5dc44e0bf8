"""Gradients: backward, grad, gradient modes, custom functions and gradient checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .engine import backward, grad
from .function import Function
from .mode import enable_grad, inference_mode, no_grad, set_grad_enabled

if TYPE_CHECKING:
    from .._gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "Function",
    "GradcheckError",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]


def __getattr__(name: str) -> Any:
    # Checks are for tests: loaded when asked for.
    if name in ("gradcheck", "gradgradcheck", "GradcheckError"):
        from .. import _gradcheck

        return getattr(_gradcheck, name)
    raise AttributeError(f"module 'chainrule.autograd' has no attribute {name!r}")

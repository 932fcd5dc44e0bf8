"""Gradients: backward, grad, gradient modes, custom functions and gradient checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .anomaly import detect_anomaly, set_detect_anomaly
from .engine import backward, grad
from .function import Function
from .mode import enable_grad, inference_mode, no_grad, set_grad_enabled

if TYPE_CHECKING:
    from .._gradcheck import GradcheckError, gradcheck, gradgradcheck
    from . import functional, graph, profiler

__all__ = [
    "Function",
    "GradcheckError",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def __getattr__(name: str) -> Any:
    # Checks are for tests: loaded when asked for.
    if name in ("gradcheck", "gradgradcheck", "GradcheckError"):
        from .. import _gradcheck

        return getattr(_gradcheck, name)
    if name in ("functional", "graph", "profiler"):
        from importlib import import_module

        return import_module(f".{name}", __name__)
    from .._absent import missing

    raise missing("autograd", name)

"""Switches for the tape, as context managers and decorators. Each is local to its thread."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .._core import (
    _EnableGrad,
    _NoGrad,
    _set_grad_enabled,
    _set_inference,
    is_grad_enabled,
    is_inference_mode_enabled,
)

F = TypeVar("F", bound=Callable[..., Any])


class _Decorator:
    """What lets a context manager decorate functions (a fresh one for every call)."""

    __slots__ = ()

    def _copy(self) -> Any:
        return type(self)()

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._copy():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class set_grad_enabled(_Decorator):
    """Turn the tape on or off, at once and until the end of the ``with`` block.

    Example:
        >>> x = cr.tensor(1.0, requires_grad=True)
        >>> with cr.set_grad_enabled(False):
        ...     print((x * 2).requires_grad)
        False
    """

    def __init__(self, mode: bool) -> None:
        self._mode = bool(mode)
        self._before = is_grad_enabled()
        _set_grad_enabled(self._mode)

    def _copy(self) -> set_grad_enabled:
        return set_grad_enabled(self._mode)

    def __call__(self, function: F) -> F:
        _set_grad_enabled(self._before)  # as a decorator it acts inside the function only
        return super().__call__(function)

    def __enter__(self) -> None:
        _set_grad_enabled(self._mode)

    def __exit__(self, *_: object) -> None:
        _set_grad_enabled(self._before)


class no_grad(_Decorator, _NoGrad):
    """Do not tape: results do not require a gradient.

    Example:
        >>> x = cr.tensor(1.0, requires_grad=True)
        >>> with cr.no_grad():
        ...     print((x * 2).requires_grad)
        False
    """

    __slots__ = ()


class enable_grad(_Decorator, _EnableGrad):
    """Tape again inside a ``no_grad`` block.

    Example:
        >>> x = cr.tensor(1.0, requires_grad=True)
        >>> with cr.no_grad(), cr.enable_grad():
        ...     print((x * 2).requires_grad)
        True
    """

    __slots__ = ()


class inference_mode(_Decorator):
    """Like ``no_grad``, and what is made inside can never be taped later (it is cheaper).

    Example:
        >>> with cr.inference_mode():
        ...     y = cr.ones(2) * 2
        >>> y.is_inference()
        True
    """

    def __new__(cls, mode: bool | Callable[..., Any] = True) -> Any:
        self = super().__new__(cls)
        if callable(mode):
            self._mode = True
            return self(mode)
        return self

    def __init__(self, mode: bool = True) -> None:
        self._mode = mode

    def _copy(self) -> inference_mode:
        copied: inference_mode = inference_mode(self._mode)
        return copied

    def __enter__(self) -> None:
        self._before = (is_grad_enabled(), is_inference_mode_enabled())
        if self._mode:
            _set_grad_enabled(False)
        _set_inference(self._mode)

    def __exit__(self, *_: object) -> None:
        _set_grad_enabled(self._before[0])
        _set_inference(self._before[1])

"""The NaN watch: errors that name the operation and the Python line that called it."""

from __future__ import annotations

import linecache
import os
import sys

from .._core import (
    _set_anomaly,
    _set_anomaly_origin,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
)
from .mode import _Decorator

__all__ = ["detect_anomaly", "set_detect_anomaly"]

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def _origin() -> str:
    """The innermost line outside of the package, as a traceback shows it."""
    frame = sys._getframe()
    while frame.f_code.co_filename.startswith(_PACKAGE) and frame.f_back is not None:
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, line, frame.f_globals).strip()
    shown = f"\n    {text}" if text else ""
    return f'  File "{name}", line {line}, in {frame.f_code.co_name}{shown}'


_set_anomaly_origin(_origin)


class set_detect_anomaly(_Decorator):
    """Turn the NaN watch on or off, at once and until the end of the ``with`` block.

    Args:
        mode: whether to watch, in all threads.
        check_nan: whether a NaN is an error; otherwise only errors of the backward pass are
            told the line.

    Example:
        >>> with cr.autograd.set_detect_anomaly(True):
        ...     print(cr.is_anomaly_enabled())
        True
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = (is_anomaly_enabled(), is_anomaly_check_nan_enabled())
        self._now = (bool(mode), bool(check_nan))
        _set_anomaly(*self._now)

    def _copy(self) -> set_detect_anomaly:
        return set_detect_anomaly(*self._now)

    def __enter__(self) -> None:
        _set_anomaly(*self._now)

    def __exit__(self, *_: object) -> None:
        _set_anomaly(*self._before)


class detect_anomaly(_Decorator):
    """Watch for NaNs within a ``with`` block, or a decorated function.

    Every taped call remembers the Python line it was made by. A NaN in its result, and a NaN in
    the gradient it passes on in ``backward``, raises an error with the call's name and that line;
    so do errors of the backward pass itself. It is slow: for finding the place, not for training.

    Args:
        check_nan: whether a NaN is an error.

    Raises:
        RuntimeError: inside the block, at the first NaN. (torch looks at gradients only.)

    Example:
        >>> x = cr.tensor([0.0, 1.0], requires_grad=True)
        >>> with cr.autograd.detect_anomaly():
        ...     try:
        ...         (x.sqrt() * 0).sum().backward()
        ...     except RuntimeError as error:
        ...         print(str(error).splitlines()[0])
        SqrtBackward: the backward pass made nan in gradient 0 (shape (2,))
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = bool(check_nan)
        self._before: list[tuple[bool, bool]] = []  # one for each block being run

    def _copy(self) -> detect_anomaly:
        return detect_anomaly(self._check_nan)

    def __enter__(self) -> None:
        self._before.append((is_anomaly_enabled(), is_anomaly_check_nan_enabled()))
        _set_anomaly(True, self._check_nan)

    def __exit__(self, *_: object) -> None:
        _set_anomaly(*self._before.pop())

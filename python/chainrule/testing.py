"""Comparisons for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import Tensor

__all__ = ["assert_close"]

# Relative and absolute tolerance by dtype; anything else must be equal.
_TOLERANCES = {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
    check_stride: bool = False,
    msg: str | None = None,
) -> None:
    r"""Assert that two values are close.

    Passes when :math:`|a - e| \le \text{atol} + \text{rtol} \cdot |e|` for every element, and
    shapes, dtypes and kinds agree. Sequences and mappings are compared item by item.

    Args:
        actual: A tensor, array, number, or a nested sequence or mapping of them.
        expected: What it should be.
        rtol: Relative tolerance; by default 1.3e-6 for ``float32``, 1e-7 for ``float64``, and 0
            for integers. Give both tolerances or neither.
        atol: Absolute tolerance; by default 1e-5 for ``float32``, 1e-7 for ``float64``, and 0
            for integers.
        equal_nan: Whether NaN equals NaN.
        check_dtype: Whether dtypes must be the same.
        check_stride: Whether strides must be the same.
        msg: Replaces the message of the error.

    Raises:
        AssertionError: If the values differ; the message counts them and shows the worst.
        ValueError: If only one tolerance is given.

    Example:
        >>> import chainrule as cr
        >>> cr.testing.assert_close(cr.tensor([1.0]), cr.tensor([1.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"assert_close: rtol is {rtol} and atol is {atol}; expected both or neither"
        )
    options = _Options(rtol, atol, equal_nan, check_dtype, check_stride)
    problem = options.compare(actual, expected, ())
    if problem is not None:
        raise AssertionError(msg if msg is not None else problem)


class _Options:
    def __init__(
        self,
        rtol: float | None,
        atol: float | None,
        equal_nan: bool,
        check_dtype: bool,
        check_stride: bool,
    ) -> None:
        self.rtol, self.atol, self.equal_nan = rtol, atol, equal_nan
        self.check_dtype, self.check_stride = check_dtype, check_stride

    def compare(self, actual: Any, expected: Any, path: tuple[Any, ...]) -> str | None:
        """What is wrong, or None."""
        if isinstance(actual, Mapping) and isinstance(expected, Mapping):
            return self._mappings(actual, expected, path)
        if _is_sequence(actual) and _is_sequence(expected):
            if len(actual) != len(expected):
                return _at(
                    path,
                    f"The length of the sequences mismatch: {len(actual)} != {len(expected)}",
                )
            problems = (
                self.compare(a, e, (*path, i))
                for i, (a, e) in enumerate(zip(actual, expected, strict=True))
            )
            return next((p for p in problems if p is not None), None)
        if isinstance(actual, Tensor) != isinstance(expected, Tensor) and not (
            isinstance(actual, np.ndarray) or isinstance(expected, np.ndarray)
        ):
            return _at(
                path,
                "None of the pairs can be compared: got "
                f"{type(actual).__name__} and {type(expected).__name__}",
            )
        return self._values(actual, expected, path)

    def _mappings(
        self, actual: Mapping[Any, Any], expected: Mapping[Any, Any], path: tuple[Any, ...]
    ) -> str | None:
        missing = sorted(set(expected) - set(actual), key=str)
        extra = sorted(set(actual) - set(expected), key=str)
        if missing or extra:
            return _at(
                path,
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {extra}",
            )
        problems = (self.compare(actual[k], expected[k], (*path, k)) for k in expected)
        return next((p for p in problems if p is not None), None)

    def _values(self, actual: Any, expected: Any, path: tuple[Any, ...]) -> str | None:
        a, e = _to_array(actual), _to_array(expected)
        scalars = not any(isinstance(v, (Tensor, np.ndarray)) for v in (actual, expected))
        if a.shape != e.shape:
            return _at(path, _attribute("shape", a.shape, e.shape))
        if self.check_stride and isinstance(actual, Tensor) and isinstance(expected, Tensor):
            strides = tuple(actual.stride()), tuple(expected.stride())
            if strides[0] != strides[1]:
                return _at(path, _attribute("stride()", *strides))
        if self.check_dtype and not scalars and a.dtype != e.dtype:
            return _at(path, _attribute("dtype", f"chainrule.{a.dtype}", f"chainrule.{e.dtype}"))
        rtol, atol = self._tolerances(a, e)
        if a.dtype.kind in "biu" and e.dtype.kind in "biu" and rtol == atol == 0.0:
            close = a == e
        else:
            a, e = a.astype(np.float64), e.astype(np.float64)
            close = np.isclose(a, e, rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if np.all(close):
            return None
        text = _scalar_text if scalars else _array_text
        return _at(path, text(a, e, close, rtol, atol))

    def _tolerances(self, a: NDArray[Any], e: NDArray[Any]) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        # The coarser of the two types decides.
        both = [_TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (a, e)]
        return max(t[0] for t in both), max(t[1] for t in both)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _to_array(value: Any) -> NDArray[Any]:
    return np.asarray(value.detach().numpy() if isinstance(value, Tensor) else value)


def _at(path: tuple[Any, ...], text: str) -> str:
    if not path:
        return text
    where = "".join(f"[{item!r}]" for item in path)
    return f"{text}\n\nThe failure occurred for item {where}"


def _attribute(name: str, actual: Any, expected: Any) -> str:
    return f"The values for attribute '{name}' do not match: {actual} != {expected}."


def _limit(value: float) -> str:
    return f"(up to {value} allowed)"


def _scalar_text(
    a: NDArray[Any], e: NDArray[Any], _: NDArray[Any], rtol: float, atol: float
) -> str:
    absolute = abs(float(a) - float(e))
    relative = absolute / abs(float(e)) if float(e) else float("inf")
    return (
        f"Scalars are not close!\n\nExpected {e.item()} but got {a.item()}.\n"
        f"Absolute difference: {absolute} {_limit(atol)}\n"
        f"Relative difference: {relative} {_limit(rtol)}"
    )


def _array_text(
    a: NDArray[Any], e: NDArray[Any], close: NDArray[Any], rtol: float, atol: float
) -> str:
    kind = "equal" if rtol == atol == 0.0 else "close"
    if a.ndim == 0:
        return _scalar_text(a, e, close, rtol, atol).replace("close", kind)
    with np.errstate(all="ignore"):
        # A pair that is close does not count as the worst one.
        absolute = np.where(close, 0.0, np.abs(a.astype(np.float64) - e.astype(np.float64)))
        relative = np.where(close, 0.0, absolute / np.abs(e))
    wrong = int(np.sum(~close))
    return (
        f"Tensor-likes are not {kind}!\n\n"
        f"Mismatched elements: {wrong} / {close.size} ({wrong / close.size:.1%})\n"
        f"Greatest absolute difference: {_worst(absolute)} {_limit(atol)}\n"
        f"Greatest relative difference: {_worst(relative)} {_limit(rtol)}"
    )


def _worst(differences: NDArray[Any]) -> str:
    flat = int(np.argmax(differences))
    at = tuple(int(i) for i in np.unravel_index(flat, differences.shape))
    return f"{float(differences[at])} at index {at}"

"""Dtypes of the array API standard: promotion, kinds, limits, and what the library can do."""

from __future__ import annotations

import functools
from typing import Any

from .. import _core, _functions
from .._core import Tensor, dtype
from .._devices import check_device
from .._limits import finfo, iinfo

__all__ = [
    "astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type",
]  # fmt: skip

# The dtypes of the standard that exist here, by kind.
_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": (),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"]


def promoted(*values: Any) -> tuple[Any, ...]:
    """Operands as the standard wants them promoted: a 0-d array counts as much as any other.

    chainrule, as torch, lets a 0-d tensor give way to one with dimensions; numbers give way in
    both.
    """
    dtypes = {x.dtype for x in values if isinstance(x, Tensor)}
    if len(dtypes) < 2 or all(x.ndim for x in values if isinstance(x, Tensor)):
        return values
    common = functools.reduce(_core.promote_types, dtypes)
    return tuple(_core.to(x, common) if isinstance(x, Tensor) else x for x in values)


def astype(x: Tensor, dtype: dtype, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """Convert to another dtype; ``copy=False`` returns ``x`` itself if it has the dtype.

    Example:
        >>> cr.array_api.astype(cr.tensor([1, 2]), cr.float32)
        tensor([1., 2.])
    """
    return x.to(dtype, device=device, copy=copy)


def can_cast(from_: dtype | Tensor, to: dtype, /) -> bool:
    """Whether promotion leads from one dtype to another.

    Example:
        >>> cr.array_api.can_cast(cr.int8, cr.int16), cr.array_api.can_cast(cr.int16, cr.int8)
        (True, False)
    """
    source = from_.dtype if isinstance(from_, Tensor) else from_
    try:
        return bool(_core.promote_types(source, to) == to)
    except TypeError:  # uint64 and a signed type have nothing in common
        return False


def isdtype(dtype: dtype, kind: Any) -> bool:
    """Whether a dtype is of a kind: a dtype, one of the standard's words, or a tuple of them.

    Raises:
        ValueError: for words the standard does not have.

    Example:
        >>> cr.array_api.isdtype(cr.int8, "integral")
        True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if not isinstance(kind, str):
        return bool(dtype == kind)
    if kind not in _KINDS:
        raise ValueError(f"isdtype: unknown kind (got {kind!r}); expected one of {list(_KINDS)}")
    if kind in ("real floating", "numeric") and dtype.is_floating_point:
        return True  # float16 and bfloat16, which the standard does not list, are numbers too
    return dtype.name in _KINDS[kind]


def result_type(*arrays_and_dtypes: Any) -> dtype:
    """The dtype that an operation on all the arrays, dtypes and numbers would have.

    Raises:
        ValueError: without any array or dtype.

    Example:
        >>> cr.array_api.result_type(cr.tensor([1], dtype=cr.int8), cr.int16, 3)
        chainrule.int16
    """
    given = [x.dtype if isinstance(x, Tensor) else x for x in arrays_and_dtypes]
    dtypes = [x for x in given if isinstance(x, dtype)]
    if not dtypes:
        raise ValueError("result_type: needs at least one array or dtype")
    common = functools.reduce(_core.promote_types, dtypes)
    for number in given:
        if not isinstance(number, dtype):
            common = _functions.result_type(_core.empty(1, dtype=common), number)
    return common


class Info:
    """What the namespace can do, as the standard's inspection functions ask."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks, shapes that depend on data, and the largest number of dimensions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 16}

    def default_device(self) -> str:
        """``"cpu"``."""
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        """``("cpu",)``."""
        return ("cpu",)

    def default_dtypes(self, *, device: Any = None) -> dict[str, dtype]:
        """The dtypes that functions choose by themselves."""
        check_device(device)
        return {
            "real floating": _core.get_default_dtype(),
            "integral": _core.int64,
            "indexing": _core.int64,
        }

    def dtypes(
        self, *, device: Any = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, dtype]:
        """The standard's dtypes that exist here, all or of a kind; there are no complex ones.

        Raises:
            ValueError: for kinds the standard does not have.
        """
        check_device(device)
        names = (*_KINDS["bool"], *_KINDS["numeric"])
        found = {name: getattr(_core, name) for name in names}
        if kind is None:
            return found
        return {name: value for name, value in found.items() if isdtype(value, kind)}


def __array_namespace_info__() -> Info:
    """An object that says what the namespace can do: dtypes, devices, capabilities.

    Example:
        >>> cr.array_api.__array_namespace_info__().dtypes(kind="real floating")
        {'float32': chainrule.float32, 'float64': chainrule.float64}
    """
    return Info()

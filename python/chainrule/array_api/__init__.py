"""The Python array API standard, version 2025.12, on tensors: names and keywords it prescribes.

What ``Tensor.__array_namespace__()`` gives to libraries written against the standard:

    >>> x = cr.tensor([[3.0, 4.0]])
    >>> xp = x.__array_namespace__()
    >>> xp.sqrt(xp.sum(xp.square(x), axis=-1, keepdims=True))
    tensor([[5.]])

The functions are chainrule's own under the standard's names, and keep gradients. There are no
complex dtypes, so ``fft`` is left out; ``__array_namespace_info__`` says so. Unlike in torch, a 0-d
array counts in promotion as much as any other.

Source: https://data-apis.org/array-api/2025.12/
"""

from __future__ import annotations

from .. import _core
from .._limits import e, inf, nan, newaxis, pi
from . import (
    _creation,
    _dtypes,
    _elementwise,
    _manipulation,
    _matrices,
    _reductions,
    _searching,
    linalg,
)
from ._creation import *  # noqa: F403
from ._dtypes import *  # noqa: F403
from ._dtypes import __array_namespace_info__
from ._elementwise import *  # noqa: F403
from ._manipulation import *  # noqa: F403
from ._matrices import *  # noqa: F403
from ._reductions import *  # noqa: F403
from ._searching import *  # noqa: F403

__array_api_version__ = "2025.12"

float32, float64 = _core.float32, _core.float64
int8, int16, int32, int64 = _core.int8, _core.int16, _core.int32, _core.int64
uint8, uint16, uint32, uint64 = _core.uint8, _core.uint16, _core.uint32, _core.uint64
bool = _core.bool

__all__ = [
    "__array_api_version__", "__array_namespace_info__", "bool", "e", "float32", "float64", "inf",
    "int8", "int16", "int32", "int64", "linalg", "nan", "newaxis", "pi", "uint8", "uint16",
    "uint32", "uint64",
]  # fmt: skip
__all__ += _creation.__all__
__all__ += _dtypes.__all__
__all__ += _elementwise.__all__
__all__ += _manipulation.__all__
__all__ += _matrices.__all__
__all__ += _reductions.__all__
__all__ += _searching.__all__

"""Between tensors and NumPy arrays of every dtype, bfloat16 included."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._core import Tensor, bfloat16, uint16
from .._functions import as_tensor

Array = npt.NDArray[Any]

# NumPy has no bfloat16: here its bits stand in a structure of one field, which says so.
BFLOAT16 = np.dtype([("bfloat16", "<u2")], align=True)


def to_array(tensor: Tensor) -> Array:
    """See a tensor's values as an array."""
    tensor = tensor.detach()
    if tensor.dtype is bfloat16:
        tensor = tensor.contiguous().view(uint16)
        return np.asarray(tensor).view(BFLOAT16)
    return np.asarray(tensor)


def to_tensor(array: Array) -> Tensor:
    """See an array as a tensor."""
    if array.dtype == BFLOAT16:
        return as_tensor(array["bfloat16"]).view(bfloat16)
    return as_tensor(array)

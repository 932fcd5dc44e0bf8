"""The table of ops: one row each. Test files iterate over `OPS`; see `base.Op` for the columns."""

from . import attention, conv, embedding, index, matmul, nn, norm, pointwise, reduce, shape, spatial
from .base import (
    DTYPES,
    FLOATS,
    INTEGERS,
    PROMOTION,
    Bad,
    Case,
    Drawn,
    Expected,
    Op,
    T,
    draw,
    dtype_name,
    expect,
    outputs,
    promote,
    resolve,
    to_numpy,
    to_tensor,
)
from .elsewhere import ELSEWHERE

OPS: tuple[Op, ...] = (
    pointwise.ROWS
    + reduce.ROWS
    + shape.ROWS
    + index.ROWS
    + conv.ROWS
    + matmul.ROWS
    + nn.ROWS
    + norm.ROWS
    + spatial.ROWS
    + attention.ROWS
    + embedding.ROWS
)

__all__ = [
    "DTYPES",
    "ELSEWHERE",
    "FLOATS",
    "INTEGERS",
    "OPS",
    "PROMOTION",
    "Bad",
    "Case",
    "Drawn",
    "Expected",
    "Op",
    "T",
    "draw",
    "dtype_name",
    "expect",
    "outputs",
    "promote",
    "resolve",
    "to_numpy",
    "to_tensor",
]

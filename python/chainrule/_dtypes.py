"""torch's other names of the dtypes. Kept apart: they are Python's names of its own types."""

from . import _core

__all__ = ["double", "float", "half", "int", "long", "short"]

short = _core.int16
int = _core.int32
long = _core.int64
half = _core.float16
float = _core.float32
double = _core.float64

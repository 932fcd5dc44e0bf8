"""Paths that torch users expect: ``chainrule.utils.data`` is ``chainrule.data``."""

import sys

from .. import data
from . import dlpack

__all__ = ["data", "dlpack"]

sys.modules[f"{__name__}.data"] = data

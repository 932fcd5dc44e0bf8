"""Paths that torch users expect: ``chainrule.utils.data`` is ``chainrule.data``."""

import sys

from .. import data

__all__ = ["data"]

sys.modules[f"{__name__}.data"] = data

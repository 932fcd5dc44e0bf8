"""Looking at models and graphs; and ``chainrule.utils.data``, a second name of ``chainrule.data``.

:func:`summary` tells what a model is made of. ``chainrule.plots`` draws what has axes.
"""

import sys

from .. import data
from . import dlpack
from ._summary import Layer, Summary, summary

__all__ = ["Layer", "Summary", "data", "dlpack", "summary"]

sys.modules[f"{__name__}.data"] = data

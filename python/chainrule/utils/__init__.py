"""Looking at models and graphs; and ``chainrule.utils.data``, a second name of ``chainrule.data``.

:func:`summary` tells what a model is made of, :func:`graph` draws what autograd recorded.
"""

import sys

from .. import data
from . import dlpack
from ._graph import Graph, GraphNode, graph
from ._summary import Layer, Summary, summary

__all__ = ["Graph", "GraphNode", "Layer", "Summary", "data", "dlpack", "graph", "summary"]

sys.modules[f"{__name__}.data"] = data

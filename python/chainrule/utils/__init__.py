"""Looking at models and graphs; and ``chainrule.utils.data``, a second name of ``chainrule.data``.

:func:`summary` tells what a model is made of, :func:`graph` draws what autograd recorded.
"""

import sys
from typing import TYPE_CHECKING, Any

from .. import data
from . import dlpack

if TYPE_CHECKING:
    from ._graph import Graph, GraphNode, graph
    from ._summary import Layer, Summary, summary

__all__ = ["Graph", "GraphNode", "Layer", "Summary", "data", "dlpack", "graph", "summary"]

sys.modules[f"{__name__}.data"] = data


def __getattr__(name: str) -> Any:
    # Loaded when asked for: whoever comes for utils.data needs no layers.
    if name in ("Graph", "GraphNode", "graph"):
        from . import _graph

        return getattr(_graph, name)
    if name in ("Layer", "Summary", "summary"):
        from . import _summary

        return getattr(_summary, name)
    raise AttributeError(f"module 'chainrule.utils' has no attribute {name!r}")

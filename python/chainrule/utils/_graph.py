"""The autograd graph as DOT text and as an SVG picture."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from chainrule import Tensor, enable_grad, nn
from chainrule._core import _output_nr

from ._layers import place

__all__ = ["Graph", "GraphNode", "graph"]

_DRAWN = 1000  # nodes a notebook draws by itself
_LETTER = 7.3  # the width of a letter, at 12 pixels of a monospaced font
_ROW, _HEIGHT, _GAP, _MARGIN = 66.0, 36.0, 18.0, 8.0  # pixels
_COLOURS = {"leaf": "#cfe3ff", "call": "#eceff3", "output": "#d3efd6"}


class GraphNode(NamedTuple):
    """A node of a :class:`Graph`.

    Attributes:
        kind: ``"leaf"`` (a tensor that receives a gradient), ``"call"`` (of an operation) or
            ``"output"``.
        label: the leaf's name, the operation, or ``"output"``.
        shape: of the tensor, or of the results of a call that are read, as text.
    """

    kind: str
    label: str
    shape: str


class Graph:
    """The operations between leaves and outputs; a notebook shows it as a picture.

    Attributes:
        nodes: the :class:`GraphNode` tuples.
        edges: pairs of positions in ``nodes``, from what is read to what reads it, as in the
            forward pass; a call that reads a tensor twice has two.
    """

    def __init__(self, nodes: list[GraphNode], edges: list[tuple[int, int]]) -> None:
        self.nodes = nodes
        self.edges = edges

    def to_dot(self) -> str:
        """Return the graph in Graphviz's DOT language.

        Example:
            >>> w = cr.ones(2, requires_grad=True)
            >>> print(cr.utils.graph(w.exp(), {"w": w}).to_dot())
            digraph {
              node [shape=box, style="rounded,filled", fontname=monospace]
              n0 [label="output\\n(2,)", fillcolor="#d3efd6"]
              n1 [label="Exp\\n(2,)", fillcolor="#eceff3"]
              n2 [label="w\\n(2,)", fillcolor="#cfe3ff"]
              n1 -> n0
              n2 -> n1
            }
        """
        lines = ["digraph {", '  node [shape=box, style="rounded,filled", fontname=monospace]']
        for i, (kind, label, shape) in enumerate(self.nodes):
            text = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            lines.append(f'  n{i} [label="{text}\\n{shape}", fillcolor="{_COLOURS[kind]}"]')
        lines += [f"  n{tail} -> n{head}" for tail, head in self.edges]
        return "\n".join([*lines, "}"])

    def to_svg(self) -> str:
        """Return the graph as an SVG picture, the leaves above and the outputs at the bottom."""
        widths = [
            2 * _MARGIN + _LETTER * max(len(node.label), len(node.shape)) for node in self.nodes
        ]
        layout = place(widths, self.edges, _GAP)
        left = min(x - w / 2 for x, w in zip(layout.x, widths, strict=True)) - _MARGIN
        right = max(x + w / 2 for x, w in zip(layout.x, widths, strict=True)) + _MARGIN
        for x, _ in itertools.chain.from_iterable(layout.paths):
            left, right = min(left, x - _MARGIN), max(right, x + _MARGIN)
        width, height = right - left, _ROW * max(layout.layer) + _HEIGHT + 2 * _MARGIN

        def top(layer: int) -> float:
            return _MARGIN + _ROW * layer

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:100%;height:auto" '
            f'font-family="ui-monospace,monospace" font-size="12" text-anchor="middle" '
            f'role="img" aria-label="graph of {len(self.nodes)} nodes">'
            '<defs><marker id="cr-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#808894"/></marker>'
            "</defs>"
            '<g fill="none" stroke="#808894">'
        ]
        for path in layout.paths:
            x, y = path[0][0] - left, top(path[0][1]) + _HEIGHT
            line = f"M{x:.1f} {y:.1f}"
            for to, level in path[1:]:  # each step leaves and arrives upright
                end, middle = top(level), (y + top(level)) / 2
                line += (
                    f"C{x:.1f} {middle:.1f} {to - left:.1f} {middle:.1f} {to - left:.1f} {end:.1f}"
                )
                x, y = to - left, end
                if (to, level) != path[-1]:
                    y += _HEIGHT
                    line += f"V{y:.1f}"
            parts.append(f'<path d="{line}" marker-end="url(#cr-arrow)"/>')
        parts.append("</g>")
        for (kind, label, shape), x, level, w in zip(
            self.nodes, layout.x, layout.layer, widths, strict=True
        ):
            x, y = x - left, top(level)
            parts.append(
                f'<g><rect x="{x - w / 2:.1f}" y="{y:.1f}" width="{w:.1f}" height="{_HEIGHT:.0f}" '
                f'rx="6" fill="{_COLOURS[kind]}" stroke="#808894"/>'
                f'<text x="{x:.1f}" y="{y + 15:.1f}" fill="#14181d">{html.escape(label)}</text>'
                f'<text x="{x:.1f}" y="{y + 29:.1f}" fill="#4d5661">{html.escape(shape)}</text></g>'
            )
        return "".join([*parts, "</svg>"])

    def _repr_svg_(self) -> str | None:
        return self.to_svg() if len(self.nodes) <= _DRAWN else None

    def __repr__(self) -> str:
        kinds = [node.kind for node in self.nodes]
        return (
            f"Graph({kinds.count('leaf')} leaves, {kinds.count('call')} calls, "
            f"{kinds.count('output')} outputs, {len(self.edges)} edges)"
        )


def graph(
    tensors: Tensor | Iterable[Tensor],
    names: nn.Module | Mapping[str, Tensor] | None = None,
) -> Graph:
    """Return the autograd graph of one tensor or several.

    Args:
        tensors: what was computed.
        names: a module, or a dict of tensors by name: what the leaves are called that are found
            among them. Others are called ``leaf``.

    Returns:
        A :class:`Graph`, with ``to_dot()`` and ``to_svg()``.

    Raises:
        TypeError: ``tensors`` holds something else.
        ValueError: a tensor without history, or no tensor.

    Example:
        >>> net = nn.Linear(3, 2)
        >>> g = cr.utils.graph(net(cr.zeros(1, 3)).sum(), net)
        >>> g
        Graph(2 leaves, 2 calls, 1 outputs, 4 edges)
        >>> [node.label for node in g.nodes]
        ['output', 'Sum', 'Linear', 'weight', 'bias']
    """
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for root in roots:
        if not isinstance(root, Tensor):
            raise TypeError(f"graph: expected tensors (got {type(root).__name__})")
        if not root.requires_grad:
            raise ValueError(
                "graph: the tensor has no history (requires_grad is False); "
                "compute it from tensors that require a gradient, outside no_grad()"
            )
    if not roots:
        raise ValueError("graph: got no tensor")
    named = dict(names.named_parameters()) if isinstance(names, nn.Module) else dict(names or {})
    leaves = {_source(tensor): name for name, tensor in named.items() if tensor.requires_grad}

    nodes = [GraphNode("output", "output", str(tuple(root.shape))) for root in roots]
    edges = []
    calls: list[Any] = []  # and leaves: those found so far
    number: dict[Any, int] = {}
    read: dict[Any, set[int]] = {}  # the outputs of each that something reads

    def add_edge(source: Any, output: int, reader: int) -> None:
        if source not in number:
            number[source] = len(roots) + len(calls)
            calls.append(source)
        read.setdefault(source, set()).add(output)
        edges.append((number[source], reader))

    for i, root in enumerate(roots):
        add_edge(_source(root), _output_nr(root), i)
    for call in calls:  # which grows meanwhile: breadth first, without recursion
        for source, output in call.next_functions:
            if source is not None:
                add_edge(source, output, number[call])
    for call in calls:
        shapes = ", ".join(str(call._shapes[output]) for output in sorted(read[call]))
        if call.name() == "AccumulateGrad":
            nodes.append(GraphNode("leaf", leaves.get(call, "leaf"), shapes))
        else:
            nodes.append(GraphNode("call", call.name().removesuffix("Backward"), shapes))
    return Graph(nodes, edges)


def _source(tensor: Tensor) -> Any:
    """The node that made a tensor, or the leaf's own."""
    if tensor.grad_fn is not None:
        return tensor.grad_fn
    with enable_grad():  # a leaf's node is seen from what reads it
        return tensor.view_as(tensor).grad_fn.next_functions[0][0]

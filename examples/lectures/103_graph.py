"""A network is a directed, acyclic graph of layers; its weights span the hypothesis space.

    x -- shared -- branch a --\\
                                + -- y
    z -- shared -- branch b --/
"""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from finding import Finding, main

import chainrule as cr
from chainrule import Tensor, nn

DOUBLE = {"dtype": cr.float64}


class TwoBranches(nn.Module):
    """Two inputs go through one shared layer, then each through a branch of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(3, 4, **DOUBLE)
        self.a = nn.Sequential(nn.Tanh(), nn.Linear(4, 2, **DOUBLE))
        self.b = nn.Sequential(nn.Sigmoid(), nn.Linear(4, 2, **DOUBLE))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Return what the branches say together."""
        return self.a(self.shared(x)) + self.b(self.shared(z))


def has_order(edges: list[tuple[int, int]]) -> bool:
    """Whether layers can be computed one after the other: none waits for itself."""
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for before, after in edges:
        sorter.add(after, before)
    try:
        sorter.prepare()
    except CycleError:
        return False
    return True


def findings(small: bool) -> Iterator[Finding]:
    """Row 1.3."""
    cr.manual_seed(0)
    model = TwoBranches()
    x, z = cr.randn(5, 3, **DOUBLE), cr.randn(5, 3, **DOUBLE)
    y = model(x, z)
    graph = cr.utils.graph(y, model)
    yield Finding(
        "1.3",
        "the graph is acyclic, and so it is not with an arrow back to its start",
        [True, False],
        [has_order(graph.edges), has_order([*graph.edges, graph.edges[0][::-1]])],
    )
    leaves = sorted(node.label for node in graph.nodes if node.kind == "leaf")
    yield Finding(
        "1.3",
        "what the graph begins with: every parameter, the shared ones once",
        ", ".join(sorted(name for name, _ in model.named_parameters())),
        ", ".join(leaves),
    )
    shared = [k for k, node in enumerate(graph.nodes) if node.label.startswith("shared")]
    yield Finding(
        "1.3",
        "arrows from the shared weight and bias, one of each to either branch",
        4,
        sum(before in shared for before, _ in graph.edges),
    )
    dot = graph.to_dot()
    yield Finding("1.3", "arrows in the DOT text", len(graph.edges), dot.count(" -> "))

    w = model.shared.weight
    (whole,) = cr.autograd.grad(y.sum(), w)
    (first,) = cr.autograd.grad(model.a(model.shared(x)).sum(), w)
    (second,) = cr.autograd.grad(model.b(model.shared(z)).sum(), w)
    yield Finding(
        "1.3",
        "the shared weight's gradient less the sum over its two paths",
        0.0,
        (whole - first - second).abs().max().item(),
        within=1e-13,
    )
    yield Finding(
        "1.3",
        "dimensions of the hypothesis space, one for each weight: 4 (3 + 1) + 2 x 2 (4 + 1)",
        36,
        sum(parameter.numel() for parameter in model.parameters()),
    )


if __name__ == "__main__":
    main(findings)

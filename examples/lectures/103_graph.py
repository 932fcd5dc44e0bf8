"""A network is a directed, acyclic graph of layers; its weights span the hypothesis space.

    x -- shared -- branch a --\\
                                + -- y
    z -- shared -- branch b --/
"""

from collections.abc import Iterator
from typing import Any

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


def edges(node: Any, above: tuple[Any, ...] = ()) -> set[tuple[Any, Any]]:
    """Every arrow of the graph backward() walks, from an output to its inputs."""
    if node in above:
        raise ValueError("the graph has a cycle")
    below = [child for child, _ in node.next_functions if child is not None]
    found = {(node, child) for child in below}
    return found.union(*(edges(child, (*above, node)) for child in below))


def findings(small: bool) -> Iterator[Finding]:
    """Row 1.3."""
    cr.manual_seed(0)
    model = TwoBranches()
    x, z = cr.randn(5, 3, **DOUBLE), cr.randn(5, 3, **DOUBLE)
    y = model(x, z)
    arrows = edges(y.grad_fn)
    nodes = {node for arrow in arrows for node in arrow}
    leaves = nodes - {above for above, _ in arrows}
    yield Finding(
        "1.3",
        "the graph has no cycle, and ends at the model's parameters: so many of them",
        len(list(model.parameters())),
        len(leaves),
    )
    into_shared = sum(below.name().startswith("Accumulate") for _, below in arrows)
    yield Finding(
        "1.3", "arrows that end there: the shared layer's two have two each", 8, into_shared
    )

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

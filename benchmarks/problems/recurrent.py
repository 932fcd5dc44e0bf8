"""Recurrent nets: outputs alone, and the gradients of all weights."""

from __future__ import annotations

from benchmarks.problem import Expression, Input, Problem

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def net(
    kind: str,
    steps: int,
    batch: int,
    features: int,
    hidden: int,
    layers: int = 1,
    both: bool = False,
    quick: bool = False,
) -> list[Problem]:
    """Both problems of a net on (steps, batch, features), with ``both`` in two directions."""
    directions = 2 if both else 1
    rows = GATES[kind] * hidden
    inputs: dict[str, Input] = {"x": (steps, batch, features)}
    forward = backward = 0.0
    for layer in range(layers):
        width = features if layer == 0 else directions * hidden
        for _ in range(directions):
            for shape in ((rows, width), (rows, hidden), (rows,), (rows,)):
                inputs[f"w{len(inputs) - 1}"] = shape
            product = 2.0 * steps * batch * rows
            forward += product * (width + hidden)
            # Of the weights, of the states and, above the first layer, of the inputs.
            backward += product * (width + 2 * hidden + (width if layer else 0))
    weights = f"[{', '.join(f'0.1 * {name}' for name in inputs if name != 'x')}]"
    prepare = (
        f"net = nn.{kind}({features}, {hidden}, {layers}, bidirectional={both})\n"
        "parameters = list(net.parameters())\n"
        "with lib.no_grad():\n"
        f"    for parameter, value in zip(parameters, {weights}, strict=True):\n"
        "        parameter.copy_(value)\n"
    )
    name = f"{kind} {steps}x{batch}x{features} to {hidden}"
    name += f", {layers} layers" if layers > 1 else ""
    name += ", both ways" if both else ""
    return [
        Expression(
            group="recurrent",
            name=name,
            inputs=inputs,
            prepare=f"{prepare}net.requires_grad_(False)",
            torch="net(x)[0]",
            exact=f"ref.recurrent('{kind}', x, {weights}, {layers}, {both})",
            flops=forward,
            tolerance=2e-4,
        ),
        Expression(
            group="recurrent",
            name=f"{name} forward + backward",
            inputs=inputs | {"g": (steps, batch, directions * hidden)},
            prepare=prepare,
            torch="lib.autograd.grad(net(x)[0], parameters, g)",
            exact=f"ref.recurrent_grads('{kind}', x, {weights}, g, {layers}, {both})",
            flops=forward + backward,
            tolerance=1e-3,
            quick=quick,
        ),
    ]


PROBLEMS = [
    problem
    for kind in GATES
    for problem in (
        *net(kind, 28, 64, 28, 64, quick=True),
        *net(kind, 100, 32, 64, 128),
        *net(kind, 50, 1, 32, 64),
        *net(kind, 50, 32, 64, 128, layers=2, both=True),
    )
]

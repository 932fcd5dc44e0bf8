"""Pointwise operations and activations on a million float32 numbers."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.problem import Expression, Positive, Problem

SHAPE = (1000, 1000)
MILLION = float(math.prod(SHAPE))


def row(name: str, torch: str, numpy: str | None, jax: str | None, **more: Any) -> Problem:
    """A pointwise problem; ``arrays`` counts the million-element arrays read and written."""
    arrays = more.pop("arrays", 2)
    fields: dict[str, Any] = {"inputs": {"x": SHAPE}} | more
    size = 8 if more.get("dtype") == "float64" else 4
    traffic = size * MILLION * arrays
    return Expression(
        group="pointwise", name=name, torch=torch, numpy=numpy, jax=jax, bytes=traffic, **fields
    )


def unary(name: str, exact: str, derivative: str, quick: bool = False) -> list[Problem]:
    """An activation, forward alone and with its gradient; the reference is not timed."""
    jax = {
        "tanh": "jnp.tanh(x)",
        "gelu": "jnn.gelu(x, approximate=False)",
        "hardswish": "jnn.hard_swish(x)",
    }.get(name, f"jnn.{name}(x)")
    function = f"lib.{name}(x)" if name in ("tanh", "sigmoid") else f"F.{name}(x)"
    return [
        row(name, function, None, jax, exact=exact, quick=quick),
        row(
            f"{name} forward + backward",
            f"lib.autograd.grad({function}, x, g)",
            None,
            f"value_and_vjp(lambda x: {jax}, x)(g)",
            exact=f"g * ({derivative})",
            inputs={"x": SHAPE, "g": SHAPE},
            grads=("x",),
            arrays=5,
        ),
    ]


TWO = {"x": SHAPE, "y": SHAPE}
THREE = TWO | {"z": SHAPE}
POSITIVE = {"x": Positive(SHAPE)}

PROBLEMS = [
    row("x + y", "x + y", "x + y", "x + y", inputs=TWO, arrays=3, quick=True),
    row("x * y + z", "x * y + z", "x * y + z", "x * y + z", inputs=THREE, arrays=6),
    row("x * 2.0", "x * 2.0", "x * 2.0", "x * 2.0"),
    row("x + row", "x + r", "x + r", "x + r", inputs={"x": SHAPE, "r": (1000,)}, quick=True),
    row("x + column", "x + c", "x + c", "x + c", inputs={"x": SHAPE, "c": (1000, 1)}),
    row("x + y.T", "x + y.T", "x + y.T", "x + y.T", inputs=TWO, arrays=3),
    row("x > y", "x > y", "x > y", "x > y", inputs=TWO, arrays=2.25),
    row("where", "lib.where(x > 0, x, y)", "np.where(x > 0, x, y)", "jnp.where(x > 0, x, y)",
        inputs=TWO, arrays=4.5),
    row("exp", "lib.exp(x)", "np.exp(x)", "jnp.exp(x)", quick=True),
    row("log", "lib.log(x)", "np.log(x)", "jnp.log(x)", inputs=POSITIVE),
    row("sqrt", "lib.sqrt(x)", "np.sqrt(x)", "jnp.sqrt(x)", inputs=POSITIVE),
    row("sin", "lib.sin(x)", "np.sin(x)", "jnp.sin(x)"),
    row("x ** 2", "x ** 2", "x ** 2", "x ** 2"),
    row("exp float64", "lib.exp(x)", "np.exp(x)", "jnp.exp(x)", dtype="float64"),
    *unary("relu", "np.maximum(x, 0)", "x > 0", quick=True),
    *unary("sigmoid", "ref.sigmoid(x)", "ref.sigmoid(x) * (1 - ref.sigmoid(x))"),
    *unary("tanh", "np.tanh(x)", "1 - np.tanh(x) ** 2", quick=True),
    *unary("gelu", "ref.gelu(x)", "ref.gelu_grad(x)", quick=True),
    *unary("hardswish", "x * np.clip(x + 3, 0, 6) / 6",
           "np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5))"),
    *unary("silu", "x * ref.sigmoid(x)",
           "ref.sigmoid(x) * (1 + x * (1 - ref.sigmoid(x)))"),
    *unary("softplus", "np.logaddexp(x, 0)", "ref.sigmoid(x)"),
]  # fmt: skip

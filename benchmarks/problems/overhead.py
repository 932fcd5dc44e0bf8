"""What a call costs when there is almost nothing to compute."""

from __future__ import annotations

from typing import Any

from benchmarks.problem import Expression, Problem

ONE = {"a": (1,), "b": (1,)}
EIGHT = {"x": (8,), "w": (8,), "b": (8,)}

CHAIN = """
def chain():
    x.grad = None
    y = x
    for _ in range(5):
        y = y * w
        y = y + b
    y.sum().backward()
    return x.grad
"""
CHAINED = "((((x * w + b) * w + b) * w + b) * w + b) * w + b"
NO_GRAD = """
def add():
    with lib.no_grad():
        return a + b
"""
LINEAR = """
m = nn.Linear(4, 4)
m.load_state_dict({"weight": w, "bias": b})
"""


def row(name: str, torch: str, numpy: str | None, jax: str | None = None, **more: Any) -> Problem:
    """An overhead problem, on one-element tensors unless said otherwise."""
    fields: dict[str, Any] = {"inputs": ONE, "quick": True} | more
    return Expression(group="overhead", name=name, torch=torch, numpy=numpy, jax=jax, **fields)


PROBLEMS = [
    row("a + b", "a + b", "a + b", "a + b"),
    row("a + b with gradient", "a + b", None, exact="a + b", grads=("a", "b")),
    row("a + b in no_grad", "add()", None, exact="a + b", grads=("a", "b"), prepare=NO_GRAD),
    row("a * 2.0", "a * 2.0", "a * 2.0", "a * 2.0"),
    row("a * 2.0 with gradient", "a * 2.0", None, exact="a * 2.0", grads=("a",)),
    row("a + b 100 elements", "a + b", "a + b", "a + b", inputs={"a": (100,), "b": (100,)}),
    row("method a.exp()", "a.exp()", "np.exp(a)", "jnp.exp(a)"),
    row("function exp(a)", "lib.exp(a)", "np.exp(a)"),
    row(
        "keywords sum(x dim=0 keepdim=True)",
        "lib.sum(x, dim=0, keepdim=True)",
        "np.sum(x, axis=0, keepdims=True)",
        "jnp.sum(x, axis=0, keepdims=True)",
        inputs={"x": (2, 2)},
    ),
    row("index x[1]", "x[1]", "x[1]", "x[1]", inputs={"x": (2, 2)}),
    row("a.item()", "a.item()", "a.item()", quick=False),
    row("x.reshape(4)", "x.reshape(4)", "x.reshape(4)", inputs={"x": (2, 2)}, quick=False),
    row(
        "10-op chain forward + backward",
        "chain()",
        None,
        f"jax.value_and_grad(lambda x: ({CHAINED}).sum())(x)",
        exact="w**5",
        inputs=EIGHT,
        grads=("x",),
        prepare=CHAIN,
        tolerance=1e-4,
    ),
    row(
        "module Linear(4 4)(x)",
        "m(x)",
        "x @ w.T + b",
        "x @ w.T + b",
        inputs={"x": (1, 4), "w": (4, 4), "b": (4,)},
        prepare=LINEAR,
    ),
]

"""Embeddings and bags of them, forward alone and with the gradient of the table."""

from __future__ import annotations

from benchmarks.problem import Expression, Labels, Problem

SUMS = {"sum": "w[i].sum(1)", "mean": "w[i].mean(1)", "max": "w[i].max(1)"}


def embedding(rows: int, width: int, batch: int, length: int, quick: bool = False) -> list[Problem]:
    """Both problems of a table (rows, width) and a batch of sequences."""
    n = batch * length
    name = f"{batch}x{length} of {rows}x{width}"
    inputs = {"i": Labels(n, rows), "w": (rows, width)}
    numbers = f"i.reshape({batch}, {length})"
    torch = f"F.embedding({numbers}, w)"
    return [
        Expression(
            group="embedding",
            name=name,
            inputs=inputs,
            torch=torch,
            numpy=f"w[{numbers}]",
            jax=f"w[{numbers}]",
            bytes=8.0 * n * width,
            quick=quick,
        ),
        Expression(
            group="embedding",
            name=f"{name} forward + backward",
            inputs=inputs | {"g": (batch, length, width)},
            grads=("w",),
            torch=f"lib.autograd.grad({torch}, w, g)",
            jax=f"value_and_vjp(lambda w: w[{numbers}], w)(g)",
            exact=f"ref.embedding_grad(i, g, {rows})",
            bytes=4.0 * width * (5 * n + rows),
            quick=quick,
        ),
    ]


def bag(
    mode: str, rows: int, width: int, batch: int, length: int, quick: bool = False
) -> list[Problem]:
    """Both problems of bags of equal size."""
    n = batch * length
    name = f"bag {mode} {batch}x{length} of {rows}x{width}"
    inputs = {"i": Labels(n, rows), "w": (rows, width)}
    numbers = f"i.reshape({batch}, {length})"
    torch = f"F.embedding_bag({numbers}, w, mode={mode!r})"
    value = SUMS[mode].replace("[i]", f"[{numbers}]")
    return [
        Expression(
            group="embedding",
            name=name,
            inputs=inputs,
            torch=torch,
            numpy=value,
            jax=value,
            bytes=4.0 * width * (n + batch),
            quick=quick,
        ),
        Expression(
            group="embedding",
            name=f"{name} forward + backward",
            inputs=inputs | {"g": (batch, width)},
            grads=("w",),
            torch=f"lib.autograd.grad({torch}, w, g)",
            jax=f"value_and_vjp(lambda w: {value}, w)(g)",
            exact=f"ref.embedding_bag_grad({numbers}, w, g, {mode!r})",
            bytes=4.0 * width * (3 * n + 2 * batch + rows),
        ),
    ]


PROBLEMS = [
    *embedding(1000, 16, 32, 20, quick=True),
    *embedding(10000, 64, 64, 50),
    *embedding(10000, 128, 32, 128),
    *bag("sum", 10000, 64, 64, 50, quick=True),
    *bag("mean", 10000, 64, 64, 50),
    *bag("max", 10000, 64, 64, 50),
]

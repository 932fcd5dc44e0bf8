"""Reductions, softmax and losses."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.problem import Expression, Input, Labels, Problem

SQUARE = (1000, 1000)


def row(
    name: str,
    torch: str,
    numpy: str | None,
    jax: str | None = None,
    shape: tuple[int, ...] = SQUARE,
    **more: Any,
) -> Problem:
    """A reduction of x; NumPy's line serves JAX where none is given."""
    fields: dict[str, Any] = {"inputs": {"x": shape}, "bytes": 4.0 * math.prod(shape)} | more
    if jax is None and numpy is not None:
        jax = numpy.replace("np.", "jnp.")
    return Expression(group="reduce", name=name, torch=torch, numpy=numpy, jax=jax, **fields)


def logits(n: int, classes: int, quick: bool = False) -> list[Problem]:
    """Softmax and cross-entropy of (n, classes) logits."""
    shape = (n, classes)
    inputs: dict[str, Input] = {"x": shape, "y": Labels(n, classes)}
    size = f"{n}x{classes}"
    entropy = "-jnn.log_softmax(x)[jnp.arange(len(y)), y].mean()"
    twice = 8.0 * math.prod(shape)
    return [
        row(f"softmax {size}", "F.softmax(x, -1)", None, "jnn.softmax(x)", shape=shape,
            exact="ref.softmax(x)", bytes=twice, quick=quick),
        row(f"log_softmax {size}", "F.log_softmax(x, -1)", None, "jnn.log_softmax(x)", shape=shape,
            exact="ref.log_softmax(x)", bytes=twice),
        row(f"cross_entropy {size}", "F.cross_entropy(x, y)", None, entropy, inputs=inputs,
            exact="ref.cross_entropy(x, y)", quick=quick),
        row(f"cross_entropy {size} forward + backward",
            "lib.autograd.grad(F.cross_entropy(x, y), x)", None,
            f"jax.value_and_grad(lambda x: {entropy})(x)",
            inputs=inputs, grads=("x",), exact="ref.cross_entropy_grad(x, y)", quick=quick),
    ]  # fmt: skip


def ctc(steps: int, batch: int, classes: int, length: int) -> Problem:
    """Connectionist temporal classification with its gradient, the last class being the blank."""
    lengths = f"({steps},) * {batch}, ({length},) * {batch}, {classes - 1}, 'sum'"
    labels = f"y.reshape({batch}, {length})"
    return row(
        f"ctc_loss {steps}x{batch}x{classes}, {length} labels, forward + backward",
        f"lib.autograd.grad(F.ctc_loss(F.log_softmax(x, 2), {labels}, {lengths}), x)",
        None,
        inputs={"x": (steps, batch, classes), "y": Labels(batch * length, classes - 1)},
        grads=("x",),
        exact=f"ref.ctc(x, {labels})[1]",
        bytes=4.0 * steps * batch * classes,
        tolerance=5e-3,  # torch's float32 recursion is off by up to 1e-3
    )


PROBLEMS = [
    row("sum", "x.sum()", "np.sum(x)", tolerance=1e-3, quick=True),
    row("sum dim 0", "x.sum(0)", "np.sum(x, axis=0)", quick=True),
    row("sum dim 1", "x.sum(1)", "np.sum(x, axis=1)"),
    row("sum middle dim 64x64x256", "x.sum(1)", "np.sum(x, axis=1)", shape=(64, 64, 256)),
    row("sum dim 1, transposed", "x.T.sum(1)", "np.sum(x.T, axis=1)"),
    row(
        "sum dim 0 of 333333x3", "x.sum(0)", "np.sum(x, axis=0)", shape=(333333, 3), tolerance=1e-3
    ),
    row("mean dim 1", "x.mean(1)", "np.mean(x, axis=1)"),
    row("max", "x.max()", "np.max(x)"),
    row("amax dim 1", "x.amax(1)", "np.max(x, axis=1)"),
    row("amax dim 1 of 333333x3", "x.amax(1)", "np.max(x, axis=1)", shape=(333333, 3)),
    row("argmax dim 1", "x.argmax(1)", "np.argmax(x, axis=1)", quick=True),
    row("var dim 1", "x.var(1)", "np.var(x, axis=1, ddof=1)"),
    row("logsumexp dim 1", "lib.logsumexp(x, 1)", "np.log(np.sum(np.exp(x), axis=1))"),
    row(
        "logsumexp dim 1 of 8x21x64x64",
        "lib.logsumexp(x, 1)",
        None,
        "jax.nn.logsumexp(x, 1)",
        shape=(8, 21, 64, 64),
        exact="np.log(np.sum(np.exp(x), axis=1))",
    ),
    row("cumsum dim 1", "x.cumsum(1)", "np.cumsum(x, axis=1)", tolerance=1e-3),
    row("norm", "x.norm()", "np.linalg.norm(x)", tolerance=1e-3),
    *logits(128, 10, quick=True),
    *logits(256, 1000),
    *logits(4096, 64),
    ctc(150, 16, 29, 30),
    ctc(500, 8, 64, 100),
]

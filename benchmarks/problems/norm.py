"""Normalization forward alone and with its gradient: batch, layer, group, RMS."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.problem import Expression, Problem

MEAN = "(x - x.mean({0}, keepdims=True)) / np.sqrt(x.var({0}, keepdims=True) + 1e-5)"
GROUP_NORMAL = "(lambda x, shape: ({}).reshape(shape))(x.reshape(len(x), 8, -1), x.shape)".format(
    MEAN.format("axis=2")
)


def rows(
    name: str, line: str, exact: str, shape: tuple[int, ...], **more: bool
) -> Iterator[Problem]:
    """A normalization with its weight and bias; NumPy's reference is not timed, and serves JAX."""
    channels = shape[1] if line.startswith(("F.batch", "F.group")) else shape[-1]
    inputs = {"x": shape, "w": (channels,), "b": (channels,)}
    size = "x".join(map(str, shape))
    work = 4.0 * math.prod(shape)
    jax = exact.replace("ref.group_normal(x, 8)", GROUP_NORMAL).replace("np.", "jnp.")
    yield Expression(group="norm", name=f"{name} {size}", torch=line, jax=jax, exact=exact,
                     inputs=inputs, bytes=2 * work, **more)  # fmt: skip
    yield Expression(
        group="norm",
        name=f"{name} {size} forward + backward",
        torch=f"lib.autograd.grad({line}, [x, w, b], g)",
        jax=f"value_and_vjp(lambda x, w, b: {jax}, x, w, b)(g)",
        exact=f"ref.norm_grads(x, w, g, {name!r})",
        inputs=inputs | {"g": shape},
        grads=("x", "w", "b"),
        bytes=5 * work,
        tolerance=1e-3,
    )


def affine(normal: str, spatial: int) -> str:
    """The normal numbers times w plus b along the channels of dimension 1."""
    axes = ", None" * spatial
    return f"{normal} * w[:{axes}] + b[:{axes}]"


BATCH = "F.batch_norm(x, None, None, w, b, training=True)"

PROBLEMS = [
    *rows("batch", BATCH, affine(MEAN.format("axis=(0, 2, 3)"), 2), (32, 64, 16, 16), quick=True),
    *rows("batch", BATCH, affine(MEAN.format("axis=(0, 2, 3)"), 2), (8, 256, 14, 14)),
    *rows("batch", BATCH, MEAN.format("axis=0") + " * w + b", (256, 128)),
    *rows("layer", "F.layer_norm(x, x.shape[-1:], w, b)", MEAN.format("axis=-1") + " * w + b",
          (4096, 64)),
    *rows("layer", "F.layer_norm(x, x.shape[-1:], w, b)", MEAN.format("axis=-1") + " * w + b",
          (32, 128, 512)),
    *rows("group", "F.group_norm(x, 8, w, b)", affine("ref.group_normal(x, 8)", 2),
          (32, 64, 16, 16)),
]  # fmt: skip

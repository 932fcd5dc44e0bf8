"""Pooling, forward alone and with the gradient."""

from __future__ import annotations

import math

from benchmarks.problem import Expression, Problem

REDUCE_WINDOW = {
    "max": "lax.reduce_window(x, -jnp.inf, lax.max, {dims}, {dims}, 'VALID')",
    "avg": "lax.reduce_window(x, 0.0, lax.add, {dims}, {dims}, 'VALID') / {area}",
}


def pool(kind: str, image: tuple[int, ...], kernel: int, quick: bool = False) -> list[Problem]:
    """Both problems of ``max`` or ``avg`` pooling with stride = kernel."""
    n, c, height, width = image
    dims = f"(1, 1, {kernel}, {kernel})"
    jax = REDUCE_WINDOW[kind].format(dims=dims, area=kernel**2)
    torch = f"F.{kind}_pool2d(x, {kernel})"
    output = (n, c, height // kernel, width // kernel)
    inputs = {"x": image, "g": output}
    name = f"{kind} {kernel}x{kernel} of {n}x{c}x{height}x{width}"
    traffic = 4.0 * (math.prod(image) + math.prod(output))
    return [
        Expression(
            group="pool",
            name=name,
            inputs={"x": image},
            torch=torch,
            jax=jax,
            exact=f"ref.{kind}_pool2d(x, {kernel})",
            bytes=traffic,
            quick=quick,
        ),
        Expression(
            group="pool",
            name=f"{name} forward + backward",
            inputs=inputs,
            grads=("x",),
            torch=f"lib.autograd.grad({torch}, x, g)",
            jax=f"value_and_vjp(lambda x: {jax}, x)(g)",
            exact=f"ref.{kind}_pool2d_grad(x, g, {kernel})",
            bytes=2 * traffic,
        ),
    ]


def adaptive(image: tuple[int, ...], quick: bool = False) -> Problem:
    """Global average pooling, the end of every ResNet."""
    return Expression(
        group="pool",
        name="global avg of " + "x".join(map(str, image)),
        inputs={"x": image},
        torch="F.adaptive_avg_pool2d(x, 1)",
        numpy="x.mean(axis=(2, 3), keepdims=True)",
        jax="x.mean(axis=(2, 3), keepdims=True)",
        bytes=4.0 * math.prod(image),
        quick=quick,
    )


PROBLEMS = [
    *pool("max", (64, 6, 28, 28), 2, quick=True),
    *pool("max", (64, 64, 24, 24), 2, quick=True),
    *pool("max", (32, 64, 32, 32), 2),
    *pool("avg", (64, 6, 28, 28), 2),
    *pool("avg", (32, 64, 32, 32), 2, quick=True),
    *pool("max", (32, 16, 30, 30), 3),
    adaptive((32, 64, 8, 8), quick=True),
    adaptive((1, 2048, 7, 7)),
]

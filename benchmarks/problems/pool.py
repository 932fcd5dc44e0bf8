"""Pooling, forward alone and with the gradient."""

from __future__ import annotations

import math

from benchmarks.problem import Expression, Problem

REDUCE_WINDOW = {
    "max": "lax.reduce_window(x, -jnp.inf, lax.max, {dims}, {step}, {border})",
    "avg": "lax.reduce_window(x, 0.0, lax.add, {dims}, {step}, {border}) / {area}",
}


def pool(
    kind: str,
    image: tuple[int, ...],
    kernel: int,
    stride: int | None = None,
    padding: int = 0,
    quick: bool = False,
) -> list[Problem]:
    """Both problems of ``max`` or ``avg`` pooling."""
    n, c, *plane = image
    step = stride or kernel
    dims = f"(1, 1, {kernel}, {kernel})"
    border = f"((0, 0), (0, 0), ({padding}, {padding}), ({padding}, {padding}))"
    jax = REDUCE_WINDOW[kind].format(
        dims=dims, step=f"(1, 1, {step}, {step})", border=border, area=kernel**2
    )
    args = f"{kernel}, {step}, {padding}"
    torch = f"F.{kind}_pool2d(x, {args})"
    output = (n, c, *((size + 2 * padding - kernel) // step + 1 for size in plane))
    inputs = {"x": image, "g": output}
    name = f"{kind} {kernel}x{kernel} of {'x'.join(map(str, image))}"
    name += f" s{stride}" if stride else ""
    traffic = 4.0 * (math.prod(image) + math.prod(output))
    return [
        Expression(
            group="pool",
            name=name,
            inputs={"x": image},
            torch=torch,
            jax=jax,
            exact=f"ref.{kind}_pool2d(x, {args})",
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
            exact=f"ref.{kind}_pool2d_grad(x, g, {args})",
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
    *pool("max", (1, 64, 112, 112), 3, stride=2, padding=1),  # behind the stem of a ResNet
    *pool("avg", (4, 256, 56, 56), 8),
    adaptive((32, 64, 8, 8), quick=True),
    adaptive((1, 2048, 7, 7)),
]

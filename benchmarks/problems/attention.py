"""Scaled dot-product attention, forward alone and with all three gradients."""

from __future__ import annotations

import math

from benchmarks.problem import Expression, Problem


def attention(
    shape: tuple[int, int, int, int], causal: bool = False, quick: bool = False
) -> list[Problem]:
    """Both problems for queries, keys and values of shape (N, heads, length, features)."""
    torch = f"F.scaled_dot_product_attention(q, k, v, is_causal={causal})"
    # JAX wants (N, length, heads, features).
    flip = "x.swapaxes(1, 2)"
    jax = (
        f"(lambda q, k, v: (lambda x: {flip})(jnn.dot_product_attention("
        f"*[{flip} for x in (q, k, v)], is_causal={causal})))"
    )
    inputs = dict.fromkeys("qkv", shape)
    # Of the causal square, the half with its diagonal is work.
    pairs = shape[2] * (shape[2] + 1) / 2 if causal else shape[2] ** 2
    flops = 4.0 * math.prod(shape[:2]) * pairs * shape[3]
    name = "x".join(map(str, shape)) + (" causal" if causal else "")
    return [
        Expression(
            group="attention",
            name=name,
            inputs=inputs,
            torch=torch,
            jax=f"{jax}(q, k, v)",
            exact=f"ref.attention(q, k, v, {causal})",
            flops=flops,
            tolerance=2e-4,
            quick=quick,
        ),
        Expression(
            group="attention",
            name=f"{name} forward + backward",
            inputs=inputs | {"g": shape},
            grads=("q", "k", "v"),
            torch=f"lib.autograd.grad({torch}, (q, k, v), g)",
            jax=f"value_and_vjp({jax}, q, k, v)(g)",
            exact=f"ref.attention_grads(q, k, v, g, {causal})",
            flops=3.5 * flops,  # the scores are made twice
            tolerance=1e-3,
            quick=quick,
        ),
    ]


PROBLEMS = [
    problem
    for causal in (False, True)
    for problem in (
        *attention((8, 8, 128, 64), causal, quick=not causal),
        *attention((2, 8, 512, 64), causal),
        *attention((1, 4, 2048, 32), causal),
    )
]

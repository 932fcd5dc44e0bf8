"""Matrix products; rows are (M, N, K) of an (M, K) by (K, N) product."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.problem import Expression, Problem


def product(
    a: tuple[int, ...],
    b: tuple[int, ...],
    note: str = "",
    line: str = "a @ b",
    numpy: str | None = None,
    **more: Any,
) -> Problem:
    """A product of stored shapes `a` and `b`; `line` says how they enter."""
    k = a[-2] if line.startswith("a.") else a[-1]
    m = a[-1] if line.startswith("a.") else a[-2]
    n = b[-2] if line.endswith("T") else b[-1]
    size = f"{m}x{n}x{k}" + (f" batch {a[0]}" if len(a) > 2 else "")
    return Expression(
        group="matmul",
        name=f"{size} {note}".strip(),
        inputs={"a": a, "b": b},
        torch=line,
        numpy=numpy or line,
        jax=numpy or line,
        flops=2.0 * math.prod(a[:-2]) * m * n * k,
        **more,
    )


def square(n: int, **more: Any) -> Problem:
    """An (n, n) by (n, n) product."""
    return product((n, n), (n, n), **more)


PROBLEMS = [
    square(32, quick=True),
    square(64, quick=True),
    square(96),
    square(128, quick=True),
    square(192),
    square(256, quick=True),
    square(384),
    square(512, quick=True),
    square(1024, quick=True),
    product((64, 784), (784, 128)),
    product((128, 784), (784, 512)),
    product((256, 30), (30, 128)),
    product((32, 128), (128, 10)),
    product((1, 784), (784, 128)),
    product((1024, 64), (64, 64)),
    product((3136, 576), (576, 64)),
    product((64, 3136), (3136, 64)),
    product((512, 512), (512, 512), note="b transposed", line="a @ b.T", quick=True),
    product((512, 512), (512, 512), note="a transposed", line="a.T @ b"),
    product((64, 784), (128, 784), note="b transposed", line="a @ b.T"),
    product((64, 32, 32), (64, 32, 32), quick=True),
    product((32, 64, 64), (32, 64, 64)),
    product((8, 256, 256), (8, 256, 256)),
    product((64, 128, 64), (64, 64), note="one b"),
    square(256, note="float64", dtype="float64"),
    square(512, note="float64", dtype="float64", quick=True),
    square(1024, note="float64", dtype="float64"),
]

"""A library's op in turn with a NumPy matmul: what the pair costs beyond the sum of both alone.

Idle workers that spin take the cores from whoever comes next; NumPy stands for whoever that is.
The figure is a factor: 1 is perfect, 2 means that the pair takes twice the time of its parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.library import Library
from benchmarks.problem import Expression, Task

MATMUL = 256


def _best_seconds(f: Callable[[], Any], count: int) -> float:
    """Best time of one call: spinning workers slow every pair, a busy machine only some."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return min(times)


class AlternationTask(Task):
    """Times the op alone, the matmul alone and the pair, right after one another."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.expression, task.names)
        code = compile(task.expression, "<op>", "eval")
        a = np.ones((MATMUL, MATMUL), np.float32)
        self._op = lambda: eval(code, task.names)
        self._matmul = lambda: a @ a

    def _pair(self) -> None:
        self._op()
        self._matmul()

    def sample(self, number: int) -> float:
        op = _best_seconds(self._op, number)
        matmul = _best_seconds(self._matmul, number)
        pair = _best_seconds(self._pair, number)
        return pair / (op + matmul)

    def calibrate(self, seconds: float) -> int:
        return 30


@dataclass(frozen=True, kw_only=True)
class Alternation(Expression):
    """The factor for one op."""

    group: str = "alternation"
    unit: str = "x"

    def task(self, library: Library) -> Task:
        return AlternationTask(super().task(library))


PROBLEMS = [
    Alternation(name="sum of 100000", inputs={"x": (100_000,)},
                torch="x.sum()", numpy="x.sum()", jax="x.sum()", tolerance=1e-3, quick=True),
    Alternation(name="exp of 1000000", inputs={"x": (1_000_000,)},
                torch="x.exp()", numpy="np.exp(x)", jax="jnp.exp(x)"),
]  # fmt: skip

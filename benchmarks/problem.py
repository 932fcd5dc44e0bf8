"""What a benchmark problem is.

A `Problem` is data: its name, its counts of work and how to build a `Task` for a library. Most are
an `Expression`: one line of Python per naming style over seeded inputs, with the NumPy line, run in
float64, as the reference that every library's answer is checked against before it is timed.
"""

from __future__ import annotations

import math
import timeit
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from benchmarks import reference
from benchmarks.library import Library, Unsupported


class Positive(NamedTuple):
    """Uniform numbers in [0.5, 2) of a shape."""

    shape: tuple[int, ...]


class Labels(NamedTuple):
    """A batch of class numbers below `classes`."""

    batch: int
    classes: int


Input = tuple[int, ...] | Positive | Labels


def draw(spec: Input, rng: np.random.Generator, dtype: str) -> np.ndarray:
    """An input array: standard normal for a plain shape."""
    if isinstance(spec, Positive):
        return rng.uniform(0.5, 2.0, spec.shape).astype(dtype)
    if isinstance(spec, Labels):
        return rng.integers(0, spec.classes, spec.batch)
    return rng.standard_normal(spec).astype(dtype)


class Task:
    """A problem made ready for one library: an expression over names, timed as `timeit` does.

    Attributes:
        fresh: each sample is a process of its own, which needs no warm-up and tells all at once.
    """

    fresh = False

    def __init__(self, expression: str, names: dict[str, Any]) -> None:
        self.expression = expression
        self.names = names
        self._timer = timeit.Timer(expression, globals=names)

    def answer(self) -> Any:
        """The value that is checked against the reference."""
        return eval(self.expression, self.names)

    def sample(self, number: int) -> float:
        """Seconds per evaluation over `number` evaluations."""
        return self._timer.timeit(number) / number

    def calibrate(self, seconds: float) -> int:
        """How many evaluations make a sample of at least `seconds`."""
        number = 1
        while True:
            elapsed = self.sample(number) * number
            if elapsed >= seconds:
                return number
            number = max(number + 1, math.ceil(1.1 * number * seconds / max(elapsed, 1e-7)))


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One row of a table.

    Attributes:
        group, name: together the identity of the row.
        flops: floating-point operations; set only where the multiply-adds bound the time.
        bytes: bytes that must be read and written; set only where memory bounds the time.
        threads: a thread count of the row's own, instead of those of the run.
        tolerance: largest error allowed, relative to the largest entry of each reference array;
            by default a few hundred roundings of the dtype.
        unit: ``"s"``, ``"B"``, or ``"x"`` for a measured factor; less is better in all.
        quick: part of ``--quick``.
    """

    group: str
    name: str
    dtype: str = "float32"
    flops: float = 0.0
    bytes: float = 0.0
    threads: int | None = None
    tolerance: float | None = None
    unit: str = "s"
    quick: bool = False

    @property
    def key(self) -> str:
        """``group/name``, with ``@N`` where the row has a thread count of its own."""
        suffix = f" @{self.threads}" if self.threads else ""
        return f"{self.group}/{self.name}{suffix}"

    @property
    def whole(self) -> bool:
        """Whether this is a whole network or step, which ``torch.compile`` is measured on, too."""
        return False

    def counts(self, threads: Sequence[int]) -> Sequence[int]:
        """The thread counts of the row in a run on `threads`."""
        return (self.threads,) if self.threads else threads

    @property
    def rng(self) -> np.random.Generator:
        """The problem's own stream: the same in every process."""
        return np.random.default_rng(zlib.crc32(f"{self.group}/{self.name}".encode()))

    def task(self, library: Library) -> Task:
        """Build the task; raises `Unsupported` where the library has no such thing."""
        raise NotImplementedError

    def reference(self) -> list[np.ndarray] | None:
        """The right answer in float64, or None where there is nothing to check."""
        raise NotImplementedError

    def check(self, answer: list[np.ndarray], expected: list[np.ndarray]) -> str | None:
        """What is wrong with `answer`, or None."""
        if len(answer) != len(expected):
            return f"{len(answer)} arrays, expected {len(expected)}"
        tolerance = self.tolerance
        if tolerance is None:
            tolerance = 500 * float(np.finfo(self.dtype).eps)
        for i, (got, want) in enumerate(zip(answer, expected, strict=True)):
            if got.shape != want.shape:
                return f"array {i} has shape {got.shape}, expected {want.shape}"
            exact = want.astype("float64")
            error = float(np.max(np.abs(got.astype("float64") - exact), initial=0.0))
            bound = tolerance * float(np.max(np.abs(exact), initial=0.0))
            if not error <= bound:  # a NaN must fail too
                return f"array {i} is off by {error:.3g}, allowed {bound:.3g}"
        return None


@dataclass(frozen=True, kw_only=True)
class Expression(Problem):
    """One line of Python per naming style.

    Attributes:
        inputs: what the names in the lines stand for.
        torch: the line for chainrule and torch (names: ``lib``, ``nn``, ``F``).
        numpy: the line for NumPy (``np``), timed and, in float64, the reference.
        jax: the line for JAX (``jax``, ``jnp``, ``lax``, ``jnn``), a function of the inputs; where
            gradients are asked for it gives the value, too, which XLA would otherwise leave out
            (``jax.value_and_grad``, ``value_and_vjp(function, *inputs)(gradient)``).
        exact: a reference where NumPy has no line worth timing (``np``, ``ref``).
        grads: inputs of which torch's style records gradients.
        prepare: torch-style statements run once before.
    """

    inputs: Mapping[str, Input]
    torch: str | None = None
    numpy: str | None = None
    jax: str | None = None
    exact: str | None = None
    grads: tuple[str, ...] = field(default=())
    prepare: str = ""

    def arrays(self) -> dict[str, np.ndarray]:
        """The inputs."""
        rng = self.rng
        return {name: draw(spec, rng, self.dtype) for name, spec in self.inputs.items()}

    def task(self, library: Library) -> Task:
        line = getattr(self, library.style)
        if line is None:
            raise Unsupported(f"no line for {library.name}")
        recorded = self.grads if library.style == "torch" else ()
        names = library.names() | {
            name: library.tensor(array, name in recorded) for name, array in self.arrays().items()
        }
        if library.style == "torch":
            exec(self.prepare, names)
        if library.style == "jax":
            arguments = ", ".join(self.inputs)
            names["f"] = names["jax"].jit(eval(f"lambda {arguments}: {line}", names))
            names["wait"] = names["jax"].block_until_ready
            line = f"wait(f({arguments}))" + ("[1]" if self.grads else "")
        return Task(line, names)

    def reference(self) -> list[np.ndarray] | None:
        wide = {
            name: array.astype("float64") if array.dtype.kind == "f" else array
            for name, array in self.arrays().items()
        }
        value = eval(self.exact or self.numpy or "None", {"np": np, "ref": reference} | wide)
        parts = value if isinstance(value, (tuple, list)) else [value]
        return [np.asarray(part) for part in parts]

"""Optimizer steps, gradient clipping, dropout and loading of batches.

Each row is a few statements in torch's names. Their values are held by the tests: every optimizer
follows torch's for fifty steps there, so nothing is checked before the timing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.library import Library, Unsupported
from benchmarks.problem import Problem, Task

LARGE = [(2000, 2000)]  # 16 MB each: parameter, gradient and state do not fit a cache together
SMALL = [(32, 32), (32,)] * 20  # a net of 40 small parameters

# Constructors over `params`, and the arrays each step reads and writes: parameter, gradient, state.
OPTIMIZERS = {
    "SGD": ("SGD(params, lr=1e-3)", 3),
    "SGD momentum": ("SGD(params, lr=1e-3, momentum=0.9)", 5),
    "Adam": ("Adam(params)", 7),
    "AdamW": ("AdamW(params)", 7),
    "NAdam": ("NAdam(params)", 7),
    "RAdam": ("RAdam(params)", 7),
    "RMSprop": ("RMSprop(params)", 5),
    "Adagrad": ("Adagrad(params)", 5),
    "Adadelta": ("Adadelta(params)", 7),
    "Adamax": ("Adamax(params)", 7),
    "Rprop": ("Rprop(params)", 7),
    "ASGD": ("ASGD(params)", 5),
}


@dataclass(frozen=True, kw_only=True)
class Statement(Problem):
    """A line over parameters with gradients and a loader, prepared by another."""

    line: str
    prepare: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()

    def task(self, library: Library) -> Task:
        if library.style != "torch":
            raise Unsupported(f"no line for {library.name}")
        names = library.names()
        lib, rng = names["lib"], self.rng
        names["params"] = []
        for shape in self.shapes:
            param = lib.nn.Parameter(library.tensor(rng.standard_normal(shape).astype("float32")))
            param.grad = library.tensor(rng.standard_normal(shape).astype("float32"))
            names["params"].append(param)
        exec(self.prepare, names)
        return Task(self.line, names)

    def reference(self) -> list[np.ndarray] | None:
        return None


def row(name: str, line: str, shapes: list[tuple[int, ...]], **more: Any) -> Problem:
    """A row over parameters of the given shapes."""
    return Statement(group="optim", name=name, line=line, shapes=tuple(shapes), **more)


def steps() -> list[Problem]:
    """A step of each optimizer on one large parameter and on many small ones."""
    rows = []
    size = 4.0 * np.prod(LARGE[0])
    for name, (make, arrays) in OPTIMIZERS.items():
        prepare = f"optimizer = lib.optim.{make}"
        quick = name in ("SGD", "Adam")
        rows += [
            row(f"{name} 4 million", "optimizer.step()", LARGE, prepare=prepare, quick=quick,
                bytes=arrays * size),
            row(f"{name} 40 small", "optimizer.step()", SMALL, prepare=prepare, quick=quick),
        ]  # fmt: skip
    return rows


CLIP = "nn.utils.clip_grad_norm_(params, 1e9)"  # the norm alone, which is what a calm step needs
CLIPPED = "nn.utils.clip_grad_norm_(params, 1.0)"
LOADER = """
from importlib import import_module
data = import_module(lib.__name__ + ".utils.data")
x, y = lib.randn({rows}, {width}), lib.arange({rows})
loader = data.DataLoader(data.TensorDataset(x, y), batch_size=64, shuffle=True)
"""


def loading(rows: int, width: int, **more: Any) -> Problem:
    """An epoch over tensors in memory, shuffled, in batches of 64."""
    return Statement(
        group="data",
        name=f"DataLoader {rows}x{width} epoch",
        line="sum(1 for batch in loader)",
        prepare=LOADER.format(rows=rows, width=width),
        **more,
    )


def dropping(name: str, line: str, shape: tuple[int, ...], **more: Any) -> Problem:
    """Dropout of an input `x` with gradient `g`."""
    prepare = f"x, g = lib.randn{shape}, lib.randn{shape}; x.requires_grad_()"
    return Statement(group="dropout", name=name, line=line, prepare=prepare, **more)


PROBLEMS = [
    *steps(),
    row("clip_grad_norm_ 4 million", CLIPPED, LARGE),
    row("clip_grad_norm_ 40 small", CLIPPED, SMALL, quick=True),
    row("clip_grad_norm_ 40 small, nothing to clip", CLIP, SMALL),
    row("clip_grad_value_ 40 small", "nn.utils.clip_grad_value_(params, 1.0)", SMALL),
    dropping("dropout 1 million", "F.dropout(x, 0.5)", (1000, 1000), quick=True),
    dropping(
        "dropout 1 million forward + backward",
        "lib.autograd.grad(F.dropout(x, 0.5), x, g)",
        (1000, 1000),
    ),
    dropping("dropout 64x256", "F.dropout(x, 0.5)", (64, 256)),
    loading(20_000, 20, quick=True),
    loading(10_000, 784),
]

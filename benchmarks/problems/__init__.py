"""The problem tables, one file per group; a new row is one line in its file."""

from __future__ import annotations

from benchmarks.problem import Problem
from benchmarks.problems import (
    alternation,
    attention,
    conv,
    embedding,
    fit,
    imports,
    matmul,
    norm,
    optim,
    overhead,
    pointwise,
    pool,
    recurrent,
    reduce,
    scaling,
    spatial,
    train,
)

TABLES = (
    overhead,
    matmul,
    conv,
    pool,
    spatial,
    attention,
    embedding,
    recurrent,
    norm,
    pointwise,
    reduce,
    optim,
    train,
    fit,
    scaling,
    imports,
    alternation,
)


def load() -> dict[str, Problem]:
    """All problems by key, in table order."""
    problems = [problem for table in TABLES for problem in table.PROBLEMS]
    by_key = {problem.key: problem for problem in problems}
    if len(by_key) != len(problems):
        raise ValueError("two problems share a key")
    return by_key

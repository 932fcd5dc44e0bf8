"""The worker process: one library, one thread count, driven by JSON lines over pipes.

``python -m benchmarks.worker LIBRARY THREADS`` answers one line per request:

========================================  ====================================================
request                                   reply
========================================  ====================================================
(none, on start)                          ``{"facts": {...}}``
``{"do": "prepare", "problem": key,``     ``{"ok": true}`` once the answer is saved there, or
``"answer": path}``                       ``{"skip": why}``
``{"do": "calibrate", "seconds": s}``     ``{"number": n}``: evaluations per sample
``{"do": "sample", "number": n,``         ``{"values": [...]}``, after one sample that is thrown
``"count": c}``                           away: the caches and the threads are cold; one value
                                          of a task that is a fresh process each time
========================================  ====================================================

Any failure is answered with ``{"error": "Type: text"}``; the worker lives on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.library import LIBRARIES, Library, TorchCompile, Unsupported
from benchmarks.problem import Problem, Task


class Worker:
    """Answers requests for one library."""

    def __init__(self, library: Library, problems: Mapping[str, Problem]) -> None:
        self._library = library
        self._problems = problems
        self._task: Task | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        action = getattr(self, f"_{request.pop('do')}")
        try:
            return action(**request)
        except Unsupported as reason:
            return {"skip": str(reason)}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _prepare(self, problem: str, answer: str) -> dict[str, Any]:
        self._task = None  # free the last problem's memory first
        if isinstance(self._library, TorchCompile) and not self._problems[problem].whole:
            raise Unsupported("compiled are whole networks only")
        task = self._problems[problem].task(self._library)
        arrays = self._library.arrays(task.answer())
        np.savez(answer, *arrays)
        self._task = task
        return {"ok": True}

    def _calibrate(self, seconds: float) -> dict[str, Any]:
        assert self._task is not None
        return {"number": self._task.calibrate(seconds)}

    def _sample(self, number: int, count: int) -> dict[str, Any]:
        assert self._task is not None
        if self._task.fresh:
            return {"values": [self._task.sample(number)]}
        values = [self._task.sample(number) for _ in range(count + 1)]
        return {"values": values[1:]}


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    # Replies get a descriptor of their own: what a library prints must not break the protocol.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    library = LIBRARIES[name](name)
    try:
        library.load(threads)
        facts = library.facts()
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=replies)
        return
    print(json.dumps({"facts": facts}), file=replies)

    from benchmarks import problems

    worker = Worker(library, problems.load())
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=replies)


if __name__ == "__main__":
    main()

"""What importing a library costs beyond NumPy, each time in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np

from benchmarks.library import Library
from benchmarks.problem import Problem, Task

PROGRAM = """
import time
{before}
start = time.perf_counter()
import {name}
print(time.perf_counter() - start)
"""


class ImportTask(Task):
    """Times imports in subprocesses."""

    fresh = True

    def __init__(self, name: str) -> None:
        super().__init__("None", {})
        # The row of NumPy itself shows what it costs from nothing.
        before = "import math" if name == "numpy" else "import numpy"
        self._command = [sys.executable, "-c", PROGRAM.format(before=before, name=name)]

    def sample(self, number: int) -> float:
        runs = [subprocess.run(self._command, capture_output=True, text=True, check=True)
                for _ in range(number)]  # fmt: skip
        return min(float(run.stdout) for run in runs)

    def calibrate(self, seconds: float) -> int:
        return 1


@dataclass(frozen=True, kw_only=True)
class ImportTime(Problem):
    """Seconds of the import statement."""

    def task(self, library: Library) -> Task:
        return ImportTask(library.name)

    def reference(self) -> list[np.ndarray] | None:
        return None


PROBLEMS: list[Problem] = [
    ImportTime(group="import", name="import beyond NumPy", threads=1, quick=True)
]

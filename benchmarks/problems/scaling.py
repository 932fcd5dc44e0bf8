"""How a training step's time and memory grow: with batch, width, depth and threads.

Memory is the most that three steps need beyond what the process held before them, each time in a
fresh process, so that what allocators keep from earlier problems does not count.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np

from benchmarks.library import Jax, Library, NumPy, Unsupported
from benchmarks.problem import Problem, Task
from benchmarks.problems.train import COLOUR, GREY, LENET, MNIST_CNN, Network, resnet, train


def mlp(width: int, depth: int) -> str:
    """Hidden layers of one width between 64 inputs and 10 classes."""
    layers = ["Linear(64, {0}), ReLU()"] + ["Linear({0}, {0}), ReLU()"] * (depth - 1)
    return ", ".join(layers).format(width) + f", Linear({width}, 10)"


def step(axis: str, width: int, depth: int, batch: int, threads: int) -> Problem:
    """An MLP's training step; `axis` names what the table varies."""
    quick = threads == 1 and (axis, batch) == ("batch", 16)
    return train(f"{axis}: MLP {depth} x {width}", mlp(width, depth), (64,), batch, "Adam",
                 group="scaling", quick=quick, threads=threads)  # fmt: skip


PROGRAM = """
import sys
from benchmarks import problems
from benchmarks.library import LIBRARIES

def status(name):
    line = next(line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1]) * 1024

library = LIBRARIES[sys.argv[1]](sys.argv[1])
library.load(int(sys.argv[2]))
task = problems.load()[sys.argv[3]].network_task(library)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak counts from here
before = status("VmRSS")
task.sample(3)
print(status("VmHWM") - before)
"""


class MemoryTask(Task):
    """Bytes of three steps in a fresh process."""

    fresh = True

    def __init__(self, library: Library, threads: int, key: str) -> None:
        super().__init__("None", {})
        self._command = [sys.executable, "-c", PROGRAM, library.name, str(threads), key]

    def sample(self, number: int) -> float:
        done = subprocess.run(self._command, capture_output=True, text=True, check=True)
        return max(float(done.stdout), 1.0)

    def calibrate(self, seconds: float) -> int:
        return 1


@dataclass(frozen=True, kw_only=True)
class Memory(Network):
    """Peak memory of a network's training steps."""

    def network_task(self, library: Library) -> Task:
        """The steps themselves."""
        return super().task(library)

    def task(self, library: Library) -> Task:
        if isinstance(library, NumPy):
            raise Unsupported("the reference network is written for clearness")
        if isinstance(library, Jax):
            raise Unsupported("the first step compiles, and that memory would count")
        if not sys.platform.startswith("linux"):
            raise Unsupported("peak memory is read from /proc")
        return MemoryTask(library, self.threads or 1, self.key)

    def reference(self) -> list[np.ndarray] | None:
        return None


def memory(name: str, layers: str, image: tuple[int, ...], batch: int) -> Problem:
    """Peak memory of steps with Adam on two threads."""
    return Memory(group="memory", name=f"{name} batch {batch}", layers=layers, image=image,
                  batch=batch, optimizer="Adam", threads=2, unit="B",
                  quick=batch == 64 and name.startswith("MLP"))  # fmt: skip


PROBLEMS: list[Problem] = [
    *(step("batch", 128, 2, batch, threads)
      for batch in (1, 16, 256, 4096) for threads in (1, 2)),
    *(step("width", width, 2, 64, threads)
      for width in (16, 256, 1024) for threads in (1, 2)),
    *(step("depth", 64, depth, 64, threads)
      for depth in (1, 4, 16) for threads in (1, 2)),
    *(memory("MLP 4 x 512", mlp(512, 4), (64,), batch) for batch in (64, 1024, 8192)),
    *(memory("LeNet-5", LENET, GREY, batch) for batch in (64, 1024)),
    *(memory("2-conv MNIST CNN", MNIST_CNN, GREY, batch) for batch in (64, 256)),
    *(memory("ResNet-20 32x32", resnet(3), COLOUR, batch) for batch in (32, 128)),
]  # fmt: skip

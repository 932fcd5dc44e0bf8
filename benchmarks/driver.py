"""Runs problems on libraries side by side.

Each library works in its own process. A problem is prepared everywhere, its answers are checked,
and then the libraries are timed in turn, A B A B, for several rounds, so that a machine that drifts
does so for all of them.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.library import thread_environment
from benchmarks.problem import Problem

ROOT = Path(__file__).resolve().parent.parent
SETTLE_SECONDS = 1.0  # the longest to wait for a library's idle threads to stop spinning
TIMEOUT_SECONDS = 120.0
PREPARE_TIMEOUT_SECONDS = 600.0  # compilers work there


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Attributes:
        rounds: turns per library.
        count: samples per turn.
        sample_seconds: a sample repeats the problem for at least this long.
        budget_seconds: no further round of a problem begins after this time.
    """

    rounds: int = 7
    count: int = 3
    sample_seconds: float = 0.002
    budget_seconds: float = 10.0


@dataclass
class Result:
    """One library's samples of one problem, or why there are none."""

    values: list[float] = field(default_factory=list)
    number: int = 0
    skip: str | None = None
    error: str | None = None

    @property
    def usable(self) -> bool:
        return bool(self.values)

    @property
    def best(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return float(np.median(self.values))


@dataclass
class Row:
    """One problem at one thread count with every library's result."""

    problem: Problem
    threads: int
    results: dict[str, Result]

    @property
    def key(self) -> str:
        """The problem's key with the thread count."""
        return f"{self.problem.key}{'' if self.problem.threads else f' @{self.threads}'}"


class Peer(Protocol):
    """What the driver needs of a worker: tests put one in the same process."""

    def ask(self, **request: Any) -> dict[str, Any]: ...

    def settle(self) -> None: ...


class WorkerDied(Exception):
    """The worker crashed or hung, or could not load its library."""


class WorkerProcess:
    """A worker in a process of its own; started again after a crash."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads
        self.facts: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request, wait for the reply; a dead or hanging worker is an error reply."""
        try:
            process = self._process or self.start()
            assert process.stdin is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            preparing = request["do"] == "prepare"
            return self._reply(process, PREPARE_TIMEOUT_SECONDS if preparing else TIMEOUT_SECONDS)
        except (WorkerDied, BrokenPipeError) as error:
            self.stop()
            return {"error": str(error) or "the worker died"}

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process and load the library; raises `WorkerDied` with the reason."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.name, str(self.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | thread_environment(self.threads) | {"PYTHONPATH": path},
        )
        self._buffer = b""
        greeting = self._reply(self._process, TIMEOUT_SECONDS)
        if "error" in greeting:
            raise WorkerDied(f"{self.name}: {greeting['error']}")
        self.facts = greeting["facts"]
        return self._process

    def _reply(self, process: subprocess.Popen[bytes], timeout: float) -> dict[str, Any]:
        assert process.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([process.stdout], [], [], left)[0]:
                raise WorkerDied(f"no reply within {timeout:.0f} s")
            chunk = process.stdout.read(1 << 16)
            if not chunk:
                raise WorkerDied(f"the worker ended with code {process.wait()}")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        reply: dict[str, Any] = json.loads(line)
        return reply

    def settle(self) -> None:
        """Wait until all threads of the worker sleep: OpenBLAS's spin for some 0.1 s after work.

        A thread that spins takes a processor from the library that is measured next.
        """
        if self._process is None or sys.platform != "linux":
            return
        tasks = Path(f"/proc/{self._process.pid}/task")
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            states = [_state(task) for task in tasks.glob("*/stat")]
            if "R" not in states:
                return
            time.sleep(0.002)

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()  # the worker's loop ends with its input
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _state(stat: Path) -> str:
    """A thread's state letter, R when it runs or waits for a processor; "" once it has ended."""
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def prepare(problem: Problem, peer: Peer, expected: list[np.ndarray] | None) -> Result:
    """Build the problem in a worker and check its answer; the result has no samples yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "answer.npz")
        reply = peer.ask(do="prepare", problem=problem.key, answer=path)
        result = Result(skip=reply.get("skip"), error=reply.get("error"))
        if "ok" in reply and expected is not None:
            with np.load(path) as saved:
                wrong = problem.check([saved[name] for name in saved.files], expected)
            result.error = f"wrong answer: {wrong}" if wrong else None
    return result


def run_problem(
    problem: Problem, threads: int, peers: Mapping[str, Peer], settings: Settings
) -> Row:
    """Check and time one problem on all peers."""
    expected = problem.reference()
    results = {name: prepare(problem, peer, expected) for name, peer in peers.items()}
    order = [name for name, result in results.items() if not (result.skip or result.error)]
    for name in order:
        reply = peers[name].ask(do="calibrate", seconds=settings.sample_seconds)
        results[name].number = reply.get("number", 0)
        results[name].error = reply.get("error")
    deadline = time.monotonic() + settings.budget_seconds
    for turn in range(settings.rounds):
        if turn and time.monotonic() > deadline:
            break
        for name in order:
            result = results[name]
            if result.error is None:
                for peer in peers.values():
                    peer.settle()
                reply = peers[name].ask(do="sample", number=result.number, count=settings.count)
                result.values += reply.get("values", [])
                result.error = reply.get("error")
        order = order[1:] + order[:1]
    for result in results.values():
        if result.error is not None:
            result.values = []
    return Row(problem, threads, results)


def run(
    problems: Sequence[Problem],
    names: Sequence[str],
    threads: Sequence[int],
    settings: Settings,
    progress: Callable[[Row], None] = lambda row: None,
) -> tuple[list[Row], dict[str, dict[str, str]]]:
    """Run problems on the named libraries at each thread count; returns the rows and each
    library's facts.

    Raises:
        WorkerDied: a library cannot be loaded.
    """
    rows: dict[tuple[str, int], Row] = {}
    facts: dict[str, dict[str, str]] = {}
    for count in sorted({count for problem in problems for count in problem.counts(threads)}):
        peers = {name: WorkerProcess(name, count) for name in names}
        try:
            for peer in peers.values():
                peer.start()
            for problem in problems:
                if count in problem.counts(threads):
                    row = rows[problem.key, count] = run_problem(problem, count, peers, settings)
                    progress(row)
            facts |= {name: peer.facts for name, peer in peers.items()}
        finally:
            for peer in peers.values():
                peer.stop()
    return [
        rows[problem.key, count] for problem in problems for count in problem.counts(threads)
    ], facts

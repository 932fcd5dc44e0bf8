"""Threads: the same bits for any number of them, forks, many callers, how many there are."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs fork() and affinity masks")


def _train() -> bytes:
    """Two steps of a small network with every kind of kernel, large enough for several chunks."""
    cr.manual_seed(3)
    x, y = cr.randn(32, 3, 24, 24), cr.randint(0, 10, (32,))
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1, groups=2),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(576, 128),
        nn.Tanh(),
        nn.Linear(128, 10),
    )
    optimizer = cr.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return b"".join(t.detach().numpy().tobytes() for t in [loss, *model.parameters()])


def _with_threads(n: int, f: Callable[[], Any]) -> Any:
    before = cr.get_num_threads()
    cr.set_num_threads(n)
    try:
        return f()
    finally:
        cr.set_num_threads(before)


def _work() -> bytes:
    """Regions of several kinds, quickly."""
    x = cr.from_numpy(np.arange(300_000, dtype=np.float32) / 1e5)
    parts = [
        x.sin().sum(),
        x.view(300, 1000).softmax(1).var(),
        x[:90_000].view(300, 300).mm(x[90_000:180_000].view(300, 300)).norm(),
    ]
    return b"".join(p.numpy().tobytes() for p in parts)


# ---------------------------------------------------------------- the same bits


@pytest.mark.smoke
def test_training_is_the_same_for_any_number_of_threads() -> None:
    one, two, four = (_with_threads(n, _train) for n in (1, 2, 4))
    assert one == two == four


@pytest.mark.smoke
@pytest.mark.parametrize("size", [1, 1000, 1_000_003])
def test_random_numbers_are_the_same_for_any_number_of_threads(size: int) -> None:
    def draw() -> list[bytes]:
        cr.manual_seed(7)
        drawn = [cr.rand(size), cr.randn(size), cr.rand(size, dtype=cr.float64)]
        drawn += [cr.randint(0, 100, (size,)), F.dropout(cr.ones(size), 0.5), cr.rand(3)]
        return [t.numpy().tobytes() for t in drawn]

    one, two, four = (_with_threads(n, draw) for n in (1, 2, 4))
    assert one == two == four


def test_python_threads_in_parallel() -> None:
    cr.set_num_threads(4)
    expected = _work()
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: _work(), range(60))) == {expected}


def test_the_count_may_change_while_others_compute() -> None:
    expected = _work()
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for n in (1, 4, 2, 3):
                cr.set_num_threads(n)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        assert {_work() for _ in range(50)} == {expected}
    finally:
        stop.set()
        changer.join()


# ---------------------------------------------------------------- subnormal numbers


@pytest.mark.parametrize("threads", [1, 2])
def test_subnormals_are_flushed_in_kernels(threads: int) -> None:
    def kept() -> int:
        tiny = cr.from_numpy(np.full(200_000, 1e-39, np.float32))
        return int(np.count_nonzero((tiny * 1.5).numpy()))

    cr.set_num_threads(threads)
    assert kept() == 0
    assert np.float32(1e-39) * np.float32(1.5) != 0, "the caller's mode was not put back"
    cr.set_flush_denormal(False)
    try:
        assert kept() == 200_000
    finally:
        cr.set_flush_denormal(True)


# ---------------------------------------------------------------- fork


def _in_child(f: Callable[[], bytes]) -> bytes:
    """What f returns in a child of fork(); a hang is killed after 30 seconds."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            os.write(send, f())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        result = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return result


def _digest() -> bytes:
    return _work()[:64]


fork_warnings = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


@linux
@fork_warnings
@pytest.mark.smoke
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_child_of_a_fork_computes(threads: int) -> None:
    cr.set_num_threads(threads)
    expected = _digest()
    assert _in_child(_digest) == expected
    assert _in_child(lambda: _in_child(_digest)) == expected, "grandchild"
    assert _digest() == expected, "parent"


@linux
@fork_warnings
def test_fork_while_other_threads_compute() -> None:
    cr.set_num_threads(2)
    expected = _digest()
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            _work()

    others = [threading.Thread(target=compute) for _ in range(2)]
    for thread in others:
        thread.start()
    try:
        assert [_in_child(_digest) for _ in range(10)] == [expected] * 10
    finally:
        stop.set()
        for thread in others:
            thread.join()


@linux
@fork_warnings
def test_multiprocessing_by_fork() -> None:
    expected = _train()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = [pool.apply_async(_train) for _ in range(4)]
        assert {r.get(timeout=60) for r in results} == {expected}


# ---------------------------------------------------------------- how many


@pytest.mark.parametrize("n", [0, -1, 10**6])
def test_impossible_counts(n: int) -> None:
    with pytest.raises(ValueError, match="set_num_threads"):
        cr.set_num_threads(n)


def _default_threads(affinity: set[int] | None = None, **variables: str) -> int:
    clean = {k: v for k, v in os.environ.items() if k[-12:] != "_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", "import chainrule as cr; print(cr.get_num_threads())"],
        env=clean | variables,
        preexec_fn=(lambda: os.sched_setaffinity(0, affinity)) if affinity else None,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CHAINRULE_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "5", "CHAINRULE_NUM_THREADS": "6"}, 6),
        ({"OMP_NUM_THREADS": "5", "CHAINRULE_NUM_THREADS": "many"}, 5),
    ],
)
def test_thread_variables(variables: dict[str, str], expected: int) -> None:
    assert _default_threads(**variables) == expected


@linux
def test_the_affinity_mask_counts() -> None:
    processors = os.sched_getaffinity(0)
    assert 1 <= _default_threads() <= len(processors)
    assert _default_threads({min(processors)}) == 1
    assert _default_threads({min(processors)}, OMP_NUM_THREADS="0") == 1


_SHARED_PROCESSOR = """
import os, time
import chainrule as cr

a, b = sorted(os.sched_getaffinity(0))[:2]
cr.set_num_threads(2)
before = set(os.listdir("/proc/self/task"))
x = cr.randn(400, 400)
x @ x
(helper,) = map(int, set(os.listdir("/proc/self/task")) - before)
processor = lambda: int(open(f"/proc/self/task/{helper}/stat").read().rsplit(")", 1)[1].split()[36])

os.sched_setaffinity(0, {a})
os.sched_setaffinity(helper, {a})  # it starves behind the caller
for _ in range(50):
    x @ x
assert processor() == a
os.sched_setaffinity(helper, {a, b})
deadline = time.monotonic() + 20
while processor() == a and time.monotonic() < deadline:
    x @ x
print(processor() == b, os.sched_getaffinity(helper) == {a, b})
"""


@linux
def test_a_helper_leaves_the_processor_of_the_caller() -> None:
    """And keeps its affinity mask."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    if cr.config.threading_backend() != "pool":
        pytest.skip("OpenMP places its own threads")
    done = subprocess.run(
        [sys.executable, "-c", _SHARED_PROCESSOR], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]


# ---------------------------------------------------------------- below Python


@pytest.fixture(scope="module", params=["openmp", "pool"])
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C++ checks, built for one backend."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    program = tmp_path_factory.mktemp(request.param) / "parallel_test"
    flags = ["-DCR_THREADS_OPENMP", "-fopenmp"] if request.param == "openmp" else []
    core = [
        ROOT / "csrc/core" / f"{name}.cpp"
        for name in ("parallel", "cpus", "storage", "team_openmp", "team_pool")
    ]
    command = [compiler, "-std=c++17", "-O1", "-pthread", "-I", ROOT / "csrc", *flags]
    command += [ROOT / "tests/parallel_test.cpp", *core, "-o", program]
    subprocess.run([str(part) for part in command], check=True)
    return program


@linux
def test_the_wrapper(probe: Path) -> None:
    environment = os.environ | {"GOMP_SPINCOUNT": "1000"}
    done = subprocess.run(
        [probe], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == probe.parent.name.rstrip("0123456789")


CGROUPS = {
    # name: (/proc/self/cgroup, {file: content}, processors)
    "none": ("0::/\n", {}, 0),
    "v2": ("0::/a/b\n", {"a/b/cpu.max": "250000 100000"}, 2),
    "v2 max": ("0::/a\n", {"a/cpu.max": "max 100000"}, 0),
    "v2 ancestor": ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
    "v2 container": ("0::/../host\n", {"cpu.max": "150000 100000"}, 1),
    "v2 below one": ("0::/\n", {"cpu.max": "20000 100000"}, 1),
    "v1": (
        "9:cpuset:/a\n4:cpu,cpuacct:/a\n",
        {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"},
        4,
    ),
    "v1 no limit": (
        "4:cpu:/\n",
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
        0,
    ),
}


@pytest.mark.parametrize("case", CGROUPS)
def test_cgroup_quota(case: str, probe: Path, tmp_path: Path) -> None:
    membership, files, expected = CGROUPS[case]
    (tmp_path / "membership").write_text(membership)
    for name, content in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    done = subprocess.run(
        [probe, tmp_path / "membership", tmp_path / "mount"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == expected

"""The machine's fused multiply-add limit, in operations a second.

chainrule measures its own where it has such a function; a small C program, built on the spot where
there is a compiler, measures it independently. The larger counts: a share of the peak is never
flattered by a slow moment of the gauge.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCE = Path(__file__).with_name("peak.c")
ROUNDS = 500_000  # about 5 ms
ATTEMPTS = 8


def compiled_gauge(dtype: str, folder: Path) -> Callable[[], float] | None:
    """The C gauge, or None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    binary = folder / "peak.so"
    command = [compiler, "-O2", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
    built = subprocess.run([*command, str(SOURCE), "-o", str(binary)], capture_output=True)
    if built.returncode:
        return None
    function = getattr(ctypes.CDLL(str(binary)), f"peak_{dtype}")
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_long]
    return lambda: function(ROUNDS)


def chainrule_gauge(dtype: str) -> Callable[[], float] | None:
    """chainrule's own gauge (GFLOP/s of one thread), or None where there is none."""
    try:
        from chainrule import _core
    except ImportError:
        return None
    gauge = getattr(_core, "fma_peak", None)
    return None if gauge is None else lambda: 1e9 * gauge(dtype)


def best(gauge: Callable[[], float], threads: int) -> float:
    """Best sum over `threads` Python threads that run the gauge at once."""
    with ThreadPoolExecutor(threads) as pool:
        return max(sum(pool.map(lambda _: gauge(), range(threads))) for _ in range(ATTEMPTS))


def measure(dtype: str, threads: int) -> float | None:
    """Operations a second of `threads` threads, or None where nothing can measure it."""
    with tempfile.TemporaryDirectory() as folder:
        gauges = chainrule_gauge(dtype), compiled_gauge(dtype, Path(folder))
        figures = [best(gauge, threads) for gauge in gauges if gauge is not None]
    return max(figures, default=None)

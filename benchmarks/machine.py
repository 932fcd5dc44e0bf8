"""Facts about the machine that belong beside every figure."""

from __future__ import annotations

import os
import platform
from pathlib import Path

ISA_FLAGS = ("avx512f", "avx2", "fma", "avx", "sse4_2", "asimd")
# Variables that begin so can hold a library to older instructions or fewer threads.
TUNING = ("ATEN_", "CHAINRULE_", "DNNL_", "MKL_", "NPY_", "OMP_", "ONEDNN_", "OPENBLAS_", "XLA_")


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def cpu_count() -> int:
    """CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> float:
    """Processes that wanted to run in the last minute, on average."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def facts() -> dict[str, str]:
    """Processor, cores, instruction set, load, system, Python, variables that tune a library."""
    info = _cpuinfo()
    flags = (info.get("flags") or info.get("Features") or "").split()
    model = info.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in info:
        model += f" (family {info['cpu family']}, model {info['model']})"
    tuning = [
        f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith(TUNING)
    ]
    return {
        "cpu": model,
        "cores": str(cpu_count()),
        "isa": " ".join(flag for flag in ISA_FLAGS if flag in flags) or platform.machine(),
        "load": f"{load():.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "variables": " ".join(tuning) or "none",
    }

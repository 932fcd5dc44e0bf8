"""How this build computes: instruction set, threads, compiler."""

from __future__ import annotations

from . import _core


def isa() -> str:
    """Instruction-set level in use: "baseline", "v3" (AVX2) or "v4" (AVX-512).

    ``CHAINRULE_ISA`` caps it.
    """
    return str(_core._isa())


def threading_backend() -> str:
    """What runs the threads: "pool" or "openmp"."""
    return str(_core._threading_backend())


_deterministic = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted for programs written for torch: every algorithm here is deterministic.

    Args:
        mode: what :func:`are_deterministic_algorithms_enabled` answers from now on.
        warn_only: without effect.
    """
    global _deterministic
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What :func:`use_deterministic_algorithms` was told last."""
    return _deterministic


def show() -> str:
    """All facts, one a line.

    Example:
        >>> print(cr.config.show())  # doctest: +ELLIPSIS
        version ...
    """
    facts = {
        "version": _core._version(),
        "instruction set": isa(),
        "threads": f"{_core.get_num_threads()} ({threading_backend()})",
        "compiler": _core._compiler(),
    }
    return "\n".join(f"{name:<16} {value}" for name, value in facts.items())

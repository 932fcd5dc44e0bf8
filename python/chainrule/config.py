"""How this build computes: instruction set, threads, compiler."""

from __future__ import annotations

from typing import Any

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


def compile(model: Any = None, **options: Any) -> Any:
    """Accepted for programs written for torch: calls are run op by op, nothing is compiled.

    Args:
        model: a function or module, which is returned as it is. None: returns a decorator.
        **options: torch's keywords (``fullgraph``, ``dynamic``, ``backend``, ``mode``, ``options``,
            ``disable``), without effect.

    Raises:
        TypeError: for something that cannot be called, or another keyword.

    Example:
        >>> square = cr.compile(lambda x: x * x)
        >>> square(cr.tensor(3.0))
        tensor(9.)
    """
    unknown = options.keys() - {"fullgraph", "dynamic", "backend", "mode", "options", "disable"}
    if unknown:
        raise TypeError(f"compile: unexpected keyword arguments {sorted(unknown)}")
    if model is None:
        return lambda function: compile(function, **options)
    if not callable(model):
        raise TypeError(f"compile: needs a function or a module (got {type(model).__name__})")
    return model


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

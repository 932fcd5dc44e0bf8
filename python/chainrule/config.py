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


def conv_winograd() -> int:
    """The largest tile :func:`set_conv_winograd` lets convolutions use: 0, 2 or 4."""
    return int(_core._conv_winograd())


def set_conv_winograd(tile: int) -> None:
    r"""Set how far 3x3 convolutions may trade rounding for speed.

    Where a cost model finds it faster, a 3x3 convolution of stride 1 in float32 and its gradients
    are computed by Winograd's algorithm: tiles of ``t x t`` outputs, each from a transformed tile
    of ``(t + 2) x (t + 2)`` inputs. The error of an output is at most ``c 2**-24`` times the
    largest ``sum |x| |w|`` among the outputs of its tile. Measured on 16 to 512 channels, c is 3
    for t = 2 and 13 for t = 4 (direct sums: 6); 40 and 75 (24) where one input in a hundred is
    10,000 times the others. So an output that is much smaller than its neighbours has fewer
    digits, and an infinity or NaN spreads over its tile.

    ==== ================ ==================================== =============================
    tile multiply-adds    error, against that of direct sums   typical speed-up of the layer
    ==== ================ ==================================== =============================
    0    all              1                                    1
    2    4 / 9            0.5 to 1.5                           1.5 to 2
    4    1 / 4            2 to 5                               2 to 3
    ==== ================ ==================================== =============================

    float64 is always computed by direct sums.

    Args:
        tile: the largest tile allowed, 0 (never Winograd), 2 or 4 (the default, unless the
            environment variable ``CHAINRULE_CONV_WINOGRAD`` says otherwise).

    Raises:
        ValueError: for another number.

    Source:
        Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016).

    Example:
        >>> cr.config.set_conv_winograd(2)
        >>> cr.config.conv_winograd()
        2
        >>> cr.config.set_conv_winograd(4)
    """
    _core._set_conv_winograd(tile)


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

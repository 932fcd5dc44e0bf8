"""What scripts ask of GPUs before they choose a device: there are none."""

from __future__ import annotations

from typing import Any

__all__ = [
    "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Whether there is a GPU: never.

    Example:
        >>> "cuda" if cr.cuda.is_available() else "cpu"
        'cpu'
    """
    return False


def device_count() -> int:
    """The number of GPUs: 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Seed the GPU: there is none; ``chainrule.manual_seed`` seeds everything."""


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs: there are none; ``chainrule.manual_seed`` seeds everything."""


def empty_cache() -> None:
    """Release the GPU's cached memory: there is none."""


def synchronize(device: Any = None) -> None:
    """Wait for the GPU: every result is there when a call returns."""


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"module 'chainrule.cuda' has no attribute {name!r}: chainrule computes on the CPU only; "
        "ask cuda.is_available() first"
    )

"""What scripts ask of accelerators before they choose a device: there are none."""

from __future__ import annotations

from ._devices import device

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """Whether there is an accelerator: never.

    Example:
        >>> cr.accelerator.is_available()
        False
    """
    return False


def current_accelerator(check_available: bool = False) -> device | None:
    """The device of the accelerator: None."""
    return None


def device_count() -> int:
    """The number of accelerators: 0."""
    return 0

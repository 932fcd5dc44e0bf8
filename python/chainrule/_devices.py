"""Devices, for scripts that ask for one: there is the CPU."""

from __future__ import annotations

from typing import Any

__all__ = ["device"]


def check_device(device: Any) -> None:
    """Accept None and every way of saying CPU."""
    if device is not None and str(device).split(":")[0] != "cpu":
        raise RuntimeError(f"chainrule computes on the CPU only (got device {device!r}); use 'cpu'")


class device(str):
    """The place of tensors: the CPU. It is the string "cpu" with torch's attributes.

    As a context manager, and as an argument, it changes nothing.

    Args:
        type: "cpu", with or without a number.
        index: the number.

    Attributes:
        type: "cpu".
        index: None.

    Raises:
        RuntimeError: for another device.

    Example:
        >>> device = cr.device("cuda" if cr.cuda.is_available() else "cpu")
        >>> cr.zeros(2, device=device).device == device
        True
    """

    __slots__ = ()
    type = "cpu"
    index = None  # type: ignore[assignment]  # torch's meaning, not that of str.index

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        check_device(type)
        return super().__new__(cls, "cpu")

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __enter__(self) -> device:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __reduce__(self) -> Any:
        return device, ("cpu",)


CPU = device()

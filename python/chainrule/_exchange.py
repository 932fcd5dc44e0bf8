"""What other libraries ask for: DLPack, buffers, the array API, and whatever ``asarray`` takes."""

from __future__ import annotations

from typing import Any

from . import _core
from ._core import Tensor

__all__ = ["from_dlpack", "frombuffer"]

# Functions that become methods of Tensor.
METHODS = ("__array_namespace__", "__dlpack__", "__dlpack_device__", "to_device")

_API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
_CPU = (1, 0)  # DLPack's number of the device type, and which of them


def __dlpack__(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """Lend the tensor's memory as a DLPack capsule, as the array API standard has it.

    Args:
        stream: None; a CPU has no streams.
        max_version: the newest version the consumer reads; from (1, 0) on the capsule is versioned
            and says whether the memory is read-only.
        dl_device: None or the CPU, (1, 0).
        copy: True for a copy; None and False share the memory.

    Raises:
        BufferError: the tensor requires a gradient, is asked for elsewhere, or is read-only and the
            consumer reads only unversioned capsules.
    """
    if self.requires_grad:
        raise BufferError(
            "__dlpack__: the tensor requires a gradient, which DLPack does not carry; use .detach()"
        )
    if stream is not None:
        raise BufferError(f"__dlpack__: a CPU has no streams (got stream={stream!r})")
    if dl_device is not None and tuple(dl_device) != _CPU:
        raise BufferError(f"__dlpack__: the memory is on the CPU, (1, 0) (asked for {dl_device})")
    lent = self.clone() if copy else self
    versioned = max_version is not None and max_version[0] >= 1
    return _core._to_dlpack(lent, versioned, bool(copy))


def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    """(1, 0), which stands for the CPU."""
    return _CPU


def __array_namespace__(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """The functions of the array API standard, ``chainrule.array_api``.

    Args:
        api_version: the version of the standard that is wanted; newer ones include older ones.

    Raises:
        ValueError: for versions that do not exist, or are newer than the namespace.
    """
    from . import array_api

    if api_version not in (None, *_API_VERSIONS):
        raise ValueError(
            f"__array_namespace__: no version {api_version!r} of the array API standard; "
            f"expected one of {', '.join(_API_VERSIONS)}"
        )
    return array_api


def to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """The tensor itself: it lives on the CPU, the only device.

    Raises:
        RuntimeError: for other devices.
        ValueError: for a stream, which a CPU has not.
    """
    from ._devices import check_device

    check_device(device)
    if stream is not None:
        raise ValueError(f"to_device: a CPU has no streams (got stream={stream!r})")
    return self


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Tensor on the memory of another library's tensor, by DLPack.

    The memory is shared: writes are seen on both sides, and it lives until both have let go. What
    the other side declares read-only refuses in-place writes.

    Args:
        ext_tensor: an object with ``__dlpack__`` (a NumPy, torch or JAX array) or a DLPack capsule.
        device: "cpu" or None.
        copy: True for memory of its own; None and False share.

    Raises:
        BufferError: the other side refuses, or its memory is not on the CPU.
        TypeError: for dtypes chainrule does not have.

    Source: https://dmlc.github.io/dlpack/latest and the array API standard.

    Example:
        >>> import numpy as np
        >>> a = np.zeros(2)
        >>> cr.from_dlpack(a).fill_(1)
        tensor([1., 1.], dtype=chainrule.float64)
        >>> a
        array([1., 1.])
    """
    from ._devices import check_device

    check_device(device)
    capsule = ext_tensor
    if hasattr(ext_tensor, "__dlpack__"):
        kind, number = ext_tensor.__dlpack_device__()
        if int(kind) != _CPU[0]:
            raise BufferError(
                f"from_dlpack: the memory is on device ({int(kind)}, {number}), not on the CPU; "
                "move it there first"
            )
        capsule = _capsule(ext_tensor, copy)
    tensor: Tensor
    tensor, copied = _core._from_dlpack(capsule)
    return tensor.clone() if copy and not copied else tensor


def _capsule(producer: Any, copy: bool | None) -> Any:
    """Ask for a versioned capsule; producers from before version 1 know none of the words."""
    words = {} if copy is None else {"copy": copy}
    try:
        return producer.__dlpack__(max_version=(1, 0), **words)
    except TypeError:
        return producer.__dlpack__()


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """Vector on the memory of an object with the buffer protocol.

    Args:
        buffer: bytes, bytearray, memoryview, array.array, mmap, ...; its memory must be contiguous.
            A read-only one gives a tensor that refuses in-place writes.
        dtype: how its bytes are read.
        count: elements to read; -1 for all that follow ``offset``.
        offset: bytes to leave out at the start.
        requires_grad: whether gradients are wanted.

    Raises:
        ValueError: count and offset do not fit the buffer, or its memory is not aligned.

    Example:
        >>> cr.frombuffer(b"\\x01\\x02\\x03\\x04", dtype=cr.int16)
        tensor([ 513, 1027], dtype=chainrule.int16)
    """
    tensor: Tensor = _core._from_buffer(buffer, dtype, count, offset)
    return tensor.requires_grad_() if requires_grad else tensor


def shared(data: Any) -> Tensor | None:
    """A tensor on the memory of ``data``, or None where the elements must be converted."""
    import numpy as np

    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray):
        return _core.from_numpy(data)  # type: ignore[no-any-return]
    if hasattr(data, "__dlpack__") and not isinstance(data, np.generic):
        return from_dlpack(data)
    if hasattr(data, "__array_interface__"):
        return _core.from_numpy(np.asarray(data))  # type: ignore[no-any-return]
    if isinstance(data, (bytes, str)):
        return None
    try:
        view = memoryview(data)
    except TypeError:
        return None
    return _core.from_numpy(np.asarray(view))  # type: ignore[no-any-return]

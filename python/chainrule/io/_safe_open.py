"""Tensors of a safetensors file one by one, with the interface of the safetensors package."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from .._core import Tensor
from .._devices import check_device
from ._checkpoint import opened
from ._conversion import Array, to_tensor
from ._safetensors import dtype_name, read_arrays
from ._source import Path


class safe_open:
    """Open a safetensors file for reading some of its tensors, its metadata or its shapes.

    The file is checked when it is opened; the bytes of a tensor are read when they are used.

    Args:
        filename: the file.
        framework: for scripts written for the safetensors package; the tensors are chainrule's.
        device: "cpu" or None.

    Raises:
        ValueError: the file is damaged, untruthful or holds a dtype chainrule cannot represent.
        OSError: the file cannot be read.

    Example:
        >>> cr.save_file({"w": cr.ones(4, 2), "b": cr.zeros(4)}, "/tmp/net.safetensors", {"v": "1"})
        >>> with cr.io.safe_open("/tmp/net.safetensors") as file:
        ...     file.keys(), file.metadata(), file.get_slice("w")[:1]
        (['b', 'w'], {'v': '1'}, tensor([[1., 1.]]))
    """

    def __init__(self, filename: Path, framework: str | None = None, device: Any = "cpu") -> None:
        check_device(device)
        with opened("safe_open", filename) as source:
            self._arrays, self._metadata = read_arrays(source.memory)
            self._name = source.name
        self._open = True

    def __enter__(self) -> safe_open:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; tensors that were taken from it stay."""
        self._open = False
        self._arrays = {}

    def keys(self) -> list[str]:
        """Names of the tensors, sorted."""
        return sorted(self._check_open())

    def offset_keys(self) -> list[str]:
        """Names of the tensors in the order of their bytes."""
        return list(self._check_open())

    def metadata(self) -> dict[str, str] | None:
        """The strings in the header by name; None where there are none."""
        self._check_open()
        return dict(self._metadata) or None

    def get_tensor(self, name: str) -> Tensor:
        """The tensor of this name.

        Raises:
            KeyError: there is none.
        """
        return to_tensor(self._array(name))

    def get_slice(self, name: str) -> Slice:
        """The tensor of this name, of which only what is indexed is read.

        Raises:
            KeyError: there is none.
        """
        return Slice(self._array(name))

    def _array(self, name: str) -> Array:
        arrays = self._check_open()
        if name not in arrays:
            from ..nn.modules.text import nearest

            raise KeyError(f"safe_open: {self._name} has no {name!r}{nearest(str(name), arrays)}")
        return arrays[name]

    def _check_open(self) -> dict[str, Array]:
        if not self._open:
            raise ValueError(f"safe_open: {self._name} is closed")
        return self._arrays


class Slice:
    """A tensor in a file, from which parts are taken by indexing."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def get_shape(self) -> list[int]:
        """The sizes of the whole tensor."""
        return list(self._array.shape)

    def get_dtype(self) -> str:
        """What the file calls the dtype, such as "F32"."""
        return dtype_name(self._array)

    def __getitem__(self, index: Any) -> Tensor:
        part: Tensor = to_tensor(self._array)[index]
        return part

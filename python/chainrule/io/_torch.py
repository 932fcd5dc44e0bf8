"""The checkpoints that torch.save writes, read without torch and without running anything.

Since torch 1.6 a checkpoint is a zip archive of uncompressed records: ``data.pkl``, a pickle in
which tensors are calls of a few functions of torch, and ``data/KEY`` with the bytes of each
storage. Older ones are five pickles in a row (a magic number, a version, facts about the machine,
the object, the keys of its storages) and then, per storage, a count and bytes.

Several tensors may be views of one storage, with any strides; so they are here.
"""

from __future__ import annotations

import io
import math
import reprlib
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

import chainrule as cr

from .. import _core
from .._core import Tensor
from .._storage import Storage
from ._conversion import BFLOAT16, Array, to_tensor
from ._pickle import Rebuild, plain_key, read_pickle
from ._safetensors import MAX_HEADER
from ._source import Source

_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older format
_VERSION = 1001  # the second
_ALIGNMENT = 8  # of the widest dtype
_MAX_RANK = 16  # kMaxRank in csrc/core/shape.h
_MAX_NUMEL = 2**60

# How NumPy reads what torch calls a dtype.
_STORED = {
    "bool": np.dtype("?"),
    "uint8": np.dtype("u1"),
    "int8": np.dtype("i1"),
    "uint16": np.dtype("<u2"),
    "int16": np.dtype("<i2"),
    "uint32": np.dtype("<u4"),
    "int32": np.dtype("<i4"),
    "uint64": np.dtype("<u8"),
    "int64": np.dtype("<i8"),
    "float16": np.dtype("<f2"),
    "bfloat16": BFLOAT16,
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}
_ALIASES = {"half": "float16", "float": "float32", "double": "float64"}
_STORAGES = {
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "UntypedStorage": "uint8",
}


def is_torch(start: bytes | bytearray) -> bool:
    """Whether a file that starts with these 8 bytes is a zip archive or a pickle.

    A safetensors file starts with the length of its header, whose first byte may be a pickle's.
    """
    pickled = start[:1] == b"\x80" and int.from_bytes(start, "little") > MAX_HEADER
    return pickled or start[:4] == _ZIP


def read_torch(source: Source) -> Any:
    """Read what torch.save wrote.

    Raises:
        ValueError: the file is damaged, holds something else than tensors and plain data, or a
            dtype that chainrule lacks.
    """
    if source.memory[:4] == _ZIP:
        return _read_zip(source)
    return _read_legacy(source)


# ---------------------------------------------------------------- the archive


def _read_zip(source: Source) -> Any:
    try:
        with zipfile.ZipFile(source.file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
        raise ValueError("truncated or damaged: no valid zip directory at the end") from None
    names = [entry.filename for entry in entries]
    top = names[0].split("/", 1)[0] if names else ""
    if f"{top}/constants.pkl" in names:
        raise ValueError("a TorchScript program; save its state_dict() with torch.save instead")
    if f"{top}/data.pkl" not in names:
        hint = "; read NumPy's archives with numpy.load" if top.endswith(".npy") else ""
        raise ValueError(f"a zip archive without data.pkl; expected a checkpoint of torch{hint}")
    records = _records(entries, source)

    def content(name: str) -> bytes:
        return bytes(source.memory[records[name]])

    order = f"{top}/byteorder"
    if order in records and content(order) != b"little":
        raise ValueError("written on a big-endian machine; load and save it again on a usual one")
    storages: dict[str, _Storage] = {}

    def memory_of(key: str, nbytes: int) -> Array:
        record = records.get(f"{top}/data/{key}")
        if record is None or record.stop - record.start < nbytes:
            held = "is missing" if record is None else f"has {record.stop - record.start} bytes"
            raise ValueError(f"storage {key!r:.80} {held}; expected {nbytes}")
        return _bytes(source, record.start, nbytes)

    pickle = io.BytesIO(content(f"{top}/data.pkl"))
    return read_pickle(pickle, _find, lambda pid: _storage(pid, storages, memory_of))


def _records(entries: list[zipfile.ZipInfo], source: Source) -> dict[str, slice]:
    """Find the bytes of each record; checks that they lie in the file, one after another."""
    records, position = {}, 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        name = f"{entry.filename!r:.80}"
        header = source.memory[entry.header_offset : entry.header_offset + 30]
        if entry.header_offset < position or header[:4] != _ZIP or len(header) < 30:
            raise ValueError(f"damaged: record {name} is not where it should be")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ValueError(f"record {name} is compressed or encrypted; torch's are not")
        start = entry.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        position = start + entry.file_size
        if position > len(source.memory):
            raise ValueError(f"truncated: record {name} reaches past the end")
        records[entry.filename] = slice(start, position)
    return records


# ---------------------------------------------------------------- the older format


def _read_legacy(source: Source) -> Any:
    file, size = source.file, len(source.memory)
    if read_pickle(file, _find_nothing) != _MAGIC:
        raise ValueError("a pickle that torch did not write; expected a file of save or torch.save")
    version, machine = read_pickle(file, _find_nothing), read_pickle(file, _find_nothing)
    if version != _VERSION or not isinstance(machine, dict):
        raise ValueError(f"version {reprlib.repr(version)} of the format; expected {_VERSION}")
    if machine.get("little_endian") is not True:
        raise ValueError("written on a big-endian machine; load and save it again on a usual one")
    storages: dict[str, _Storage] = {}
    claimed = 0

    def memory_of(key: str, nbytes: int) -> Array:  # filled below: the bytes follow the pickles
        nonlocal claimed
        claimed += nbytes
        if claimed > size:
            raise ValueError(f"truncated: the storages take {claimed} bytes, the file has {size}")
        return np.zeros(nbytes, np.uint8)

    result = read_pickle(file, _find, lambda pid: _storage(pid, storages, memory_of))
    keys = read_pickle(file, _find_nothing)
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        keys = []
    if sorted(keys) != sorted(storages):
        raise ValueError("damaged: the list of storages is not that of the tensors")
    position = file.tell()
    for key in keys:
        storage = storages[key]
        count, start = source.memory[position : position + 8], position + 8
        position = start + len(storage.memory)
        if int.from_bytes(count, "little") != len(storage) or position > size:
            raise ValueError(f"truncated or damaged: storage {key!r:.80} is not of its size")
        storage.memory[...] = _bytes(source, start, len(storage.memory))
        storage.check()
    return result


def _find_nothing(module: str, name: str) -> Any:
    raise ValueError("a pickle that torch did not write; expected a file of save or torch.save")


# ---------------------------------------------------------------- storages and tensors


def _bytes(source: Source, start: int, count: int) -> Array:
    if count == 0:
        return np.zeros(0, np.uint8)
    return np.frombuffer(source.memory, np.uint8, count, start)


class _StorageType(NamedTuple):
    stored: np.dtype[Any]


class _Storage(Storage):
    """The memory of one or more tensors; where no tensor wraps it, a storage like any other."""

    def __init__(self, key: str, stored: np.dtype[Any], memory: Array) -> None:
        self.key, self.stored = key, stored
        self.memory = memory.copy() if memory.ctypes.data % _ALIGNMENT else memory
        self._vectors: dict[np.dtype[Any], Tensor] = {}
        self.check()
        super().__init__(self.vector(stored))

    def check(self) -> None:
        if self.stored == np.bool_ and len(self.memory) and self.memory.max() > 1:
            raise ValueError(f"storage {self.key!r:.80} is bool and holds bytes other than 0 and 1")

    def vector(self, stored: np.dtype[Any]) -> Tensor:
        """The whole memory as one tensor: always the same, which its views share."""
        if stored not in self._vectors:
            usable = len(self.memory) // stored.itemsize * stored.itemsize
            self._vectors[stored] = to_tensor(self.memory[:usable].view(stored))
        return self._vectors[stored]


def _storage(
    pid: Any, storages: dict[str, _Storage], memory_of: Callable[[str, int], Array]
) -> _Storage:
    """Give the storage that a persistent id of torch describes."""
    if isinstance(pid, tuple) and pid[:1] == ("module",):
        raise ValueError(_WHOLE_MODULE)
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise ValueError(f"the reference {reprlib.repr(pid)} is not to a storage")
    kind, key, numel = pid[1], pid[2], pid[4]
    if type(kind) is not _StorageType or type(key) is not str or not _are_sizes((numel,)):
        raise ValueError(f"the reference {reprlib.repr(pid)} is not to a storage")
    if len(pid) == 6 and pid[5] is not None:
        raise ValueError(f"storage {key!r:.80} is part of another, which torch wrote before 0.4")
    if key not in storages:
        memory = memory_of(key, numel * kind.stored.itemsize)
        storages[key] = _Storage(key, kind.stored, memory)
    elif storages[key].stored != kind.stored or len(storages[key]) != numel:
        raise ValueError(f"storage {key!r:.80} is described twice, and differently")
    return storages[key]


def _tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False,
    hooks: Any = None, metadata: Any = None, *, stored: np.dtype[Any] | None = None,
) -> Tensor:  # fmt: skip
    if type(storage) is not _Storage or type(size) is not tuple or type(stride) is not tuple:
        raise TypeError
    if metadata:
        raise ValueError("tensors with a pending conjugation or negation are not supported")
    right = _are_sizes(size) and _are_sizes(stride) and _are_sizes((offset,))
    if not right or len(size) != len(stride) or len(size) > _MAX_RANK:
        raise ValueError(
            f"a tensor has size {reprlib.repr(size)} and stride {reprlib.repr(stride)}; expected "
            f"as many strides as sizes, at most {_MAX_RANK} of them, and none below zero"
        )
    vector = storage.vector(stored or storage.stored)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if (last >= vector.numel() and 0 not in size) or offset > vector.numel():
        raise ValueError(
            f"a tensor of size {size} with stride {stride} and offset {offset} reaches outside of "
            f"storage {storage.key!r:.80} of {vector.numel()} elements"
        )
    if math.prod(n for n in size if n) > _MAX_NUMEL:
        raise ValueError(f"a tensor of size {size} overflows 64-bit sizes")
    tensor = _core.as_strided(vector, size, stride, offset).detach()
    return tensor.requires_grad_() if _wants_gradient(tensor, requires_grad) else tensor


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any,
    metadata: Any = None,
) -> Tensor:  # fmt: skip
    if not isinstance(dtype, cr.dtype):
        raise TypeError
    stored = _STORED[dtype.name]
    if stored == np.bool_:  # their bytes were not checked
        raise TypeError
    return _tensor(storage, offset, size, stride, requires_grad, hooks, metadata, stored=stored)


def _parameter(data: Any, requires_grad: Any, hooks: Any = None) -> Tensor:
    if not isinstance(data, Tensor):
        raise TypeError
    return cr.nn.Parameter(data, _wants_gradient(data, requires_grad))


def _wants_gradient(tensor: Tensor, answer: Any) -> bool:
    if type(answer) is not bool or (answer and not tensor.is_floating_point()):
        raise TypeError
    return answer


def _are_sizes(values: Any) -> bool:
    return all(type(value) is int and 0 <= value <= _MAX_NUMEL for value in values)


# ---------------------------------------------------------------- what a pickle may name


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
        raise TypeError
    return OrderedDict((plain_key(key), value) for key, value in pairs)


def _counter(counts: Any = None) -> Counter[Any]:
    if not isinstance(counts, (dict, NoneType)):
        raise TypeError
    return Counter(counts)


def _size(sizes: Any = ()) -> tuple[Any, ...]:
    if not _are_sizes(sizes):
        raise TypeError
    return tuple(sizes)


def _device(kind: Any, index: Any = None) -> str:
    if type(kind) is not str or not isinstance(index, (int, NoneType)):
        raise TypeError
    return kind if index is None else f"{kind}:{index}"


def _encode(text: Any, encoding: Any = "utf-8", errors: Any = "strict") -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise TypeError
    return text.encode(encoding)


def _bytearray(content: Any = b"", encoding: Any = "latin-1") -> bytearray:
    return bytearray(content if type(content) is bytes else _encode(content, encoding))


_CALLS: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encode,
    "builtins.bytearray": _bytearray,
    "builtins.bytes": lambda: b"",
    "builtins.complex": complex,
    "builtins.frozenset": lambda items: frozenset(map(plain_key, items)),
    "builtins.set": lambda items: set(map(plain_key, items)),
    "collections.Counter": _counter,
    "collections.OrderedDict": _ordered,
    "torch.Size": _size,
    "torch.device": _device,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
}
_WHOLE_MODULE = (
    "a whole module was saved, which only its own code can rebuild; in torch, save its weights: "
    "torch.save(model.state_dict(), path)"
)


def _find(module: str, name: str) -> Any:
    """Give what a pickle may name, or say why not."""
    module = "builtins" if module == "__builtin__" else module  # Python 2's, which torch writes
    full = f"{module}.{name}"
    if full in _CALLS:
        return Rebuild(full, _CALLS[full])
    if module in ("torch", "torch.storage") and name in _STORAGES:
        return _StorageType(_STORED[_STORAGES[name]])
    if module == "torch" and _ALIASES.get(name, name) in _STORED:
        return getattr(cr, _ALIASES.get(name, name))
    if full.startswith("torch.nn.modules."):
        raise ValueError(_WHOLE_MODULE)
    if module == "torch":
        raise ValueError(f"it holds a {full:.80}, which chainrule does not have")
    raise ValueError(
        f"it names {full:.80}, and only tensors, numbers, strings and plain containers of them are "
        "read: nothing in a file is run; in torch, save a state_dict()"
    )

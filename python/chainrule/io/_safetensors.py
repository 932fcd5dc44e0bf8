"""The safetensors file format, in NumPy.

A file is the header's length (8 bytes, little-endian), the header (JSON: per tensor its dtype,
shape and byte range; strings under "__metadata__") and the tensors' bytes, one after another
without gaps. Nothing in it is code. Files come from strangers, so every claim of the header is
checked before a byte of data is used.

Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ._conversion import BFLOAT16, Array

# What the file calls a dtype, and how NumPy reads it.
_STORED = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _STORED.items()}

_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
_ALIGNMENT = 64  # of the first tensor's bytes: a cache line, so that a map can be used in place
MAX_HEADER = 100_000_000  # the limit of the reference implementation
_MAX_RANK = 16  # kMaxRank in csrc/core/shape.h
_MAX_BYTES = 2**63 - 1


class _Entry(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def dtype_name(array: Array) -> str:
    """What a file calls the dtype of an array."""
    return _NAMES[array.dtype.newbyteorder("<")]


def write_arrays(
    arrays: Mapping[str, Array], file: BinaryIO, metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays to a file, as safetensors."""
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    # Wide dtypes first, so that every tensor is aligned to its own item size.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))
    begin = 0
    for name, array in ordered:
        if name == _METADATA:
            raise ValueError(f"{_METADATA!r} is reserved; expected another tensor name")
        end = begin + array.nbytes
        header[name] = {
            "dtype": dtype_name(array),
            "shape": array.shape,
            "data_offsets": (begin, end),
        }
        begin = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise ValueError(f"the header takes {len(text)} bytes; expected at most {MAX_HEADER}")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for _, array in ordered:
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        file.write(little.reshape(-1).view(np.uint8).data)


def read_arrays(memory: mmap.mmap | bytearray) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the bytes of a safetensors file.

    Returns the arrays by name, which are views of `memory`, and the metadata.
    """
    size = len(memory)
    length = _header_length(memory[:8], size)
    entries, metadata = _parse(memory[8 : 8 + length], size - 8 - length)
    return {e.name: _view(memory, 8 + length, e) for e in entries}, metadata


def _header_length(prefix: bytes | bytearray, size: int) -> int:
    if len(prefix) < 8:
        raise ValueError(f"truncated: {size} bytes; expected at least the 8 of the header length")
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER:
        raise ValueError(
            f"the header length is {length}; expected at most {MAX_HEADER}; "
            "is this a safetensors file?"
        )
    if length > size - 8:
        raise ValueError(
            f"truncated: the header should take {length} bytes, {size - 8} follow its length"
        )
    return length


def _parse(raw: bytes | bytearray, data_size: int) -> tuple[list[_Entry], dict[str, str]]:
    """Turn the header into entries in file order, after checking all that it claims."""
    header = _parse_json(raw)
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError(f"{_METADATA} holds something else than strings by name")
    entries = sorted((_entry(*item) for item in header.items()), key=lambda e: (e.begin, e.end))
    position, previous = 0, "the start"
    for entry in entries:
        if entry.begin != position:
            fault = "overlaps" if entry.begin < position else "leaves a gap after"
            raise ValueError(
                f"tensor {entry.name!r} at byte {entry.begin} {fault} {previous}; "
                f"expected it at byte {position}"
            )
        position, previous = entry.end, f"tensor {entry.name!r}"
    if position != data_size:
        fault = "truncated" if position > data_size else "too long"
        raise ValueError(f"{fault}: the tensors take {position} bytes, the file has {data_size}")
    return entries, metadata


def _parse_json(raw: bytes | bytearray) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{twice!r} appears twice")
        return result

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except RecursionError:
        raise ValueError("the header nests too deeply") from None
    except ValueError as error:
        raise ValueError(f"the header is not valid: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"the header is a JSON {type(header).__name__}; expected an object")
    return header


def _entry(name: str, info: object) -> _Entry:
    """Check one tensor's line of the header."""
    if not isinstance(info, dict) or info.keys() != _FIELDS:
        raise ValueError(
            f"tensor {name!r} is described by {info!r:.80}; expected {sorted(_FIELDS)}"
        )
    dtype, shape, offsets = info["dtype"], info["shape"], info["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _STORED:
        raise ValueError(
            f"tensor {name!r} has dtype {dtype!r:.80}; expected one of {', '.join(_STORED)}"
        )
    if not _are_sizes(shape) or len(shape) > _MAX_RANK:
        raise ValueError(
            f"tensor {name!r} has shape {shape!r:.80}; expected at most {_MAX_RANK} sizes >= 0"
        )
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(
            f"tensor {name!r} has offsets {offsets!r:.80}; expected begin and end, begin <= end"
        )
    itemsize = _STORED[dtype].itemsize
    if itemsize * math.prod(size for size in shape if size) > _MAX_BYTES:
        raise ValueError(f"tensor {name!r} of shape {tuple(shape)} overflows 64-bit sizes")
    expected, found = itemsize * math.prod(shape), offsets[1] - offsets[0]
    if expected != found:
        raise ValueError(
            f"tensor {name!r} of shape {tuple(shape)} and dtype {dtype} takes {expected} bytes; "
            f"its offsets span {found}"
        )
    return _Entry(name, dtype, tuple(shape), *offsets)


def _are_sizes(values: object) -> bool:
    """Whether this is a list of integers from 0 to the largest size (and no booleans)."""
    return isinstance(values, list) and all(type(v) is int and 0 <= v <= _MAX_BYTES for v in values)


def _view(memory: mmap.mmap | bytearray, start: int, entry: _Entry) -> Array:
    """See one tensor's bytes as an array; copies only what is unaligned."""
    stored = _STORED[entry.dtype]
    native = stored.newbyteorder("=")
    if entry.begin == entry.end:
        return np.zeros(entry.shape, native)
    array: Array = np.ndarray(entry.shape, stored, memory, start + entry.begin)
    if entry.dtype == "BOOL" and array.view(np.uint8).max() > 1:
        raise ValueError(f"tensor {entry.name!r} is BOOL and holds bytes other than 0 and 1")
    return np.require(array.astype(native, copy=False), requirements="A")

"""Save and load tensors, alone or inside plain Python containers, as safetensors files.

Checkpoints of torch are read, too (_torch.py).

A flat dict of tensors is stored as exactly that and any safetensors reader can open it. Anything
deeper (a checkpoint with optimizer state) stores its tensors under dotted names and its structure
as JSON in the metadata. No pickle: loading a file never runs code.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from .._core import Tensor
from .._devices import check_device
from ._atomic import atomic_write
from ._conversion import Array, to_array, to_tensor
from ._safetensors import read_arrays, write_arrays
from ._source import Path, Source, open_source
from ._torch import is_torch, read_torch

_TREE = "chainrule.tree"  # the metadata entry with the structure


def save_file(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors to a safetensors file.

    The file is written beside `path`, then renamed over it: a failed save leaves the old file
    untouched. Tensors that share memory are stored once each.

    Args:
        tensors: tensors by name, of any shape and dtype.
        path: the file to write or replace.
        metadata: strings by name, stored in the header.

    Raises:
        TypeError: a name or metadata entry is no string, or a value no tensor.
        ValueError: the name is reserved or not valid Unicode.
        OSError: the file cannot be written.

    Example:
        >>> cr.save_file({"weight": cr.ones(2, 3)}, "/tmp/model.safetensors", {"note": "demo"})
        >>> cr.load_file("/tmp/model.safetensors")["weight"].shape
        (2, 3)
    """
    arrays = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TypeError(
                f"save_file: {name!r} holds a {type(tensor).__name__}; expected tensors by name; "
                "save() also takes nested containers"
            )
        arrays[name] = to_array(tensor)
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save_file: metadata {key!r} is {value!r:.80}; expected strings")
    _write("save_file", arrays, path, metadata)


def load_file(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file; `load_metadata` and `safe_open` give its metadata.

    The tensors lie in a private map of the file: loading reads nothing ahead, and writing to a
    tensor changes neither the file nor another load of it.

    Args:
        path: the file.

    Returns:
        Tensors by name, in the order of their bytes.

    Raises:
        ValueError: the file is damaged, untruthful or holds a dtype chainrule cannot represent.
        OSError: the file cannot be read.

    Example:
        >>> cr.save_file({"bias": cr.zeros(3)}, "/tmp/bias.safetensors")
        >>> cr.load_file("/tmp/bias.safetensors")
        {'bias': tensor([0., 0., 0.])}
    """
    with opened("load_file", path) as source:
        if is_torch(source.memory[:8]):
            raise ValueError("not a safetensors file; chainrule.load reads torch's checkpoints")
        arrays, _ = read_arrays(source.memory)
    return {name: to_tensor(array) for name, array in arrays.items()}


def load_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file, after the same checks as `load_file`.

    Example:
        >>> cr.save_file({"bias": cr.zeros(3)}, "/tmp/noted.safetensors", {"epoch": "7"})
        >>> cr.io.load_metadata("/tmp/noted.safetensors")
        {'epoch': '7'}
    """
    with opened("load_metadata", path) as source:
        return read_arrays(source.memory)[1]


def save(obj: object, path: Path | BinaryIO) -> None:
    """Write a tensor, a state dict or a nested checkpoint to a file.

    Dicts, lists and tuples may nest and may hold tensors, str, int, float, bool and None. Every
    other type is refused: a file that could rebuild arbitrary objects could run arbitrary code.

    Args:
        obj: what to store; subclasses of dict come back as plain dicts, parameters as tensors.
        path: the file to write or replace (in one step, as `save_file` does), or a binary file
            object.

    Raises:
        TypeError: something inside `obj` cannot be stored; the message says where it is.
        OSError: the file cannot be written.

    Example:
        >>> state = {"epoch": 3, "model": {"weight": cr.ones(2)}, "lr": [0.1, 0.01]}
        >>> cr.save(state, "/tmp/state.safetensors")
        >>> cr.load("/tmp/state.safetensors")
        {'epoch': 3, 'model': {'weight': tensor([1., 1.])}, 'lr': [0.1, 0.01]}
    """
    if (
        isinstance(obj, dict)
        and obj
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in obj.items())
    ):
        _write("save", {key: to_array(value) for key, value in obj.items()}, path, None)
        return
    arrays: dict[str, Array] = {}
    try:
        tree = json.dumps(_pack(obj, (), arrays))
    except RecursionError:
        raise ValueError("save: the object nests too deeply or contains itself") from None
    _write("save", arrays, path, {_TREE: tree})


def load(path: Path | BinaryIO, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what `save` wrote, the tensors of any other safetensors file, or a checkpoint of torch.

    Of the files of ``torch.save`` both formats are read, without torch: tensors of every dtype that
    chainrule has, with their strides, shared memory and parameters, inside dicts, lists, tuples,
    sets, strings and numbers. Nothing in a file is run; a file that wants more is refused.

    Args:
        path: the file, or a binary file object that is read to its end.
        map_location: for scripts written for torch: "cpu", None, or a callable or dict, which have
            no effect.
        weights_only: likewise; there is no other way of loading.

    Returns:
        The saved object; for a safetensors file of another origin, a dict of tensors by name. Sizes
        of torch come back as tuples, devices as strings.

    Raises:
        ValueError: the file is damaged or untruthful, or holds objects that are not plain data.
        RuntimeError: map_location is another device.
        OSError: the file cannot be read.

    Example:
        >>> cr.save((cr.zeros(1), "a name"), "/tmp/pair.safetensors")
        >>> cr.load("/tmp/pair.safetensors")
        (tensor([0.]), 'a name')
    """
    if not callable(map_location) and not isinstance(map_location, dict):
        check_device(map_location)
    with opened("load", path) as source:
        if is_torch(source.memory[:8]):
            return read_torch(source)
        arrays, metadata = read_arrays(source.memory)
        tensors = {name: to_tensor(array) for name, array in arrays.items()}
        if _TREE not in metadata:
            return tensors
        try:
            return _unpack(json.loads(metadata[_TREE]), tensors)
        except RecursionError:
            fault = "it nests too deeply"
        except ValueError as error:
            fault = str(error)
        raise ValueError(f"{_TREE} is not valid: {fault}")


def _write(op: str, arrays: Mapping[str, Array], path: Path | BinaryIO, metadata: Any) -> None:
    try:
        if isinstance(path, (str, os.PathLike)):
            with atomic_write(path) as file:
                write_arrays(arrays, file, metadata)
        else:
            write_arrays(arrays, path, metadata)
    except ValueError as error:
        raise ValueError(f"{op}: {error}") from None


@contextlib.contextmanager
def opened(op: str, path: Path | BinaryIO) -> Iterator[Source]:
    """Open a file; what is wrong with its contents is said with the name of both."""
    with open_source(path) as source:
        try:
            yield source
        except ValueError as error:
            raise ValueError(f"{op}: {source.name}: {error}") from None


def _pack(obj: object, where: tuple[str, ...], arrays: dict[str, Array]) -> Any:
    """Turn `obj` into JSON; its tensors go to `arrays`, and a JSON object names what JSON lacks."""
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if isinstance(obj, Tensor):
        name = ".".join(where) or "tensor"
        while name in arrays:  # {"a.b": x, "a": {"b": y}} gives the same path twice
            name += "'"
        arrays[name] = to_array(obj)
        return {"tensor": name}
    if isinstance(obj, dict) and all(type(key) in (str, int) for key in obj):
        pairs = obj.items()
        return {"dict": [[key, _pack(value, (*where, str(key)), arrays)] for key, value in pairs]}
    if isinstance(obj, (list, tuple)) and type(obj) in (list, tuple):
        items = [_pack(item, (*where, str(i)), arrays) for i, item in enumerate(obj)]
        return items if isinstance(obj, list) else {"tuple": items}
    place = f" at {'.'.join(where)!r}" if where else ""
    raise TypeError(
        f"save: cannot store a {type(obj).__name__}{place}; expected tensors, str, int, float, "
        "bool, None, and dicts (keyed by str or int), lists and tuples of them; "
        "save a module or optimizer by its state_dict()"
    )


def _unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Undo `_pack`, trusting nothing."""
    if isinstance(tree, list):
        return [_unpack(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) != 1:
        raise ValueError(f"{tree!r:.80} names no single type")
    [(kind, value)] = tree.items()
    if kind == "tensor" and isinstance(value, str) and value in tensors:
        return tensors[value]
    if kind == "tuple" and isinstance(value, list):
        return tuple(_unpack(item, tensors) for item in value)
    if kind == "dict" and isinstance(value, list) and all(map(_is_pair, value)):
        return {key: _unpack(item, tensors) for key, item in value}
    raise ValueError(f"{tree!r:.80} is neither a tensor of this file, a tuple nor a dict")


def _is_pair(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and type(item[0]) in (str, int)

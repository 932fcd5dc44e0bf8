"""Files to read from: their bytes as memory that may be written to and is nobody else's."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

Path = str | os.PathLike[str]


class Source(NamedTuple):
    """An open file and all its bytes."""

    file: BinaryIO
    memory: mmap.mmap | bytearray
    name: str


@contextlib.contextmanager
def open_source(source: Path | BinaryIO) -> Iterator[Source]:
    """Open a file and map it privately: nothing is read before it is used.

    What a file object has left to read is read at once.
    """
    if not isinstance(source, (str, os.PathLike)):
        content = source.read()
        yield Source(io.BytesIO(content), bytearray(content), f"the {type(source).__name__}")
        return
    with open(source, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else bytearray()
        yield Source(file, memory, repr(os.fspath(source)))

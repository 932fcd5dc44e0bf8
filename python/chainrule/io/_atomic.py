"""Replace a file in one step, so that no failure leaves it half written."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` only if the block succeeds.

    The bytes go to a temporary file in the same directory, reach the disk, and are then renamed
    over `path`. When anything fails, the temporary file is removed and `path` is as it was.

    Args:
        path: the file to write; a symbolic link is followed.

    Raises:
        OSError: the directory cannot be written, or `path` exists and is read-only or no file.

    Example:
        >>> with cr.io.atomic_write("/tmp/notes.txt") as file:
        ...     size = file.write(b"all or nothing")
    """
    target = os.path.realpath(path)
    if os.path.exists(target):
        if not os.path.isfile(target):
            raise OSError(f"{os.fspath(path)!r} exists and is not a regular file")
        if not os.access(target, os.W_OK):
            raise PermissionError(f"{os.fspath(path)!r} is read-only")
    temporary = f"{target}.{secrets.token_hex(4)}.tmp"
    try:
        file = open(temporary, "xb")  # noqa: SIM115 (closed below, where failures differ)
    except OSError as error:  # name the file that was asked for
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(os.path.dirname(target))


def _sync_directory(directory: str) -> None:
    """Make a rename durable where the system can (POSIX; Windows cannot open directories)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

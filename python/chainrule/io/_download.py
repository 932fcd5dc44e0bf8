"""Files from the network, checked against their checksums."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request

from ._atomic import atomic_write

_CHUNK = 1 << 18


def download(
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    md5: str | None = None,
    timeout: float = 60.0,
) -> str:
    """Fetch a file, unless it is there already.

    The bytes go to a temporary file, which takes its place only when it is whole and its checksum
    is right; nothing else is ever left behind.

    Args:
        url: an ``http://`` or ``https://`` address.
        path: the file to write; missing directories are made.
        sha256: the checksum, in hexadecimal.
        md5: another one; a file that is there is fetched again if it does not fit.
        timeout: seconds without an answer after which to give up.

    Returns:
        The path.

    Raises:
        ValueError: another kind of address, or a wrong checksum or length.
        OSError: the network or the disk failed.
    """
    name = os.fspath(path)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"download: the address is {url!r}; expected http:// or https://")
    wanted = {kind: value.lower() for kind, value in (("sha256", sha256), ("md5", md5)) if value}
    if os.path.isfile(name) and _sums(name, wanted) == wanted:
        return name
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in wanted}
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer, atomic_write(name) as file:
            length, expected = 0, answer.headers.get("Content-Length")
            while chunk := answer.read(_CHUNK):
                length += len(chunk)
                file.write(chunk)
                for each in hashes.values():
                    each.update(chunk)
            if expected is not None and length != int(expected):
                raise ValueError(f"download: {url}: got {length} bytes of {expected}")
            for kind, each in hashes.items():
                if each.hexdigest() != wanted[kind]:
                    raise ValueError(
                        f"download: {url}: the {kind} is {each.hexdigest()}; expected "
                        f"{wanted[kind]}"
                    )
    except urllib.error.URLError as error:
        reason = f"HTTP {error.code}" if hasattr(error, "code") else error.reason
        raise OSError(
            f"download: {url}: {reason}; fetch the file by other means to {name!r}"
        ) from None
    return name


def _sums(path: str, kinds: dict[str, str]) -> dict[str, str]:
    hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            for each in hashes.values():
                each.update(chunk)
    return {kind: each.hexdigest() for kind, each in hashes.items()}

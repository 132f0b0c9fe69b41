"""Read the files of a model without trusting them: plain files only, of the size and checksum the manifest says."""

import hashlib
import os
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from market.errors import ModelError
from utils.file_operations import open_plain

# Smaller files are copied: a mapped one changes under the reader when somebody writes into it.
MAPPED_BYTES = 8_000_000


def content_of(path: Path, expected: dict[str, Any]) -> bytes | mmap:
    """Return the bytes of a file: a copy of a small one, a shared mapping of a large one.

    `expected`: its `size` and `sha256`; ModelError when it is of another size. The content is for the caller to hash.
    """
    try:
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            _compare_size(path, expected, size)
            return mmap(file.fileno(), 0, access=ACCESS_READ) if size >= MAPPED_BYTES else file.read(size)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}; train again") from error


def verify(path: Path, expected: dict[str, Any]) -> None:
    """Refuse a file that is not of this `size` and `sha256`; what has not changed since the last look is not read."""
    try:
        with open_plain(path) as file:
            stat = os.fstat(file.fileno())
        _compare_size(path, expected, stat.st_size)  # before it is read: it may be very long
        digest = _digest(path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}; train again") from error
    compare_digest(path, expected, digest)


def compare_digest(path: Path, expected: dict[str, Any], digest: str) -> None:
    """Refuse a file whose content has another SHA-256 than `expected` says."""
    if digest != expected["sha256"]:
        raise ModelError(f"{path.name} does not match its checksum, it was changed or damaged; train again")


def _compare_size(path: Path, expected: dict[str, Any], size: int) -> None:
    if size != expected["size"]:
        raise ModelError(f"{path.name} holds {size} bytes, its manifest says {expected['size']}; train again")


@lru_cache(maxsize=1_000)
def _digest(path: Path, inode: int, size: int, changed_ns: int, touched_ns: int) -> str:
    """Return the SHA-256 of a file, kept until one of the arguments tells of a change; the 1,000 last asked stay."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Write files so that a kill at any moment leaves the old one or the new one, never half of one."""

import errno
import hashlib
import io
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".tmp"
_counter = itertools.count()


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace `path` by `data`, durably; readers see the old content until the new one is whole.

    `mode`: who may read and write the file, less what the umask forbids; it is so from the first byte on.
    """
    with atomic_file(path, mode) as file:
        file.write(data)


@contextmanager
def atomic_file(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Hand out an empty file that takes the place of `path`, durably, when the body ends without an error.

    The temporary lies in the same folder under a hidden name that carries this process's id.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.{next(_counter)}{_SUFFIX}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def sweep_temporaries(folder: Path) -> int:
    """Remove what writers that died left in `folder`; return how many files that were.

    The temporary of a process that still runs stays, unless that process is younger than the file.
    """
    stale = [path for path in folder.glob(f".*{_SUFFIX}") if _is_abandoned(path)]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def open_plain(path: Path) -> io.BufferedReader:
    """Open a file to read it; OSError when it is a link, a folder, a pipe or anything else that is no plain file."""
    # Without O_NONBLOCK the opening of a pipe waits for a writer who may never come.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no plain file")
    return os.fdopen(descriptor, "rb")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ensure_writable(folder: Path) -> None:
    """Make `folder` where it is missing and prove that files can be written there; OSError says why not."""
    probe = folder / f".probe.{os.getpid()}.{next(_counter)}{_SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OSError(f"{folder} is not writable: {error.strerror or error}") from error


def _is_abandoned(path: Path) -> bool:
    import psutil

    pid_text = path.name.removesuffix(_SUFFIX).split(".")[-2:-1]
    if not pid_text or not pid_text[0].isdigit():
        return False
    try:
        born = psutil.Process(int(pid_text[0])).create_time()
        # A reused process id: restarted containers hand out the same small numbers again.
        return bool(born > path.stat().st_mtime + 1.0)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OSError):
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

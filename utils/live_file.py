"""A small JSON file that is written all the time and read by others, also while the disk takes nothing new."""

import contextlib
import errno
import os
from pathlib import Path

from utils.file_operations import write_atomically

_BLOCK_BYTES = 4_096
_SPARE_BYTES = 1_024  # more is said when something is wrong
_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EFBIG: "the disk is full",
    errno.EROFS: "the folder is read-only",
    errno.EACCES: "the folder is read-only",
    errno.EPERM: "the folder is read-only",
}


class LiveFile:
    """A file one process writes: replaced whole, or written in place where its folder takes no new file.

    It is padded with spaces, so that what is written in place fits into the blocks the file has.
    """

    def __init__(self, path: Path) -> None:
        """Write to `path`; its folder must exist."""
        self._path = path
        self._descriptor: int | None = None

    def write(self, data: bytes) -> str | None:
        """Write `data`; return in words why that was done in place, where it was. OSError when neither works."""
        padded = data.ljust(-(-(len(data) + _SPARE_BYTES) // _BLOCK_BYTES) * _BLOCK_BYTES)
        try:
            write_atomically(self._path, padded)
        except OSError as error:
            self._write_in_place(data)
            return _WORDS.get(error.errno or 0, error.strerror or str(error))
        self.close()
        with contextlib.suppress(OSError):
            self._open()
        return None

    def close(self) -> None:
        """Let go of the file; it stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        # Kept open: a descriptor works on where the folder, or the mount it lies in, has become read-only.
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        return self._descriptor

    def _write_in_place(self, data: bytes) -> None:
        descriptor = self._open()
        padded = data.ljust(os.fstat(descriptor).st_size)
        if os.pwrite(descriptor, padded, 0) < len(padded):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

"""Be the only one of a kind in a folder."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class AlreadyHeldError(OSError):
    """Another process holds the lock; its id is in `pid` where it is known."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"already running, pid {pid or 'unknown'} (it holds {path})")
        self.pid = pid


class InstanceLock:
    """The right to be the only one of a kind, as a locked file that names its holder.

    The kernel frees it when the holder dies, however it dies. A program it starts does not inherit it.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; its folder must exist."""
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lock; AlreadyHeldError when another process has it."""
        file = self._path.open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                text = file.read().strip()
            raise AlreadyHeldError(self._path, int(text) if text.isdigit() else None) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back; the file stays, empty."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

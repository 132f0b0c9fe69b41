"""Tell in microseconds whether anybody has committed to a database file since the last look."""

import sqlite3
import threading
from pathlib import Path

from data.database import PATIENCE_SECONDS

Mark = tuple[int, int, int]  # device, inode, SQLite's own count of others' commits


class Commits:
    """Watches one SQLite file, which need not be there yet and may be replaced by another."""

    def __init__(self, path: Path) -> None:
        """Watch `path`; nothing is opened before the first look, and nothing is ever written."""
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def mark(self) -> Mark | None:
        """Return a mark that is another one after each commit; None while the file cannot be read."""
        with self._lock:
            try:
                found = self._path.stat()
                if self._connection is None or self._file != (found.st_dev, found.st_ino):
                    self._connect((found.st_dev, found.st_ino))
                # 3 us, where a query for the ledger's version takes 150.
                count = self._connection.execute("PRAGMA data_version").fetchone()  # type: ignore[union-attr]
            except (OSError, sqlite3.Error):
                self._disconnect()
                return None
            return found.st_dev, found.st_ino, int(count[0])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._disconnect()

    def _connect(self, file: tuple[int, int]) -> None:
        self._disconnect()
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(
            address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._file = file

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

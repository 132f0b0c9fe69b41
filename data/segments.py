"""Sealed months: immutable files in a folder beside the database, and the table that says which of them count."""

import calendar
import re
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import BigInteger, Column, Engine, Table, Text

from data.database import metadata
from utils.file_operations import sha256_of

# A file without a row here holds nothing, whatever it says; a row is written in the transaction that makes it count.
segments = Table(
    "segments",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    Column("file", Text, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    sqlite_with_rowid=False,
)
# Months whose file was damaged, until they have been fetched again.
lost_months = Table(
    "lost_months",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

_FOLDER_SUFFIX = ".sealed"
_FILE = re.compile(r"([0-9]{4})-([0-9]{2})\.([0-9]{1,9})\.parquet")
_RECORD = "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?)"
_ALL = "SELECT kind, from_ms, file, row_count, size_bytes, sha256 FROM segments"


class Connected(Protocol):
    """A connection or cursor of the SQLite driver."""

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement for each of many rows."""
        ...


@dataclass(frozen=True, slots=True)
class Segment:
    """One sealed month of one kind of rows, such as "candles-5m"; `from_ms`: the first moment of the month."""

    kind: str
    from_ms: int
    file: str
    row_count: int
    size_bytes: int
    sha256: str

    def path(self, folder: Path) -> Path:
        """Return where the file lies; `folder`: that of the database's sealed months."""
        return folder / self.kind / self.file


def sealed_folder(database: Path) -> Path:
    """Return the folder of the sealed months of a database file."""
    return database.with_suffix(_FOLDER_SUFFIX)


def sealed_folder_of(engine: Engine) -> Path:
    """Return the folder of the sealed months of the database behind `engine`."""
    return sealed_folder(Path(str(engine.url.database)))


def month_start_ms(time_ms: int) -> int:
    """Return the first moment of the UTC month that holds `time_ms`."""
    moment = time.gmtime(time_ms // 1_000)
    return calendar.timegm((moment.tm_year, moment.tm_mon, 1, 0, 0, 0)) * 1_000


def next_month_ms(time_ms: int) -> int:
    """Return the first moment of the UTC month after the one that holds `time_ms`."""
    moment = time.gmtime(time_ms // 1_000)
    year, month = (moment.tm_year + 1, 1) if moment.tm_mon == 12 else (moment.tm_year, moment.tm_mon + 1)
    return calendar.timegm((year, month, 1, 0, 0, 0)) * 1_000


def month_of_file(name: str) -> int | None:
    """Return the first moment of the month a file's name says; None when it is the name of no segment."""
    found = _FILE.fullmatch(name)
    if found is None or not 1 <= int(found[2]) <= 12:
        return None
    return calendar.timegm((int(found[1]), int(found[2]), 1, 0, 0, 0)) * 1_000


def new_file(folder: Path, from_ms: int) -> Path:
    """Return a name for a month's next file in `folder`; a name is never given twice, so a file never changes."""
    month = time.strftime("%Y-%m", time.gmtime(from_ms // 1_000))
    before = [int(found[3]) for path in folder.glob(f"{month}.*") if (found := _FILE.match(path.name))]
    return folder / f"{month}.{max(before, default=0) + 1}.parquet"


def segment_of(path: Path, kind: str, from_ms: int, row_count: int) -> Segment:
    """Describe a month's file as it lies on the disk now."""
    return Segment(kind, from_ms, path.name, row_count, path.stat().st_size, sha256_of(path))


def record(connection: Connected, segment: Segment) -> None:
    """Make a segment count, in the place of an earlier one of its month; part of the caller's transaction."""
    connection.execute(_RECORD, astuple(segment))


def forget(connection: Connected, segment: Segment) -> None:
    """Let a damaged segment count no more, and note its month as lost; part of the caller's transaction."""
    key = (segment.kind, segment.from_ms)
    connection.execute("DELETE FROM segments WHERE kind = ? AND from_ms = ?", key)
    connection.execute("INSERT OR IGNORE INTO lost_months VALUES (?, ?)", key)


def recorded(connection: Connected) -> list[Segment]:
    """Return all segments that count."""
    return [Segment(*row) for row in connection.execute(f"{_ALL} ORDER BY kind, from_ms").fetchall()]


def set_aside(path: Path) -> str | None:
    """Rename a damaged file so that nobody reads it; return its new name, None when it was not there."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1_000)
    stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        return path.rename(aside).name
    except FileNotFoundError:
        return None


def sealed_bytes(database: Path) -> tuple[int, int]:
    """Return how many sealed months lie beside a database, and their size."""
    sizes = [path.stat().st_size for path in sealed_folder(database).glob("*/*.parquet")]
    return len(sizes), sum(sizes)

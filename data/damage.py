"""Look a database over before it is opened: what is damaged is set aside, and what can be read of it is kept."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from data.candle_checks import checked, seed_of
from data.database import SCHEMA_VERSION, load_stores, make_tables, metadata
from data.segment_damage import heal_segments

logger = logging.getLogger(__name__)

# Then a start goes on, for the engine must be heard within 5 s of it: after the structure of a file, and after its
# candles too. A candle that was not looked at is checked whenever it is read.
STRUCTURE_SECONDS, AUDIT_SECONDS = 2.0, 3.5
_AGAIN_SECONDS = 0.01  # an interruption between two statements is lost
_SALVAGED = ".salvaged"
_SIDES = ("-wal", "-shm")
_LEAST_ROW_BYTES = 16  # a file holds fewer ledger rows than this fits into it
_ROWS = 50_000
_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter when a damaged name is part of the message
_RAISE = """
    INSERT INTO ledger_state VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value) + 1"""


def heal(path: Path, structure_seconds: float = STRUCTURE_SECONDS) -> None:
    """Check the database file at `path`, which nobody has open; mend what is damaged, and log one line about it.

    Where nothing is found wrong in its structure within `structure_seconds`, it is taken as sound.

    A file whose structure is damaged is renamed to `<name>.damaged-<time>`, and the rows that can be read go to a new
    one. Of a sound file, candles that are not as they were written are removed. In both cases the exchange is asked
    for the candles that are missing then. The sealed months are looked over as well (`data.segment_damage`). A kill
    in between is made good by the next call.
    """
    salvaged = path.with_name(path.name + _SALVAGED)
    if not path.exists() and salvaged.exists():
        salvaged.replace(path)
    _remove(salvaged)
    if not path.exists() or path.stat().st_size == 0:
        return
    load_stores()
    ends_s = time.monotonic() + AUDIT_SECONDS
    found = _structure(path, structure_seconds)
    if found is not None:
        _set_aside(path, salvaged, found)
    removed = _remove_damaged_candles(path, ends_s)
    if removed:
        logger.error("candles damaged on the disk removed, to be fetched again file=%s count=%d", path.name, removed)
    heal_segments(path)


def _structure(path: Path, seconds: float) -> str | None:
    """Return what is wrong with the file as SQLite sees it, or None."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.text_factory = _lenient
            connection.execute("PRAGMA cell_size_check = ON")
            found = _quick_check(connection, seconds)
            if found is None:
                found = "ok"
                logger.info("database looked over in part file=%s seconds=%.1f", path.name, seconds)
            if found == "ok" and connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
                found = _missing_columns(connection) or found
    except sqlite3.OperationalError:
        return None  # locked or out of reach, which is no damage: whoever opens it will tell
    except _DAMAGE as error:
        return str(error)
    return None if found == "ok" else " ".join(found.split())


def _quick_check(connection: sqlite3.Connection, seconds: float) -> str | None:
    """Return what SQLite says of all pages, None where the time ended before."""
    is_done = threading.Event()
    clock = threading.Thread(target=_interrupt, args=(connection, seconds, is_done), name="quick-check", daemon=True)
    clock.start()
    try:
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        is_done.set()
        clock.join()
    return found


def _interrupt(connection: sqlite3.Connection, seconds: float, is_done: threading.Event) -> None:
    # A progress handler is no clock here: SQLite 3.40 does not call it while it walks the pages.
    while not is_done.wait(seconds):
        connection.interrupt()
        seconds = _AGAIN_SECONDS


def _lenient(text: bytes) -> str:
    return text.decode(errors="replace")


def _missing_columns(connection: sqlite3.Connection) -> str | None:
    """Return which table is not there as it was made: the description of the tables lies in a page like any other."""
    for table in metadata.sorted_tables:
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        if not {column.name for column in table.columns} <= there:
            return f"the table {table.name} is not as it was made"
    return None


def _set_aside(path: Path, salvaged: Path, found: str) -> None:
    make_tables(salvaged)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(salvaged)) as target:
        kept = {table.name: _copy(source, target, table.name) for table in metadata.sorted_tables}
        _keep_numbers_apart(target, path.stat().st_size)
        target.commit()
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1_000)
    stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{milliseconds:03d}Z"
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for side in _SIDES:
        beside = path.with_name(path.name + side)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + side))
    path.replace(aside)
    salvaged.replace(path)
    logger.error(
        "database damaged, set aside as=%s found=%r kept candles=%d predictions=%d inputs=%d",
        aside.name,
        found,
        kept["candles"],
        kept["predictions"],
        kept["prediction_inputs"],
    )


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """Copy the rows of a table that can be read: from its beginning up to the damage, and from its end down to it."""
    columns = [column.name for column in metadata.tables[table].columns]
    key = ", ".join(f'"{column.name}"' for column in metadata.tables[table].primary_key)
    back = ", ".join(f"{name} DESC" for name in key.split(", "))
    names = ", ".join(f'"{name}"' for name in columns)
    insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  our names
    before = target.total_changes
    for order in (key, back):
        reading = _Reading(source, f"SELECT {names} FROM {table} ORDER BY {order}")  # noqa: S608  our names
        target.executemany(insert, reading)
        if reading.is_whole:
            break
    return target.total_changes - before


class _Reading:
    """The rows a question gives until the damage is met."""

    def __init__(self, connection: sqlite3.Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql
        self.is_whole = False

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(self._sql)
        except _DAMAGE:
            return
        self.is_whole = True


def _keep_numbers_apart(target: sqlite3.Connection, size_bytes: int) -> None:
    """Have new rows and versions begin above all that were ever given out, those of lost rows too."""
    floor = size_bytes // _LEAST_ROW_BYTES
    for name in ("version", "first_seq"):
        target.execute(_RAISE, (name, floor))


def _remove_damaged_candles(path: Path, ends_s: float) -> int:
    """Delete the candles that are not as they were written, as far as the time allows; return how many."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.text_factory = bytes  # a damaged name may be no text any more
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                return 0
            damaged = _damaged_candles(connection, ends_s)
            for key in damaged:
                connection.execute(
                    "DELETE FROM candles WHERE symbol = CAST(? AS TEXT) AND interval_ms = ? AND open_ms = ?", key
                )
        except sqlite3.OperationalError as error:
            logger.warning("candles not looked over file=%s reason=%s", path.name, error)
            return 0
    return len(damaged)


def _damaged_candles(connection: sqlite3.Connection, ends_s: float) -> list[tuple[bytes, int, int]]:
    damaged = []
    cursor = connection.execute("SELECT * FROM candles")
    while time.monotonic() < ends_s and (rows := cursor.fetchmany(_ROWS)):
        for (symbol, interval_ms), group in groupby(rows, key=lambda row: row[:2]):
            kept = [row[2:] for row in group]
            _, is_sound = checked(seed_of(symbol.decode(errors="replace"), interval_ms), kept)
            damaged += [(symbol, interval_ms, row[0]) for row, is_one in zip(kept, is_sound, strict=True) if not is_one]
    return damaged


def _remove(path: Path) -> None:
    for name in (path.name, *(path.name + side for side in _SIDES)):
        path.with_name(name).unlink(missing_ok=True)

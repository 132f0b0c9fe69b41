"""Look the sealed months over before a start: strays go or count again, damaged ones are set aside."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from data import sealed_candles
from data.candle_checks import checksums, seed_of
from data.candle_columns import KIND_PREFIX, read_whole, symbols_of
from data.database import SCHEMA_VERSION
from data.sealed_candles import rows_of
from data.segments import (
    Connected,
    Segment,
    forget,
    month_of_file,
    record,
    recorded,
    sealed_folder,
    segment_of,
    set_aside,
)
from market.errors import DataError, SourceUnavailable
from market.intervals import interval_ms
from utils.file_operations import sha256_of, sweep_temporaries

logger = logging.getLogger(__name__)

_GIVE_BACK = "INSERT OR IGNORE INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
AUDIT_SECONDS = 3.0  # then a start goes on: a file that was not hashed is hashed when it is read first


def heal_segments(database: Path) -> None:
    """Make the folder of sealed months and the database, which nobody has open, agree; log one line about it.

    A file that is not as it was recorded is set aside and its month noted as lost, to be fetched again. A file
    without a record is the rest of a kill: it goes where its month has a file, and counts where it has none and
    every candle in it is as it was written.
    """
    folder = sealed_folder(database)
    if not folder.is_dir() or not database.exists():
        return
    swept = sum(sweep_temporaries(one) for one in folder.iterdir() if one.is_dir())
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            return
        try:
            lost, ends_s = 0, time.monotonic() + AUDIT_SECONDS
            known = recorded(connection)
            for segment in known:
                path = segment.path(folder)
                if not _is_sound(path, segment, ends_s):
                    kept = sound_candles(path, segment)
                    with _commit(connection):
                        lose(connection, segment, kept)
                    words = "sealed month damaged file=%s set aside as=%s candles kept=%d of %d"
                    logger.error(words, path.name, set_aside(path), len(kept), segment.row_count)
                    lost += 1
            _forget_half_known(connection)
            removed, adopted = _settle(connection, folder)
        except sqlite3.OperationalError as error:
            logger.warning("sealed months not looked over reason=%s", error)
            return
    if swept or lost or removed or adopted:
        words = "sealed months looked over months=%d lost=%d adopted=%d removed=%d temporaries=%d"
        logger.warning(words, len(known) - lost + adopted, lost, adopted, removed, swept)


def _is_sound(path: Path, segment: Segment, ends_s: float) -> bool:
    try:
        if path.stat().st_size != segment.size_bytes:
            return False
        return time.monotonic() > ends_s or sha256_of(path) == segment.sha256
    except OSError:
        return False


def lose(connection: Connected, segment: Segment, kept: list[tuple[Any, ...]]) -> None:
    """Let a damaged segment hold nothing and give its sound candles back to the live table; part of a transaction.

    `kept`: what `sound_candles` has found in the file.
    """
    forget(connection, segment)
    sealed_candles.forget(connection, _interval_ms(segment.kind), segment.from_ms)
    connection.executemany(_GIVE_BACK, kept)


def sound_candles(path: Path, segment: Segment) -> list[tuple[Any, ...]]:
    """Return the rows of the live table for all candles of a damaged file that are as they were written."""
    length_ms = _interval_ms(segment.kind)
    rows: list[tuple[Any, ...]] = []
    try:
        sha256 = sha256_of(path)
        for symbol in symbols_of(path, sha256):
            rows += _sound_rows(path, sha256, symbol, length_ms)
    except (OSError, DataError, SourceUnavailable):
        return rows  # what is gone is fetched again
    return rows


def _sound_rows(path: Path, sha256: str, symbol: str, length_ms: int) -> list[tuple[Any, ...]]:
    try:
        table, is_sound = read_whole(path, sha256, symbol, length_ms)
    except (DataError, SourceUnavailable):
        return []
    sound = table[is_sound]
    checks = checksums(seed_of(symbol, length_ms), sound).tolist()
    return [(symbol, length_ms, *row, check) for row, check in zip(sound.tolist(), checks, strict=True)]


def _forget_half_known(connection: sqlite3.Connection) -> None:
    """Have the months looked at anew of which a damaged database has kept only a part."""
    for segment in recorded(connection):
        series = sealed_candles.series_of(connection, _interval_ms(segment.kind), segment.from_ms)
        if rows_of(series, _interval_ms(segment.kind)) != segment.row_count:
            connection.execute("DELETE FROM segments WHERE kind = ? AND from_ms = ?", (segment.kind, segment.from_ms))


def _settle(connection: sqlite3.Connection, folder: Path) -> tuple[int, int]:
    """Remove or adopt the files nobody recorded; return how many of each."""
    removed = adopted = 0
    known = recorded(connection)
    taken = {(one.kind, one.from_ms) for one in known}
    recorded_paths = {one.path(folder) for one in known}
    strays = [path for path in sorted(folder.glob(f"{KIND_PREFIX}*/*.parquet")) if path not in recorded_paths]
    for path in strays:
        from_ms, kind = month_of_file(path.name), path.parent.name
        if from_ms is None:
            continue
        if (kind, from_ms) in taken:
            path.unlink()
            removed += 1
        elif _adopt(connection, path, kind, from_ms):
            taken.add((kind, from_ms))
            adopted += 1
    return removed, adopted


def _adopt(connection: sqlite3.Connection, path: Path, kind: str, from_ms: int) -> bool:
    """Have a file count when all of it is as it was written; else set it aside. Return whether it counts."""
    length_ms = _interval_ms(kind)
    try:
        series = sealed_candles.inspected(path, length_ms, from_ms)
        segment = segment_of(path, kind, from_ms, rows_of(series, length_ms))
    except DataError as error:
        logger.error("sealed month damaged reason=%s set aside as=%s", error, set_aside(path))
        return False
    with _commit(connection):
        record(connection, segment)
        sealed_candles.record(connection, length_ms, from_ms, series)
    return True


def _interval_ms(kind: str) -> int:
    return interval_ms(kind.removeprefix(KIND_PREFIX))


@contextmanager
def _commit(connection: sqlite3.Connection) -> Iterator[None]:
    """Make one transaction of the body."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()

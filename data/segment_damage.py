"""Look the sealed months over before a start: strays go or count again, damaged ones are set aside."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from data import sealed_candles
from data.database import SCHEMA_VERSION
from data.sealed_candles import KIND_PREFIX, rows_of
from data.segments import Segment, forget, month_of_file, record, recorded, sealed_folder, segment_of, set_aside
from market.errors import DataError
from market.intervals import interval_ms
from utils.file_operations import sha256_of, sweep_temporaries

logger = logging.getLogger(__name__)

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
                if not _is_sound(segment.path(folder), segment, ends_s):
                    _lose(connection, folder, segment)
                    lost += 1
            removed, adopted = _settle(connection, folder, known)
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


def _lose(connection: sqlite3.Connection, folder: Path, segment: Segment) -> None:
    with _commit(connection):
        forget(connection, segment)
        sealed_candles.forget(connection, _interval_ms(segment.kind), segment.from_ms)
    aside = set_aside(segment.path(folder))
    logger.error("sealed month damaged file=%s set aside as=%s", segment.file, aside and aside.name)


def _settle(connection: sqlite3.Connection, folder: Path, known: list[Segment]) -> tuple[int, int]:
    """Remove or adopt the files nobody recorded; return how many of each."""
    removed = adopted = 0
    taken = {(one.kind, one.from_ms) for one in recorded(connection)}
    recorded_paths = {one.path(folder) for one in known}  # set aside ones have another name by now
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
        aside = set_aside(path)
        logger.error("sealed month damaged reason=%s set aside as=%s", error, aside and aside.name)
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

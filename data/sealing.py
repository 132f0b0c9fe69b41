"""Move whole months of candles that have grown old from the live table into sealed files; runs in a child."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from data import sealed_candles
from data.candle_columns import KEY, TIME, kind_of, packed
from data.candle_store import CandleStore
from data.database import transaction
from data.sealed_candles import SealedCandles, SealedMonth, Span, inspected
from data.segment_damage import lose, sound_candles
from data.segment_files import write_groups
from data.segments import (
    Segment,
    month_start_ms,
    new_file,
    next_month_ms,
    record,
    recorded,
    sealed_folder_of,
    segment_of,
    set_aside,
)
from market.errors import DataError
from market.intervals import interval_ms
from utils.file_operations import atomic_file, sha256_of, sweep_temporaries

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 2_000  # deleted in one transaction, so that the live loop waits milliseconds for its turn
_PAUSE_SHARE = 4.0  # of what a transaction took: SQLite has no queue, whoever asks at once again would go first
_FIRST_FROM = "SELECT min(open_ms) FROM candles WHERE symbol = ? AND interval_ms = ? AND open_ms >= ? AND open_ms < ?"
_DELETE = "DELETE FROM candles WHERE symbol = ? AND interval_ms = ? AND open_ms = ?"
_OLDEST_OPEN = """
    SELECT min(candle_open_ms - (due_ms - made_ms)) FROM predictions WHERE state = 'open' AND interval = ?"""


@dataclass(slots=True)
class _Month:
    """A month on its way: the segment it had, and the open times of the live candles that were read, by symbol."""

    from_ms: int
    before: Segment | None
    read: dict[str, np.ndarray] = field(default_factory=dict)


class Sealing:
    """The sealing of one interval's candles. A kill between any two steps loses nothing and doubles nothing."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use the database behind `engine`, opened for writing; one sealing at a time."""
        self._engine = engine
        self._interval = interval
        self._interval_ms = interval_ms(interval)
        self._kind = kind_of(interval)
        self._folder = sealed_folder_of(engine) / self._kind
        self._candles = CandleStore(engine, interval)
        self._sealed = SealedCandles(engine, interval, self._interval_ms)

    def steps(self, before_ms: int) -> Iterator[str]:
        """Seal every whole month that ends at or before `before_ms`, oldest first, yielding after each step.

        Nothing is taken that an open prediction may need for its outcome. OSError or SourceUnavailable when the disk
        does not take it; then everything is as it was.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(self._folder)
        symbols = sorted(self._candles.newest())
        for from_ms in self._months(symbols, self._bound(before_ms)):
            month = _Month(from_ms, self._sound_segment(from_ms))
            yield "looked"
            if self._has_news(month, symbols):
                path = new_file(self._folder, from_ms)
                count = self._write(path, month, symbols)
                yield "written"
                self._count(path, count, month)
                yield "recorded"
            for _ in self._delete(month):
                yield "deleted"

    def _bound(self, before_ms: int) -> int:
        with self._engine.connect() as connection:
            oldest_ms = connection.exec_driver_sql(_OLDEST_OPEN, (self._interval,)).scalar()
        return before_ms if oldest_ms is None else min(before_ms, int(oldest_ms))

    def _months(self, symbols: list[str], before_ms: int) -> list[int]:
        """Return the first moments of the whole months before that have live candles."""
        end_ms, months = month_start_ms(before_ms), set()
        with self._engine.connect() as connection:
            for symbol in symbols:
                at_ms = 0
                while at_ms < end_ms:
                    key = (symbol, self._interval_ms, at_ms, end_ms)
                    first_ms = connection.exec_driver_sql(_FIRST_FROM, key).scalar()
                    if first_ms is None:
                        break
                    months.add(month_start_ms(first_ms))
                    at_ms = next_month_ms(first_ms)
        return sorted(months)

    def _sound_segment(self, from_ms: int) -> Segment | None:
        """Return the segment a month has; a damaged one is set aside first."""
        with self._engine.connect() as connection:
            found = [one for one in recorded(connection.connection.cursor()) if one.kind == self._kind]
        segment = next((one for one in found if one.from_ms == from_ms), None)
        if segment is None:
            return None
        path = self._folder / segment.file
        if path.is_file() and sha256_of(path) == segment.sha256:
            return segment
        kept = sound_candles(path, segment)
        with transaction(self._engine) as connection:
            lose(connection.connection.cursor(), segment, kept)
        words = "sealed month damaged file=%s set aside as=%s candles kept=%d of %d"
        logger.error(words, segment.file, set_aside(path), len(kept), segment.row_count)
        return None

    def _has_news(self, month: _Month, symbols: list[str]) -> bool:
        """Read which live candles the month has; return whether any of them is not sealed yet."""
        end_ms, has_news = next_month_ms(month.from_ms), False
        for symbol in symbols:
            opens = self._candles.load_live(symbol, month.from_ms, end_ms)[TIME].copy()
            month.read[symbol] = opens
            is_sealed = np.zeros(len(opens), dtype=bool)
            runs = (run for one in self._sealed_of(symbol, month) for run in one.runs(self._interval_ms))
            for from_ms, to_ms in runs:
                is_sealed |= (opens >= from_ms) & (opens < to_ms)
            has_news = has_news or not is_sealed.all()
        return has_news

    def _write(self, path: Path, month: _Month, symbols: list[str]) -> int:
        """Write the month's live candles together with those sealed before; return how many rows the file has."""
        with atomic_file(path) as file:
            rows = write_groups(file, KEY, self._groups(month, symbols))
            if month.before is not None and rows < month.before.row_count:
                raise DataError(f"{month.before.file} has {month.before.row_count} candles, and {rows} could be read")
        return rows

    def _groups(self, month: _Month, symbols: list[str]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        span = Span(month.from_ms, next_month_ms(month.from_ms), None, is_newest=False)
        for symbol in symbols:
            live = self._candles.load_live(symbol, span.start_ms, span.end_ms)
            table = self._sealed.completed(symbol, live, self._sealed_of(symbol, month), span)
            if len(table):
                yield symbol, packed(symbol, self._interval_ms, table)

    def _sealed_of(self, symbol: str, month: _Month) -> list[SealedMonth]:
        with self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            return self._sealed.months(cursor, symbol, month.from_ms, next_month_ms(month.from_ms))

    def _count(self, path: Path, rows: int, month: _Month) -> None:
        """Read the file back, and make it count in the place of the one before."""
        try:
            segment = segment_of(path, self._kind, month.from_ms, rows)
            series = inspected(path, self._interval_ms, month.from_ms)
            with transaction(self._engine) as connection:
                cursor = connection.connection.cursor()
                record(cursor, segment)
                sealed_candles.record(cursor, self._interval_ms, month.from_ms, series)
        except BaseException:
            path.unlink()
            raise
        if month.before is not None:
            (self._folder / month.before.file).unlink(missing_ok=True)
        logger.info("month sealed file=%s candles=%d bytes=%d", path.name, rows, segment.size_bytes)

    def _delete(self, month: _Month) -> Iterator[None]:
        """Delete the live candles that were read; one that came since stays, and is sealed the next time."""
        for symbol, opens in month.read.items():
            for at in range(0, len(opens), _ROWS_AT_ONCE):
                keys = [(symbol, self._interval_ms, open_ms) for open_ms in opens[at : at + _ROWS_AT_ONCE].tolist()]
                started = time.monotonic()
                with transaction(self._engine) as connection:
                    connection.exec_driver_sql(_DELETE, keys)
                time.sleep(_PAUSE_SHARE * (time.monotonic() - started))
                yield

"""The candles of sealed months: which there are is told by the database, what they say by the files."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Column, Engine, String, Table, Text

from data.candle_columns import KEY, TIME, kind_of, opened, read_whole, symbols_of
from data.database import metadata
from data.segment_reader import Question, segment_reader
from data.segments import Connected, Segment, next_month_ms, sealed_folder_of
from market.candles import CANDLES
from market.errors import DataError
from utils.file_operations import sha256_of

logger = logging.getLogger(__name__)

# What a month holds of a symbol: holes are told from here, without opening a file.
sealed_candles = Table(
    "sealed_candles",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("interval_ms", BigInteger, primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),  # of the month
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("missing", Text, nullable=False),  # JSON list of the spans (from, to) without candles in between
    sqlite_with_rowid=False,
)

_MONTHS = """
    SELECT first_ms, last_ms, missing, kind, from_ms, file, row_count, size_bytes, sha256
    FROM sealed_candles JOIN segments USING (from_ms)
    WHERE symbol = ? AND interval_ms = ? AND kind = ? AND last_ms >= ? AND first_ms < ? ORDER BY from_ms"""
_NEWEST = "SELECT symbol, max(last_ms) FROM sealed_candles WHERE interval_ms = ? GROUP BY symbol"
_FILE_OF = "SELECT file FROM segments WHERE kind = ? AND from_ms = ?"
_RECORD = "INSERT OR REPLACE INTO sealed_candles VALUES (?, ?, ?, ?, ?, ?)"
_SERIES = "SELECT * FROM sealed_candles WHERE interval_ms = ? AND from_ms = ?"
_FORGET = "DELETE FROM sealed_candles WHERE interval_ms = ? AND from_ms = ?"


@dataclass(frozen=True, slots=True)
class SealedMonth:
    """What one sealed month holds of one symbol: candles from `first_ms` to `last_ms`, but for the missing spans."""

    first_ms: int
    last_ms: int
    missing: tuple[tuple[int, int], ...]
    segment: Segment

    def runs(self, step_ms: int) -> Iterator[tuple[int, int]]:
        """Return the spans (from, to; to exclusive) without a hole, oldest first."""
        at_ms = self.first_ms
        for from_ms, to_ms in self.missing:
            yield at_ms, from_ms
            at_ms = to_ms
        yield at_ms, self.last_ms + step_ms


@dataclass(frozen=True, slots=True)
class Span:
    """The candles asked for: those in [start, end), of them the newest or the oldest `limit`."""

    start_ms: int
    end_ms: int
    limit: int | None
    is_newest: bool

    def is_full_before(self, table: np.ndarray, month: SealedMonth) -> bool:
        """Return whether so many candles are known on the near side of a month that it can add none."""
        if self.limit is None:
            return False
        is_nearer = table[TIME] > month.last_ms if self.is_newest else table[TIME] < month.first_ms
        return int(is_nearer.sum()) >= self.limit

    def window(self, month: SealedMonth, step_ms: int) -> tuple[int, int]:
        """Return the part of the span that holds all of a month that can be asked for."""
        if self.limit is None:
            return self.start_ms, self.end_ms
        left = self.limit
        runs = [(max(a, self.start_ms), min(b, self.end_ms)) for a, b in month.runs(step_ms)]
        for from_ms, to_ms in reversed(runs) if self.is_newest else runs:
            count = max(0, to_ms - from_ms) // step_ms
            if count >= left:
                # One step more, since the span may lie off the grid.
                reach_ms = (left + 1) * step_ms
                return (to_ms - reach_ms, self.end_ms) if self.is_newest else (self.start_ms, from_ms + reach_ms)
            left -= count
        return self.start_ms, self.end_ms

    def limited(self, table: np.ndarray) -> np.ndarray:
        """Return no more candles than asked for."""
        if self.limit is None or len(table) <= self.limit:
            return table
        return table[len(table) - self.limit :] if self.is_newest else table[: self.limit]


class SealedCandles:
    """The sealed candles of one interval."""

    def __init__(self, engine: Engine, interval: str, interval_ms: int) -> None:
        """Use the sealed months of the database behind `engine`."""
        self._engine = engine
        self._folder = sealed_folder_of(engine)
        self._kind = kind_of(interval)
        self._interval_ms = interval_ms

    def months(self, cursor: Connected, symbol: str, start_ms: int, end_ms: int) -> list[SealedMonth]:
        """Return the months that hold candles of the symbol in [start, end), oldest first."""
        rows = cursor.execute(_MONTHS, (symbol, self._interval_ms, self._kind, start_ms, end_ms)).fetchall()
        return [
            SealedMonth(first_ms, last_ms, tuple((a, b) for a, b in json.loads(missing)), Segment(*segment))
            for first_ms, last_ms, missing, *segment in rows
        ]

    def newest(self, cursor: Connected) -> dict[str, int]:
        """Return the open time of the newest sealed candle of each symbol that has one."""
        return dict(cursor.execute(_NEWEST, (self._interval_ms,)).fetchall())

    def lost(self, cursor: Connected) -> list[tuple[int, int]]:
        """Return the months (from, to) that were lost by damage, oldest first."""
        rows = cursor.execute("SELECT from_ms FROM lost_months WHERE kind = ? ORDER BY 1", (self._kind,)).fetchall()
        return [(from_ms, next_month_ms(from_ms)) for (from_ms,) in rows]

    def found_again(self, cursor: Connected, from_ms: int) -> None:
        """Let a month be lost no more; part of the caller's transaction."""
        cursor.execute("DELETE FROM lost_months WHERE kind = ? AND from_ms = ?", (self._kind, from_ms))

    def completed(self, symbol: str, live: np.ndarray, months: list[SealedMonth], span: Span) -> np.ndarray:
        """Return the candles of the span: those of the months besides the live ones, which are of the span.

        FileNotFoundError when a month was sealed anew in the meantime: look again.
        """
        table = live
        for month in reversed(months) if span.is_newest else months:
            if span.is_full_before(table, month):
                break
            start_ms, end_ms = span.window(month, self._interval_ms)
            table = united(self._read(symbol, month, start_ms, end_ms), table)
        return span.limited(table)

    def closes(self, symbol: str, opens: list[int], months: list[SealedMonth]) -> dict[int, float]:
        """Return the closing price at each of these open times that lies in one of the months.

        FileNotFoundError as `completed`.
        """
        closes: dict[int, float] = {}
        for month in months:
            inside = [open_ms for open_ms in opens if month.first_ms <= open_ms <= month.last_ms]
            if inside:
                table = self._read(symbol, month, min(inside), max(inside) + 1)
                table = table[np.isin(table[TIME], inside)]
                closes.update(zip(table[TIME].tolist(), table["close"].tolist(), strict=True))
        return closes

    def _read(self, symbol: str, month: SealedMonth, start_ms: int, end_ms: int) -> np.ndarray:
        """Return the candles of a month in [start, end); damaged ones are missing, not wrong."""
        segment = month.segment
        path = segment.path(self._folder).absolute()
        question = Question(str(path), segment.sha256, KEY, symbol, (TIME, start_ms, end_ms))
        try:
            table, is_sound = opened(symbol, self._interval_ms, segment_reader.read(question))
        except FileNotFoundError:
            if not self._counts(segment):
                raise
            logger.error("sealed candles are gone symbol=%s file=%s", symbol, segment.file)
            return np.empty(0, dtype=CANDLES)
        except DataError as error:
            logger.error("sealed candles damaged left out symbol=%s file=%s reason=%s", symbol, segment.file, error)
            return np.empty(0, dtype=CANDLES)
        if not is_sound.all():
            logger.error("sealed candles damaged left out symbol=%s count=%d", symbol, (~is_sound).sum())
        kept: np.ndarray = table[is_sound]
        return kept

    def _counts(self, segment: Segment) -> bool:
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql(_FILE_OF, (segment.kind, segment.from_ms)).all()
        return [tuple(row) for row in rows] == [(segment.file,)]


def rows_of(series: list[tuple[Any, ...]], interval_ms: int) -> int:
    """Return how many candles rows of `sealed_candles` tell of."""
    total = 0
    for *_, first_ms, last_ms, missing in series:
        holes = sum(to_ms - from_ms for from_ms, to_ms in json.loads(missing))
        total += (last_ms + interval_ms - first_ms - holes) // interval_ms
    return total


def described(symbol: str, interval_ms: int, from_ms: int, opens: np.ndarray) -> tuple[Any, ...]:
    """Return the row of `sealed_candles` for sorted open times of one symbol and month."""
    breaks = np.flatnonzero(np.diff(opens) != interval_ms)
    missing = [[int(opens[at]) + interval_ms, int(opens[at + 1])] for at in breaks]
    return symbol, interval_ms, from_ms, int(opens[0]), int(opens[-1]), json.dumps(missing)


def inspected(path: Path, interval_ms: int, from_ms: int) -> list[tuple[Any, ...]]:
    """Return what a month's file holds as rows of `sealed_candles`.

    DataError when any candle is not as it was written or of another month, FileNotFoundError when there is no file.
    """
    sha256, rows = sha256_of(path), []
    for symbol in symbols_of(path, sha256):
        table, is_sound = read_whole(path, sha256, symbol, interval_ms)
        opens = table[TIME]
        is_in_month = (opens >= from_ms) & (opens < next_month_ms(from_ms))
        if not len(table) or not (is_sound & is_in_month).all() or not (np.diff(opens) > 0).all():
            raise DataError(f"{path.name}: candles of {symbol} are not as they were written")
        rows.append(described(symbol, interval_ms, from_ms, opens))
    return rows


def record(connection: Connected, interval_ms: int, from_ms: int, rows: list[tuple[Any, ...]]) -> None:
    """Replace what is said of a month; part of the caller's transaction."""
    forget(connection, interval_ms, from_ms)
    for row in rows:
        connection.execute(_RECORD, row)


def series_of(connection: Connected, interval_ms: int, from_ms: int) -> list[tuple[Any, ...]]:
    """Return what is said of a month, as `inspected` does."""
    found: list[tuple[Any, ...]] = connection.execute(_SERIES, (interval_ms, from_ms)).fetchall()
    return found


def forget(connection: Connected, interval_ms: int, from_ms: int) -> None:
    """Let a month hold nothing; part of the caller's transaction."""
    connection.execute(_FORGET, (interval_ms, from_ms))


def united(sealed: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Return the candles of both, oldest first; where both have one, the sealed one came first and stays."""
    if not len(sealed):
        return live
    fresh = live[~np.isin(live[TIME], sealed[TIME])]
    both = np.concatenate([sealed, fresh])
    return both[np.argsort(both[TIME], kind="stable")] if len(fresh) else both


def without(spans: list[tuple[int, int]], runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what is left of spans when runs are taken out of them; both sorted, none of a list overlapping."""
    left = []
    for from_ms, to_ms in spans:
        at_ms = from_ms
        for run_from_ms, run_to_ms in runs:
            if run_to_ms <= at_ms or run_from_ms >= to_ms:
                continue
            if run_from_ms > at_ms:
                left.append((at_ms, run_from_ms))
            at_ms = max(at_ms, run_to_ms)
        if at_ms < to_ms:
            left.append((at_ms, to_ms))
    return left

"""Keep closed candles for ever: the first word on a candle is the last one, and a damaged one is none."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from sqlalchemy import BigInteger, Column, Connection, Engine, Float, Select, String, Table, select

from data import candle_journal
from data.candle_checks import checked, checksums, seed_of
from data.candle_journal import Record, records_of
from data.database import metadata, transaction
from data.sealed_candles import SealedCandles, Span, without
from market.candles import CANDLES, COLUMNS, Candle
from market.intervals import floor_to, interval_ms

logger = logging.getLogger(__name__)

T = TypeVar("T")

candles = Table(
    "candles",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("interval_ms", BigInteger, primary_key=True),
    Column("open_ms", BigInteger, primary_key=True),
    *(Column(name, Float, nullable=False) for name in COLUMNS),
    Column("checksum", BigInteger, nullable=False),  # data.candle_checks
    sqlite_with_rowid=False,
)

_INSERT = "INSERT INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ROW = "SELECT open_ms, open, high, low, close, volume, checksum FROM candles WHERE symbol = ? AND interval_ms = ?"
_SPAN = "FROM candles WHERE symbol = ? AND interval_ms = ? AND open_ms >= ? AND open_ms < ?"
_GAPS = f"""
    SELECT open_ms + ?, next_ms FROM (SELECT open_ms, lead(open_ms) OVER (ORDER BY open_ms) AS next_ms {_SPAN})
    WHERE next_ms > open_ms + ? ORDER BY open_ms"""  # noqa: S608  constants only
# One look at the index for each symbol; max() with GROUP BY would read every candle there is.
_NEWEST = """
    WITH RECURSIVE names(name) AS (
        SELECT min(symbol) FROM candles
        UNION ALL SELECT (SELECT min(symbol) FROM candles WHERE symbol > name) FROM names WHERE name IS NOT NULL)
    SELECT name, (SELECT max(open_ms) FROM candles WHERE symbol = name AND interval_ms = ?)
    FROM names WHERE name IS NOT NULL"""
_IN_ONE_QUESTION = 500
_NO_START_MS, _NO_END_MS = 0, 2**62


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of candles handed in: `new` ones were kept, `contradicting` ones said otherwise than before."""

    new: int = 0
    contradicting: int = 0


class CandleStore:
    """The closed candles of one interval. Writing needs an engine opened for writing."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use the candles of `interval` (such as "5m") in the database behind `engine`."""
        self._engine = engine
        self._interval_ms = interval_ms(interval)
        self._sealed = SealedCandles(engine, interval, self._interval_ms)

    def append(self, candles: list[Candle]) -> None:
        """Keep the candles that are new, durably, in one short write; nothing kept before is ever changed.

        They can be read at once, by every process; `settle` gives each its place when there is time.
        """
        with transaction(self._engine) as connection:
            candle_journal.note(connection, self._interval_ms, records_of(candles, self._interval_ms))

    def settle(self) -> Appended:
        """Give all that `append` has kept its place; a kill leaves it kept, for the next call."""
        with transaction(self._engine) as connection:
            last = candle_journal.last_entry(connection, self._interval_ms)
            if last is None:
                return Appended()
            records = candle_journal.noted(connection, self._interval_ms)
            new = int(_cursor(connection).executemany(_INSERT, records).rowcount) if records else 0
            contradicting = 0
            if new < len(records):
                for symbol, table in _tables(records):
                    contradicting += self._contradicting(connection, symbol, table)
            candle_journal.drop(connection, self._interval_ms, last)
        return Appended(new, contradicting)

    def append_table(self, symbol: str, table: np.ndarray) -> Appended:
        """Keep the candles of one symbol that are new, as `append` does."""
        return self.append_tables([(symbol, table)])

    def append_tables(self, tables: list[tuple[str, np.ndarray]]) -> Appended:
        """Keep the candles of many symbols that are new, in one durable transaction."""
        new = contradicting = 0
        with transaction(self._engine) as connection:
            for symbol, table in tables:
                kept = self._insert(connection, symbol, table)
                new += kept
                if kept < len(table):
                    contradicting += self._contradicting(connection, symbol, table)
        return Appended(new, contradicting)

    def load(
        self, symbol: str, start_ms: int | None = None, end_ms: int | None = None, limit: int | None = None
    ) -> np.ndarray:
        """Return candles of a symbol as a `CANDLES` table, oldest first; start inclusive, end exclusive.

        With a start: the oldest `limit` from there; without: the newest `limit`.
        """
        is_newest = start_ms is None
        span = Span(_or(start_ms, _NO_START_MS), _or(end_ms, _NO_END_MS), limit, is_newest)
        return _until_still(partial(self._load, symbol, span))

    def _load(self, symbol: str, span: Span) -> np.ndarray:
        order = "DESC" if span.is_newest else "ASC"
        sql = f"{_ROW} AND open_ms >= ? AND open_ms < ? ORDER BY open_ms {order} LIMIT ?"
        key = (symbol, self._interval_ms, span.start_ms, span.end_ms, _or(span.limit, -1))
        with self._at_one_moment() as connection:
            noted = self._noted(connection, symbol)
            rows = _cursor(connection).execute(sql, key).fetchall()
            months = self._sealed.months(_cursor(connection), symbol, span.start_ms, span.end_ms)
        more = [row for row in noted if span.start_ms <= row[0] < span.end_ms]
        if more:
            rows = _joined(rows, more, is_newest_first=span.is_newest)[: span.limit]
        table = _sound(symbol, self._interval_ms, rows)
        return self._sealed.completed(symbol, table[::-1].copy() if span.is_newest else table, months, span)

    def load_live(self, symbol: str, start_ms: int, end_ms: int) -> np.ndarray:
        """Return the candles in [start, end) that lie in no sealed month yet, or not only there, oldest first."""
        sql = f"{_ROW} AND open_ms >= ? AND open_ms < ? ORDER BY open_ms"
        with self._engine.connect() as connection:
            rows = _cursor(connection).execute(sql, (symbol, self._interval_ms, start_ms, end_ms)).fetchall()
        return _sound(symbol, self._interval_ms, rows)

    def newest(self) -> dict[str, int]:
        """Return the open time of the newest candle of each symbol that has one."""
        with self._at_one_moment() as connection:
            noted = candle_journal.noted(connection, self._interval_ms)
            rows = _cursor(connection).execute(_NEWEST, (self._interval_ms,)).fetchall()
            newest = self._sealed.newest(_cursor(connection))
        for symbol, open_ms in [*rows, *((record[0], record[2]) for record in noted)]:
            if open_ms is not None:
                newest[symbol] = max(open_ms, newest.get(symbol, open_ms))
        return newest

    def holes(self, symbol: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return the spans (from, to; to exclusive) of [start, end) whose candles are missing, oldest first."""
        step = self._interval_ms
        start_ms, end_ms = floor_to(start_ms + step - 1, step), floor_to(end_ms + step - 1, step)
        if start_ms >= end_ms:
            return []
        with self._at_one_moment() as connection:
            noted = [row[0] for row in self._noted(connection, symbol) if start_ms <= row[0] < end_ms]
            spans = self._holes(_cursor(connection), symbol, start_ms, end_ms)
            months = self._sealed.months(_cursor(connection), symbol, start_ms, end_ms)
        spans = without(spans, [(open_ms, open_ms + step) for open_ms in sorted(noted)])
        return without(spans, [run for month in months for run in month.runs(step)])

    def _holes(self, cursor: sqlite3.Cursor, symbol: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return the spans that lack candles of the table; start and end lie on the grid."""
        step = self._interval_ms
        key = (symbol, step, start_ms, end_ms)
        count, first_ms, last_ms = cursor.execute(
            f"SELECT count(*), min(open_ms), max(open_ms) {_SPAN}", key
        ).fetchone()
        if count == 0:
            return [(start_ms, end_ms)]
        is_whole = last_ms - first_ms == (count - 1) * step
        inner = [] if is_whole else cursor.execute(_GAPS, (step, *key, step)).fetchall()
        edges = [(start_ms, first_ms), *inner, (last_ms + step, end_ms)]
        return [(from_ms, to_ms) for from_ms, to_ms in edges if from_ms < to_ms]

    def closes(self, pairs: list[tuple[str, int]]) -> dict[tuple[str, int], float]:
        """Return the closing price of each (symbol, open time) that is kept; the others are left out."""
        by_symbol: dict[str, list[int]] = {}
        for symbol, open_ms in pairs:
            by_symbol.setdefault(symbol, []).append(open_ms)
        closes: dict[tuple[str, int], float] = {}
        for symbol, opens in by_symbol.items():
            found = _until_still(partial(self._closes, symbol, opens))
            closes.update(((symbol, open_ms), close) for open_ms, close in found.items())
        return closes

    def _closes(self, symbol: str, opens: list[int]) -> dict[int, float]:
        with self._at_one_moment() as connection:
            wanted = set(opens)
            closes = {row[0]: row[4] for row in reversed(self._noted(connection, symbol)) if row[0] in wanted}
            for at in range(0, len(opens), _IN_ONE_QUESTION):
                rows = connection.execute(self._rows_of(symbol, opens[at : at + _IN_ONE_QUESTION])).all()
                table = _sound(symbol, self._interval_ms, [tuple(row) for row in rows])
                closes.update(zip(table["open_ms"].tolist(), table["close"].tolist(), strict=True))
            months = self._sealed.months(_cursor(connection), symbol, min(opens), max(opens) + 1)
        return closes | self._sealed.closes(symbol, opens, months)

    def lost_spans(self) -> list[tuple[int, int]]:
        """Return the months (from, to; to exclusive) whose file was damaged and that were not fetched again yet."""
        with self._at_one_moment() as connection:
            return self._sealed.lost(_cursor(connection))

    def found_again(self, from_ms: int) -> None:
        """Note that what the exchange still has of a lost month has been fetched."""
        with transaction(self._engine) as connection:
            self._sealed.found_again(_cursor(connection), from_ms)

    @contextmanager
    def _at_one_moment(self) -> Iterator[Connection]:
        """Hand out a connection whose questions all see the same state: a commit moves a candle between them."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def _noted(self, connection: Connection, symbol: str) -> list[Record]:
        """Return what waits to be settled of one symbol, as rows of `_ROW`."""
        noted = candle_journal.noted(connection, self._interval_ms)
        return [record[2:] for record in noted if record[0] == symbol]

    def _insert(self, connection: Connection, symbol: str, table: np.ndarray) -> int:
        checks = checksums(seed_of(symbol, self._interval_ms), table).tolist()
        rows = [(symbol, self._interval_ms, *row, check) for row, check in zip(table.tolist(), checks, strict=True)]
        return int(_cursor(connection).executemany(_INSERT, rows).rowcount) if rows else 0

    def _contradicting(self, connection: Connection, symbol: str, table: np.ndarray) -> int:
        first_ms, last_ms = int(table["open_ms"].min()), int(table["open_ms"].max())
        key = (symbol, self._interval_ms, first_ms, last_ms + 1)
        rows = _cursor(connection).execute(f"{_ROW} AND open_ms >= ? AND open_ms < ?", key).fetchall()
        kept = {row[0]: row for row in _sound(symbol, self._interval_ms, rows).tolist()}
        others = [row for row in table.tolist() if row[0] in kept and kept[row[0]] != row]
        if others:
            first = others[0]
            words = "candles contradict the kept ones symbol=%s count=%d first=%s kept=%s"
            logger.warning(words, symbol, len(others), first, kept[first[0]])
        return len(others)

    def _rows_of(self, symbol: str, opens: list[int]) -> Select[Any]:
        columns = candles.c
        is_asked = (columns.symbol == symbol) & (columns.interval_ms == self._interval_ms) & columns.open_ms.in_(opens)
        return select(columns.open_ms, *(columns[name] for name in COLUMNS), columns.checksum).where(is_asked)


def _tables(records: list[Record]) -> list[tuple[str, np.ndarray]]:
    """Return records as a `CANDLES` table for each symbol."""
    by_symbol: dict[str, list[Record]] = {}
    for record in records:
        by_symbol.setdefault(record[0], []).append(record[2:-1])
    return [(symbol, np.array(rows, dtype=CANDLES)) for symbol, rows in by_symbol.items()]


def _joined(rows: list[Record], noted: list[Record], *, is_newest_first: bool) -> list[Record]:
    """Return both in order of time; of one candle the first word counts, and what has its place came first."""
    by_time: dict[int, Record] = {}
    for row in (*rows, *noted):
        by_time.setdefault(row[0], row)
    return sorted(by_time.values(), key=lambda row: row[0], reverse=is_newest_first)


def _until_still(question: Callable[[], T]) -> T:
    """Return the answer to a question; ask again when a month it reads is sealed anew meanwhile."""
    while True:
        try:
            return question()
        except FileNotFoundError:
            continue


def _sound(symbol: str, interval_ms: int, rows: list[tuple[Any, ...]]) -> np.ndarray:
    """Return the rows of one symbol as a `CANDLES` table; a damaged one is missing, not wrong."""
    table, is_sound = checked(seed_of(symbol, interval_ms), rows)
    if is_sound.all():
        return table
    logger.error("candles damaged on the disk left out symbol=%s count=%d", symbol, (~is_sound).sum())
    kept: np.ndarray = table[is_sound]
    return kept


def _cursor(connection: Connection) -> sqlite3.Cursor:
    # Rows by the ten thousand: the driver's own tuples, without SQLAlchemy's row objects around them.
    return cast(sqlite3.Cursor, connection.connection.cursor())


def _or(value: int | None, default: int) -> int:
    return default if value is None else value

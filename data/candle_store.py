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

from data.candle_checks import checked, checksums, seed_of
from data.database import metadata, transaction
from data.sealed_candles import SealedCandles, Span, without
from market.candles import COLUMNS, Candle, candle_table
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

    def append(self, candles: list[Candle]) -> Appended:
        """Keep the candles that are new, in one durable transaction; nothing kept before is ever changed."""
        by_symbol: dict[str, list[Candle]] = {}
        for candle in candles:
            by_symbol.setdefault(candle.symbol, []).append(candle)
        return self.append_tables([(symbol, candle_table(group)) for symbol, group in by_symbol.items()])

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

    def load_live(self, symbol: str, start_ms: int, end_ms: int) -> np.ndarray:
        """Return the candles in [start, end) that lie in no sealed month yet, or not only there, oldest first."""
        with self._engine.connect() as connection:
            sql = f"{_ROW} AND open_ms >= ? AND open_ms < ? ORDER BY open_ms"
            rows = _cursor(connection).execute(sql, (symbol, self._interval_ms, start_ms, end_ms)).fetchall()
        return _sound(symbol, self._interval_ms, rows)

    def _load(self, symbol: str, span: Span) -> np.ndarray:
        order = "DESC" if span.is_newest else "ASC"
        sql = f"{_ROW} AND open_ms >= ? AND open_ms < ? ORDER BY open_ms {order} LIMIT ?"
        key = (symbol, self._interval_ms, span.start_ms, span.end_ms, _or(span.limit, -1))
        with self._at_one_moment() as cursor:
            rows = cursor.execute(sql, key).fetchall()
            months = self._sealed.months(cursor, symbol, span.start_ms, span.end_ms)
        table = _sound(symbol, self._interval_ms, rows)
        return self._sealed.completed(symbol, table[::-1].copy() if span.is_newest else table, months, span)

    def newest(self) -> dict[str, int]:
        """Return the open time of the newest candle of each symbol that has one."""
        with self._at_one_moment() as cursor:
            rows = cursor.execute(_NEWEST, (self._interval_ms,)).fetchall()
            newest = self._sealed.newest(cursor)
        for symbol, open_ms in rows:
            if open_ms is not None:
                newest[symbol] = max(open_ms, newest.get(symbol, open_ms))
        return newest

    def holes(self, symbol: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return the spans (from, to; to exclusive) of [start, end) whose candles are missing, oldest first."""
        step = self._interval_ms
        start_ms, end_ms = floor_to(start_ms + step - 1, step), floor_to(end_ms + step - 1, step)
        if start_ms >= end_ms:
            return []
        with self._at_one_moment() as cursor:
            spans = self._holes(cursor, symbol, start_ms, end_ms)
            months = self._sealed.months(cursor, symbol, start_ms, end_ms)
        return without(spans, [run for month in months for run in month.runs(step)])

    def _holes(self, cursor: sqlite3.Cursor, symbol: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return the spans that lack live candles; start and end lie on the grid."""
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
        closes: dict[int, float] = {}
        with self._engine.connect() as connection, connection.begin():
            for at in range(0, len(opens), _IN_ONE_QUESTION):
                rows = connection.execute(self._rows_of(symbol, opens[at : at + _IN_ONE_QUESTION])).all()
                table = _sound(symbol, self._interval_ms, [tuple(row) for row in rows])
                closes.update(zip(table["open_ms"].tolist(), table["close"].tolist(), strict=True))
            months = self._sealed.months(_cursor(connection), symbol, min(opens), max(opens) + 1)
        return closes | self._sealed.closes(symbol, opens, months)

    @contextmanager
    def _at_one_moment(self) -> Iterator[sqlite3.Cursor]:
        """Hand out a cursor whose questions all see the same state: a candle moves between them in one commit."""
        with self._engine.connect() as connection, connection.begin():
            yield _cursor(connection)

    def lost_spans(self) -> list[tuple[int, int]]:
        """Return the months (from, to; to exclusive) whose file was damaged and that were not fetched again yet."""
        with self._at_one_moment() as cursor:
            return self._sealed.lost(cursor)

    def found_again(self, from_ms: int) -> None:
        """Note that what the exchange still has of a lost month has been fetched."""
        with transaction(self._engine) as connection:
            self._sealed.found_again(_cursor(connection), from_ms)

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

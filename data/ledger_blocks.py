"""Ledger rows that have grown old, a thousand in one compressed record: a quarter of the room, every value kept."""

import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from sqlalchemy import BigInteger, Column, Connection, Float, Integer, LargeBinary, Table, Text

from data.database import metadata
from data.ledger_tables import predictions

logger = logging.getLogger(__name__)

Row = Mapping[Any, Any]  # a row of `predictions`, by column
Place = tuple[int, int]  # made_ms and seq: the ledger's order

ledger_blocks = Table(
    "ledger_blocks",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("interval", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False, index=True),  # made_ms of the rows
    Column("last_ms", BigInteger, nullable=False, index=True),
    Column("first_seq", BigInteger, nullable=False, index=True),
    Column("last_seq", BigInteger, nullable=False, index=True),
    Column("first_live_open_ms", BigInteger),  # null: none of the rows is live
    Column("last_call_due_ms", BigInteger, index=True),  # null: none of them is an up or down with an outcome
    Column("words", Text, nullable=False),  # JSON: the values of `WORDS` that occur
    Column("row_count", Integer, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

WORDS = ("symbol", "horizon", "model", "origin", "state")
NAMES = tuple(column.name for column in predictions.columns)
_INTEGERS = tuple(c.name for c in predictions.columns if isinstance(c.type, (BigInteger, Integer)))
_FLOATS = tuple(c.name for c in predictions.columns if isinstance(c.type, Float))
_NO_INTEGER = -(2**63)
_LEVEL = 9
_MOST_OPEN = 8
_ADD = """
    INSERT INTO ledger_blocks (interval, first_ms, last_ms, first_seq, last_seq, first_live_open_ms, last_call_due_ms,
    words, row_count, checksum, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_BODY = "SELECT checksum, body FROM ledger_blocks WHERE number = ?"
_NEWEST_FIRST = """
    SELECT number, last_ms, words FROM ledger_blocks
    WHERE interval = ? AND first_ms <= ? AND last_ms >= ? ORDER BY last_ms DESC"""
_NEWEST_CALLS = """
    SELECT number, last_call_due_ms, words FROM ledger_blocks
    WHERE interval = ? AND last_call_due_ms >= ? ORDER BY last_call_due_ms DESC"""
_OF_NUMBERS = "SELECT number, last_ms, words FROM ledger_blocks WHERE first_seq <= ? AND last_seq >= ?"
_ENDS = "SELECT min(first_live_open_ms), max(last_ms) FROM ledger_blocks WHERE interval = ?"


def add_block(connection: Connection, interval: str, rows: Sequence[Row]) -> None:
    """Keep rows, sorted by place, as one block; part of the caller's transaction."""
    body = packed(rows)
    lives = [row["candle_open_ms"] for row in rows if row["origin"] == "live"]
    calls = [row["due_ms"] for row in rows if row["net_bps"] is not None]
    numbers = [row["seq"] for row in rows]
    words = {name: sorted({row[name] for row in rows if row[name] is not None}) for name in WORDS}
    record = (
        *(interval, rows[0]["made_ms"], rows[-1]["made_ms"], min(numbers), max(numbers)),
        *(min(lives, default=None), max(calls, default=None)),
        *(json.dumps(words), len(rows), zlib.crc32(body), body),
    )
    connection.exec_driver_sql(_ADD, record)


def packed(rows: Sequence[Row]) -> bytes:
    """Return rows as bytes: column by column, whole numbers as differences, texts once each."""
    columns: dict[str, Any] = {}
    for name in NAMES:
        values = [row[name] for row in rows]
        if name in _INTEGERS:
            numbers = np.array([_NO_INTEGER if value is None else value for value in values], dtype="<i8")
            columns[name] = _split(np.diff(numbers, prepend=np.int64(0)))
        elif name in _FLOATS:  # SQLite knows no nan
            columns[name] = _split(np.array([np.nan if value is None else value for value in values], dtype="<f8"))
        else:
            texts = list(dict.fromkeys(values))
            places = {text: place for place, text in enumerate(texts)}
            columns[name] = texts, np.array([places[value] for value in values], dtype="<u2").tobytes()
    return zlib.compress(msgspec.msgpack.encode(columns), _LEVEL)


def unpacked(body: bytes) -> list[dict[str, Any]]:
    """Return the rows that `packed` was given, equal to the last bit."""
    columns = []
    for name, column in msgspec.msgpack.decode(zlib.decompress(body)).items():
        if name in _INTEGERS:
            numbers = np.cumsum(_joined(column, "<i8")).tolist()
            columns.append([None if value == _NO_INTEGER else value for value in numbers])
        elif name in _FLOATS:
            columns.append([None if value != value else value for value in _joined(column, "<f8").tolist()])
        else:
            texts, places = column
            columns.append([texts[place] for place in np.frombuffer(places, dtype="<u2").tolist()])
    return [dict(zip(NAMES, values, strict=True)) for values in zip(*columns, strict=True)]


def rows_before(
    connection: Connection, interval: str, wanted: Mapping[str, str], before: Place | None, least_ms: int
) -> Iterator[Row]:
    """Yield the rows with the wanted words that lie before a place, newest first; blocks are opened as rows are taken.

    Blocks whose rows were all made before `least_ms` are left out.
    """
    end = before or (2**62, 0)
    key = (interval, end[0], least_ms)
    waiting: list[Row] = []
    for number, last_ms, words in _cursor(connection, _NEWEST_FIRST, key):
        while waiting and waiting[-1]["made_ms"] > last_ms:
            yield waiting.pop()
        if _may_have(words, wanted):
            waiting += (row for row in _rows(connection, number, wanted) if place_of(row) < end)
            waiting.sort(key=place_of)
    yield from reversed(waiting)


def calls(connection: Connection, interval: str, wanted: Mapping[str, str], least_due_ms: int) -> Iterator[Row]:
    """Yield the rows with an up or down that was resolved at or after `least_due_ms`, newest outcome first."""
    waiting: list[Row] = []
    for number, last_due_ms, words in _cursor(connection, _NEWEST_CALLS, (interval, least_due_ms)):
        while waiting and waiting[-1]["due_ms"] > last_due_ms:
            yield waiting.pop()
        if _may_have(words, wanted):
            waiting += (row for row in _rows(connection, number, wanted) if row["net_bps"] is not None)
            waiting.sort(key=_outcome_place)
    yield from reversed(waiting)


def row_of(connection: Connection, seq: int) -> Row | None:
    """Return the row of that number, or None when no block has it."""
    return next((row for row in rows_between(connection, seq, seq, {})), None)


def rows_between(connection: Connection, first_seq: int, last_seq: int, shelf: dict[int, list[Row]]) -> list[Row]:
    """Return the rows with these numbers (both included) that lie in blocks, by number.

    `shelf`: blocks that are open, by number; who asks for span after span hands in the same one, and opens each once.
    """
    found: list[Row] = []
    for number, _, _ in _cursor(connection, _OF_NUMBERS, (last_seq, first_seq)).fetchall():
        if number not in shelf:
            while len(shelf) >= _MOST_OPEN:
                del shelf[next(iter(shelf))]
            shelf[number] = _rows(connection, number, {})
        found += (row for row in shelf[number] if first_seq <= row["seq"] <= last_seq)
    return sorted(found, key=lambda row: int(row["seq"]))


def all_rows(connection: Connection) -> Iterator[list[Row]]:
    """Yield the rows of every block."""
    for (number,) in _cursor(connection, "SELECT number FROM ledger_blocks ORDER BY number", ()).fetchall():
        yield _rows(connection, number, {})


def count(connection: Connection, interval: str, wanted: Mapping[str, str], made: tuple[int, int]) -> int:
    """Return how many rows with the wanted words were made in [from, to)."""
    from_ms, to_ms = made
    blocks = _cursor(connection, _NEWEST_FIRST, (interval, to_ms, from_ms)).fetchall()
    numbers = [number for number, _, words in blocks if _may_have(words, wanted)]
    return sum(from_ms <= row["made_ms"] < to_ms for one in numbers for row in _rows(connection, one, wanted))


def ends(connection: Connection, interval: str) -> tuple[int | None, int | None]:
    """Return the open time of the first candle with a live row, and when the last row of all was made."""
    first_ms, last_ms = connection.exec_driver_sql(_ENDS, (interval,)).one()
    return first_ms, last_ms


def place_of(row: Row) -> Place:
    """Return the place of a row in the ledger's order."""
    return row["made_ms"], row["seq"]


def _outcome_place(row: Row) -> Place:
    return row["due_ms"], row["seq"]


def _may_have(words: str, wanted: Mapping[str, str]) -> bool:
    known = json.loads(words) if wanted else {}
    return all(value in known[name] for name, value in wanted.items())


def _rows(connection: Connection, number: int, wanted: Mapping[str, str]) -> list[Row]:
    """Return the rows of one block that have the wanted words; of a damaged one there are none."""
    checksum, body = _cursor(connection, _BODY, (number,)).fetchone()
    if zlib.crc32(body) != checksum:
        logger.error("old ledger rows damaged on the disk left out block=%d", number)
        return []
    rows = unpacked(body)
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())] if wanted else list(rows)


def _cursor(connection: Connection, sql: str, key: tuple[Any, ...]) -> sqlite3.Cursor:
    # The driver's own cursor reads as far as it is asked to.
    return cast(sqlite3.Cursor, connection.connection.cursor()).execute(sql, key)


def _split(values: np.ndarray) -> bytes:
    """Return the first bytes of all values, then the second ones, and so on: equal ones lie together."""
    return values.view(np.uint8).reshape(len(values), 8).T.tobytes()


def _joined(split: bytes, kind: str) -> np.ndarray:
    bytes_ = np.frombuffer(split, dtype=np.uint8).reshape(8, -1).T
    joined: np.ndarray = np.ascontiguousarray(bytes_).view(kind).ravel()
    return joined

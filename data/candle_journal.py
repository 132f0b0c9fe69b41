"""Candles that have just closed: durable in one short write, before there is time to put each in its place."""

import logging
import zlib
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Table

from data.candle_checks import checksums, seed_of
from data.database import metadata
from market.candles import Candle, candle_table

logger = logging.getLogger(__name__)

Record = tuple[Any, ...]  # a row of the table `candles`: symbol, interval_ms, open_ms, the five values, checksum

candle_journal = Table(
    "candle_journal",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("interval_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

_ADD = "INSERT INTO candle_journal (interval_ms, checksum, body) VALUES (?, ?, ?)"
_READ = "SELECT number, checksum, body FROM candle_journal WHERE interval_ms = ? ORDER BY number"
_DROP = "DELETE FROM candle_journal WHERE interval_ms = ? AND number <= ?"


def records_of(candles: list[Candle], interval_ms: int) -> list[Record]:
    """Return candles of any symbols as rows of the table, each with its checksum."""
    seeds = np.array([seed_of(candle.symbol, interval_ms) for candle in candles], dtype=np.uint64)
    table = candle_table(candles)
    checks = checksums(seeds, table).tolist()
    rows = zip(candles, table.tolist(), checks, strict=True)
    return [(candle.symbol, interval_ms, *row, check) for candle, row, check in rows]


def note(connection: Connection, interval_ms: int, records: list[Record]) -> None:
    """Add an entry of so many records."""
    body = msgspec.msgpack.encode(records)
    connection.exec_driver_sql(_ADD, (interval_ms, zlib.crc32(body), body))


def noted(connection: Connection, interval_ms: int) -> list[Record]:
    """Return the records of all entries, oldest first; candles of a damaged entry are missing, to be fetched again."""
    records: list[Record] = []
    for number, checksum, body in connection.exec_driver_sql(_READ, (interval_ms,)):
        if zlib.crc32(body) == checksum:
            records += (tuple(record) for record in msgspec.msgpack.decode(body, type=list[list[Any]]))
        else:
            logger.error("noted candles damaged on the disk left out entry=%d", number)
    return records


def last_entry(connection: Connection, interval_ms: int) -> int | None:
    """Return the number of the newest entry, or None while nothing waits."""
    sql = "SELECT max(number) FROM candle_journal WHERE interval_ms = ?"
    found: int | None = connection.exec_driver_sql(sql, (interval_ms,)).scalar()
    return found


def drop(connection: Connection, interval_ms: int, last: int) -> None:
    """Forget the entries up to that one, whose candles have their place now."""
    connection.exec_driver_sql(_DROP, (interval_ms, last))

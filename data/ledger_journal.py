"""Predictions that were just published: durable in one short write, before their rows have a place in the tables."""

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from data.ledger_inputs import InputRecord
from data.ledger_rows import MADE, Key
from data.ledger_tables import prediction_journal

logger = logging.getLogger(__name__)

Record = tuple[Any, ...]

_ADD = "INSERT INTO prediction_journal (made_ms, last_seq, version, checksum, body) VALUES (?, ?, ?, ?, ?)"
_READ = "SELECT number, made_ms, version, checksum, body FROM prediction_journal ORDER BY number"
_DROP = "DELETE FROM prediction_journal WHERE number <= ?"
_ENDS = select(func.max(prediction_journal.c.last_seq), func.max(prediction_journal.c.version))
_TIMES = select(prediction_journal.c.made_ms)
_KEY = slice(MADE.index("symbol"), MADE.index("candle_open_ms") + 1)


class Body(msgspec.Struct, array_like=True):
    """Records of `MADE` and of `prediction_inputs`, as the tables take them in."""

    records: list[list[Any]]
    inputs: list[InputRecord]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one `publish` has left."""

    number: int
    version: int
    body: Body


def note(connection: Connection, made_ms: int, records: list[Record], inputs: list[InputRecord], version: int) -> None:
    """Add an entry of rows of which the newest was made then; `version` is the ledger's once it is settled."""
    body = msgspec.msgpack.encode((records, inputs))
    connection.exec_driver_sql(_ADD, (made_ms, records[-1][0], version, zlib.crc32(body), body))


def entries(connection: Connection) -> list[Entry]:
    """Return all entries, oldest first; of a damaged one only the version is left."""
    found = []
    for number, _, version, checksum, raw in connection.exec_driver_sql(_READ):
        if zlib.crc32(raw) == checksum:
            body = msgspec.msgpack.decode(raw, type=Body)
        else:
            logger.error("published predictions damaged on the disk are lost entry=%d", number)
            body = Body([], [])
        found.append(Entry(number, version, body))
    return found


def drop(connection: Connection, last: int) -> None:
    """Forget the entries up to that one, whose rows have their place now."""
    connection.exec_driver_sql(_DROP, (last,))


def ends(connection: Connection) -> tuple[int, int]:
    """Return the highest row number and the highest version that entries hold; zeros while nothing waits."""
    last_seq, version = connection.execute(_ENDS).one()
    return last_seq or 0, version or 0


def keys(connection: Connection, made: set[int]) -> Iterator[Key]:
    """Yield the key of every row that waits and was made at one of these times."""
    if set(connection.execute(_TIMES).scalars()).isdisjoint(made):
        return
    for entry in entries(connection):
        yield from (tuple(record[_KEY]) for record in entry.body.records)

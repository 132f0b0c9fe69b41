"""The chain over the ledger: each link hashes the one before it and the rows it stands for, as they were made."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from data import ledger_blocks
from data.ledger_rows import MADE

START = bytes(32)  # what the first link follows
_HASHED = MADE[: MADE.index("state")]  # state changes once, when the outcome is known
_LAST = "SELECT digest FROM ledger_links ORDER BY number DESC LIMIT 1"
_ADD = "INSERT INTO ledger_links (first_seq, last_seq, rows, digest) VALUES (?, ?, ?, ?)"
_LINKS = "SELECT number, first_seq, last_seq, rows, digest FROM ledger_links ORDER BY number"
_ROWS = f"SELECT {', '.join(_HASHED)} FROM predictions WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608  our names


@dataclass(frozen=True, slots=True)
class Head:
    """The newest link: whoever notes it down can tell later whether a row up to it was changed."""

    links: int
    last_seq: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one link: `fault` says in words why it does not hold, or is None."""

    number: int
    first_seq: int
    last_seq: int
    fault: str | None


def add_link(connection: Connection, records: list[tuple[Any, ...]]) -> None:
    """Add the link of rows just written: records of `MADE`, by number."""
    before = connection.exec_driver_sql(_LAST).scalar() or START
    digest = digest_of(before, [record[: len(_HASHED)] for record in records])
    connection.exec_driver_sql(_ADD, (records[0][0], records[-1][0], len(records), digest))


def digest_of(before: bytes, rows: list[tuple[Any, ...]]) -> bytes:
    """Return SHA-256 of the digest before and the MessagePack form of rows of `MADE` without their state."""
    return hashlib.sha256(before + msgspec.msgpack.encode(rows)).digest()


def head(connection: Connection) -> Head | None:
    """Return the newest link, or None while there is none."""
    sql = "SELECT number, last_seq, digest FROM ledger_links ORDER BY number DESC LIMIT 1"
    found = connection.exec_driver_sql(sql).first()
    return Head(*found) if found else None


def let_go_seq(connection: Connection) -> int:
    """Return the number up to which rows may have been deleted on purpose (`data.retention`)."""
    found = connection.exec_driver_sql("SELECT value FROM ledger_state WHERE name = 'let_go_seq'").scalar()
    return int(found or 0)


def verify(connection: Connection, gone_seq: int = 0) -> Iterator[Checked]:
    """Compute every link again from the rows as they are now.

    Rows up to number `gone_seq` may have been deleted on purpose: of their links only the order is known.
    """
    before = START
    shelf: dict[int, list[ledger_blocks.Row]] = {}
    for number, first_seq, last_seq, count, digest in connection.exec_driver_sql(_LINKS):
        fault = None
        if first_seq > gone_seq:
            rows = [tuple(row) for row in connection.exec_driver_sql(_ROWS, (first_seq, last_seq))]
            if len(rows) < count:
                sealed = ledger_blocks.rows_between(connection, first_seq, last_seq, shelf)
                rows = sorted(rows + [tuple(row[name] for name in _HASHED) for row in sealed])
            if len(rows) != count:
                fault = f"{len(rows)} rows are there of {count}"
            elif digest_of(before, rows) != digest:
                fault = "a row is not as it was made"
        yield Checked(number, first_seq, last_seq, fault)
        before = digest

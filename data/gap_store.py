"""Remember every gap of the feed: when it was, whether it was repaired, and which predictions it touched."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    RowMapping,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert

from data.database import metadata, transaction
from data.ledger_tables import predictions
from market.gaps import Gap
from market.intervals import interval_ms
from utils.times import iso_utc

gaps = Table(
    "gaps",
    metadata,
    Column("found_ms", BigInteger, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=False),
    Column("is_repaired", Integer, nullable=False),
    sqlite_with_rowid=False,
)


class GapStore:
    """The gaps of one base interval."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use the database behind `engine`; writing needs one opened for writing."""
        self._engine = engine
        self._interval = interval
        self._interval_ms = interval_ms(interval)

    def keep(self, found: Sequence[Gap]) -> None:
        """Write down gaps that have ended."""
        records = [
            {
                "found_ms": gap.found_ms,
                "symbol": gap.symbol,
                "interval": self._interval,
                "from_ms": gap.from_ms,
                "to_ms": gap.to_ms,
                "ended_ms": gap.ended_ms,
                "is_repaired": int(gap.is_repaired),
            }
            for gap in found
        ]
        with transaction(self._engine) as connection:
            connection.execute(insert(gaps).on_conflict_do_nothing(), records)

    def newest(self, limit: int, horizons: int) -> list[dict[str, Any]]:
        """Return the gaps found last, newest first, with what they touched.

        `missed_predictions`: live rows that were not made, of the `horizons` each candle has; `late_outcomes`: rows
        whose outcome is the close of a candle that REST brought.
        """
        query = select(gaps).where(gaps.c.interval == self._interval).order_by(gaps.c.found_ms.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            counted = [(self._made(connection, row), self._outcomes(connection, row)) for row in rows]
        return [
            {
                "symbol": row["symbol"],
                "from": iso_utc(row["from_ms"]),
                "to": iso_utc(row["to_ms"]),
                "candles": (row["to_ms"] - row["from_ms"]) // self._interval_ms,
                "found_at": iso_utc(row["found_ms"]),
                "ended_at": iso_utc(row["ended_ms"]),
                "is_repaired": bool(row["is_repaired"]),
                "missed_predictions": (row["to_ms"] - row["from_ms"]) // self._interval_ms * horizons - made,
                "late_outcomes": outcomes,
            }
            for row, (made, outcomes) in zip(rows, counted, strict=True)
        ]

    def _made(self, connection: Connection, row: RowMapping) -> int:
        p = predictions.c
        is_inside = (p.candle_open_ms >= row["from_ms"]) & (p.candle_open_ms < row["to_ms"])
        return self._count(connection, row, is_inside & (p.origin == "live"))

    def _outcomes(self, connection: Connection, row: RowMapping) -> int:
        p = predictions.c
        return self._count(connection, row, (p.due_ms > row["from_ms"]) & (p.due_ms <= row["to_ms"]))

    def _count(self, connection: Connection, row: RowMapping, condition: ColumnElement[bool]) -> int:
        p = predictions.c
        query = select(func.count()).where(p.symbol == row["symbol"], p.interval == self._interval, condition)
        found: int = connection.execute(query).scalar_one()
        return found

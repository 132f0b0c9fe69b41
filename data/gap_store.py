"""Remember every gap of the feed: when it was, whether it was repaired, and which predictions it touched."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    RowMapping,
    Select,
    Table,
    Text,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.sqlite import insert

from data import ledger_blocks
from data.database import metadata, transaction
from data.ledger_tables import predictions
from market.errors import DataError
from market.gaps import Gap
from market.intervals import duration_ms, interval_ms
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
# The keys of a row, in this order.
FIELDS = (
    "symbol",
    "from",
    "to",
    "candles",
    "found_at",
    "ended_at",
    "is_repaired",
    "missed_predictions",
    "late_outcomes",
)
_CURSOR = re.compile(r"([0-9]{1,15})\.(\w{1,32})")


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

    def newest(
        self, horizons: Sequence[str], *, symbol: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return the gaps found last, newest first, with what they touched, and the cursor of the page after them.

        `missed_predictions`: live rows that were not made, of the `horizons` each candle has; `late_outcomes`: rows
        whose outcome is the close of a candle that REST brought. DataError when the cursor is none of ours.
        """
        query = select(gaps).where(gaps.c.interval == self._interval)
        if symbol is not None:
            query = query.where(gaps.c.symbol == symbol)
        if cursor is not None:
            query = query.where(tuple_(gaps.c.found_ms, gaps.c.symbol) < _place(cursor))
        query = query.order_by(gaps.c.found_ms.desc(), gaps.c.symbol.desc()).limit(limit + 1)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            shown = [self._shown(connection, row, horizons) for row in rows[:limit]]
        return shown, _cursor(rows[limit - 1]) if len(rows) > limit else None

    def _shown(self, connection: Connection, row: RowMapping, horizons: Sequence[str]) -> dict[str, Any]:
        candles = (row["to_ms"] - row["from_ms"]) // self._interval_ms
        made = late = 0
        for horizon in horizons:
            made += _count(connection, self._rows(row, horizon).where(predictions.c.origin == "live"))
            made += self._sealed(connection, row, {"horizon": horizon, "origin": "live"})
            late += _count(connection, self._rows(row, horizon, duration_ms(horizon)))
            late += self._sealed(connection, row, {"horizon": horizon}, duration_ms(horizon))
        return {
            "symbol": row["symbol"],
            "from": iso_utc(row["from_ms"]),
            "to": iso_utc(row["to_ms"]),
            "candles": candles,
            "found_at": iso_utc(row["found_ms"]),
            "ended_at": iso_utc(row["ended_ms"]),
            "is_repaired": bool(row["is_repaired"]),
            "missed_predictions": max(0, candles * len(horizons) - made),
            "late_outcomes": late,
        }

    def _sealed(self, connection: Connection, gap: RowMapping, wanted: dict[str, str], before_ms: int = 0) -> int:
        """Count the same rows among those that were sealed."""
        later_ms = self._interval_ms - before_ms  # a row is made when its candle closes
        made = (gap["from_ms"] + later_ms, gap["to_ms"] + later_ms)
        return ledger_blocks.count(connection, self._interval, {"symbol": gap["symbol"], **wanted}, made)

    def _rows(self, gap: RowMapping, horizon: str, before_ms: int = 0) -> Select[int]:
        """Count the rows of the candles in the gap, or of those `before_ms` earlier, along the ledger's key."""
        p = predictions.c
        return select(func.count()).where(
            p.symbol == gap["symbol"],
            p.candle_open_ms >= gap["from_ms"] - before_ms,
            p.candle_open_ms < gap["to_ms"] - before_ms,
            p.horizon == horizon,
            p.interval == self._interval,
        )


def _count(connection: Connection, query: Select[int]) -> int:
    found: int = connection.execute(query).scalar_one()
    return found


def _cursor(row: RowMapping) -> str:
    return f"{row['found_ms']}.{row['symbol']}"


def _place(cursor: str) -> tuple[int, str]:
    """Return the place in the order a cursor stands for."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise DataError(f"cursor={cursor[:40]!r} is none of this list")
    return int(found[1]), found[2]

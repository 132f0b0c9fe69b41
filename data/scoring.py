"""Give due ledger rows their outcome, and add it to the sums the skill is made of."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, exists, func, or_, select, update

from data.adaptation_store import teach
from data.candle_checks import checked, seed_of
from data.candle_store import candles
from data.ledger_tables import predictions
from data.outcomes import Numbers, Outcomes, outcomes_of, sums_of
from data.sealed_candles import sealed_candles
from data.skill_sums import GROUP, Columns, add_to_sums
from market.adaptation import Told
from market.candles import COLUMNS

# A hole is repaired within a candle or two; when this many newer candles exist, the exchange has none for it.
VOID_AFTER_CANDLES = 12

_COLUMNS = (
    "seq",
    *GROUP,
    "verdict",
    "candle_open_ms",
    "made_ms",
    "due_ms",
    "price",
    "probability_up",
    "low_bps",
    "high_bps",
    "coverage",
    "cost_bps",
)
_NUMBERS = (*_COLUMNS[_COLUMNS.index("made_ms") :], "later", "past")
_CANDLE = ("open_ms", *COLUMNS, "checksum")
_SYMBOL = _COLUMNS.index("symbol")
_OUTCOME = slice(len(_COLUMNS), len(_COLUMNS) + len(_CANDLE))  # where it stands in a row that is due
_BEFORE = slice(_OUTCOME.stop, None)
_UPDATE = """
    UPDATE {} SET state = 'scored', scored_ms = ?, outcome_return_bps = ?, outcome_up = ?, brier = ?,
    inside_interval = ?, net_bps = ? WHERE seq = ?"""

Closes = Mapping[tuple[str, int], float]  # by symbol and open time


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows that were given an outcome or declared void, and whether more may be waiting."""

    numbers: list[int]
    is_more: bool


def score_due(
    connection: Connection,
    interval: str,
    length_ms: int,
    market_ms: int,
    stopped: Collection[str],
    limit: int,
) -> Scored:
    """Score up to `limit` rows of ours whose outcome candle (the one closing at due_at) is in the live table.

    It is there for all of them: sealing takes nothing an open row may need. `stopped`: symbols that no longer trade.
    Rows whose outcome candle can never come are marked void.
    """
    due, found = _due_rows(connection, interval, length_ms, market_ms, limit)
    numbers = list(due["seq"]) if due else []
    if due:
        _write_outcomes(connection, predictions, due, length_ms, market_ms)
    if numbers and found == limit:
        return Scored(numbers, is_more=True)
    # Every row that has an outcome candle has been scored by now; of those left, some will never have one.
    return Scored(numbers + _void_rows(connection, predictions, interval, length_ms, market_ms, stopped), is_more=False)


def score_by(
    connection: Connection,
    table: Table,
    interval: str,
    length_ms: int,
    market_ms: int,
    stopped: Collection[str],
    closes: Closes,
) -> list[int]:
    """Score the due rows of `table` whose outcome candle is among `closes`, which hold sealed ones too.

    Return the numbers of those that were scored, or marked void as by `score_due`.
    """
    rows = connection.execute(select(*(table.c[name] for name in _COLUMNS)).where(_is_due(table, interval, market_ms)))
    scored = []
    for row in rows:
        before_ms = row.candle_open_ms - (row.due_ms - row.made_ms)
        later = closes.get((row.symbol, row.due_ms - length_ms))
        if later is not None:
            scored.append((*row, later, closes.get((row.symbol, before_ms), math.nan)))
    due = _columns(scored)
    if due:
        _write_outcomes(connection, table, due, length_ms, market_ms)
    return list(due.get("seq", ())) + _void_rows(connection, table, interval, length_ms, market_ms, stopped)


def _is_due(table: Table, interval: str, until_ms: int) -> ColumnElement[bool]:
    return and_(table.c.state == "open", table.c.due_ms <= until_ms, table.c.interval == interval)


def _columns(rows: list[tuple[Any, ...]]) -> Columns:
    """Return rows of `_COLUMNS` and the closes later and past by column, empty when there are none."""
    return dict(zip((*_COLUMNS, "later", "past"), zip(*rows, strict=True), strict=True)) if rows else {}


def _due_rows(connection: Connection, interval: str, length_ms: int, market_ms: int, limit: int) -> tuple[Columns, int]:
    """Return the columns of the rows to score, empty when there are none, and how many rows were looked at.

    A row whose outcome candle is damaged on the disk waits until it has been fetched again.
    """
    p, outcome, before = predictions.c, candles.alias(), candles.alias()
    horizon_ms = p.due_ms - p.made_ms
    is_outcome = and_(
        outcome.c.symbol == p.symbol,
        outcome.c.interval_ms == length_ms,
        outcome.c.open_ms == p.due_ms - length_ms,
    )
    is_before = and_(
        before.c.symbol == p.symbol,
        before.c.interval_ms == length_ms,
        before.c.open_ms == p.candle_open_ms - horizon_ms,
    )
    query = (
        select(
            *(p[name] for name in _COLUMNS),
            *(outcome.c[name] for name in _CANDLE),
            *(before.c[name] for name in _CANDLE),
        )
        .join(outcome, is_outcome)
        .outerjoin(before, is_before)
        .where(_is_due(predictions, interval, market_ms + length_ms))
        .order_by(p.due_ms)  # each outcome teaches after those before it
        .limit(limit)
    )
    rows = [tuple(row) for row in connection.execute(query)]
    seeds = np.array([seed_of(row[_SYMBOL], length_ms) for row in rows], dtype=np.uint64)
    later, is_sound = checked(seeds, [row[_OUTCOME] for row in rows])
    past, is_known = checked(seeds, [row[_BEFORE] for row in rows])
    past["close"][~is_known] = math.nan
    closes = zip(later["close"].tolist(), past["close"].tolist(), strict=True)
    scored = [
        (*row[: _OUTCOME.start], *pair) for row, pair, is_one in zip(rows, closes, is_sound, strict=True) if is_one
    ]
    return _columns(scored), len(rows)


def _write_outcomes(connection: Connection, table: Table, due: Columns, length_ms: int, market_ms: int) -> None:
    number = {name: np.array(due[name], dtype=float) for name in _NUMBERS}
    outcomes = outcomes_of(number, due["verdict"])
    columns = (
        np.maximum(number["due_ms"], market_ms).astype(np.int64),
        outcomes.returns_bps,
        outcomes.ups.astype(int),
        outcomes.brier,
        outcomes.inside,
        outcomes.net_bps,
    )
    # A nan is stored as null by SQLite.
    changes = list(zip(*(column.tolist() for column in columns), due["seq"], strict=True))
    connection.exec_driver_sql(_UPDATE.format(table.name), changes)
    if table is predictions:  # what others foretell teaches ours nothing
        _teach(connection, due, number, outcomes, length_ms)
    add_to_sums(connection, due, sums_of(number, outcomes))


def _teach(connection: Connection, due: Columns, number: Numbers, outcomes: Outcomes, length_ms: int) -> None:
    """Let each symbol and horizon learn from the outcomes of the rows that had a probability and a range."""
    known = np.flatnonzero(np.isfinite(number["probability_up"]) & np.isfinite(outcomes.inside))
    if not len(known):
        return
    horizon_candles = (number["due_ms"] - number["made_ms"]) / length_ms
    told = Told(number["probability_up"], outcomes.ups, outcomes.inside, number["coverage"], horizon_candles)
    keys = [(due["symbol"][row], due["horizon"][row]) for row in known.tolist()]
    teach(connection, due["interval"][0], keys, told.at(known))


def _void_rows(
    connection: Connection, table: Table, interval: str, length_ms: int, market_ms: int, stopped: Collection[str]
) -> list[int]:
    """Mark rows void whose outcome candle can never exist: a true gap, or a symbol that stopped trading."""
    p = table.c
    margin = VOID_AFTER_CANDLES * length_ms
    newest = select(func.max(candles.c.open_ms)).where(candles.c.symbol == p.symbol, candles.c.interval_ms == length_ms)
    late = newest.scalar_subquery() >= p.due_ms + margin
    if stopped:
        late = or_(late, and_(p.symbol.in_(sorted(stopped)), p.due_ms + margin <= market_ms))
    is_there = candles.c.open_ms == p.due_ms - length_ms  # damaged, else the row would have been scored
    candle = select(candles.c.open_ms).where(candles.c.symbol == p.symbol, candles.c.interval_ms == length_ms, is_there)
    query = select(p.seq, p.symbol).where(
        _is_due(table, interval, market_ms + length_ms - margin),
        late,
        ~candle.exists(),
        ~_is_sealed(table, length_ms),
    )
    found = connection.execute(query).all()
    if found:
        statement = update(table).where(p.seq == bindparam("row"))
        statement = statement.values(state="void", scored_ms=bindparam("at"), void_reason=bindparam("why"))
        connection.execute(
            statement,
            [
                {
                    "row": row.seq,
                    "at": market_ms,
                    "why": "the symbol stopped trading" if row.symbol in stopped else "no candle closes at due_at",
                }
                for row in found
            ],
        )
    return [row.seq for row in found]


def _is_sealed(table: Table, length_ms: int) -> ColumnElement[bool]:
    """Return whether a sealed month holds the outcome candle of a row; one that cannot be read is fetched again."""
    month, open_ms = sealed_candles.c, table.c.due_ms - length_ms
    hole = func.json_each(month.missing).table_valued("value")
    start_ms, end_ms = (func.json_extract(hole.c.value, place) for place in ("$[0]", "$[1]"))
    is_missing = select(hole.c.value).where(start_ms <= open_ms, end_ms > open_ms).correlate(sealed_candles, table)
    is_of = and_(month.symbol == table.c.symbol, month.interval_ms == length_ms)
    return exists(month.from_ms).where(is_of, month.first_ms <= open_ms, month.last_ms >= open_ms, ~is_missing.exists())

"""Give due ledger rows their outcome, and add it to the sums the skill is made of."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from data.candle_checks import checked, seed_of
from data.candle_store import candles
from data.ledger_tables import SUMS, calibration_bins, predictions, skill_blocks
from data.skill import BINS
from data.width_store import move_widths
from market.candles import COLUMNS
from market.predictions import BPS
from market.range_widths import step_of

# A hole is repaired within a candle or two; when this many newer candles exist, the exchange has none for it.
_VOID_AFTER_CANDLES = 12
_LOG_LOSS_CLIP = 1e-15
_HALF = 0.25  # Brier score of saying one half

_GROUP = ("symbol", "horizon", "interval", "origin", "model")
_COLUMNS = (
    "seq",
    *_GROUP,
    "verdict",
    "made_ms",
    "due_ms",
    "price",
    "probability_up",
    "low_bps",
    "high_bps",
    "coverage",
    "cost_bps",
)
_NUMBERS = (*_COLUMNS[_COLUMNS.index("made_ms") :], "horizon_ms", "later", "past")
_CANDLE = ("open_ms", *COLUMNS, "checksum")
_SYMBOL = _COLUMNS.index("symbol")
_OUTCOME = slice(len(_COLUMNS) + 1, len(_COLUMNS) + 1 + len(_CANDLE))  # where it stands in a row that is due
_BEFORE = slice(_OUTCOME.stop, None)
_SIDES = {"up": 1.0, "down": -1.0}
_UPDATE = """
    UPDATE predictions SET state = 'scored', scored_ms = ?, outcome_return_bps = ?, outcome_up = ?, brier = ?,
    inside_interval = ?, net_bps = ? WHERE seq = ?"""

Columns = dict[str, tuple[Any, ...]]


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
    """Score up to `limit` rows whose outcome candle (the one closing at due_at) is in the store.

    `stopped`: symbols that no longer trade. Rows whose outcome candle can never come are marked void.
    """
    due, found = _due_rows(connection, interval, length_ms, market_ms, limit)
    numbers = list(due["seq"]) if due else []
    if due:
        _write_outcomes(connection, due, length_ms, market_ms)
    if numbers and found == limit:
        return Scored(numbers, is_more=True)
    # Every row that has an outcome candle has been scored by now; of those left, some will never have one.
    return Scored(numbers + _void_rows(connection, interval, length_ms, market_ms, stopped), is_more=False)


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
            horizon_ms.label("horizon_ms"),
            *(outcome.c[name] for name in _CANDLE),
            *(before.c[name] for name in _CANDLE),
        )
        .join(outcome, is_outcome)
        .outerjoin(before, is_before)
        .where(p.state == "open", p.due_ms <= market_ms + length_ms, p.interval == interval)
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
    names = (*_COLUMNS, "horizon_ms", "later", "past")
    return dict(zip(names, zip(*scored, strict=True), strict=True)) if scored else {}, len(rows)


def _write_outcomes(connection: Connection, due: Columns, length_ms: int, market_ms: int) -> None:
    number = {name: np.array(due[name], dtype=float) for name in _NUMBERS}
    returns = (number["later"] / number["price"] - 1.0) * BPS
    ups = returns > 0
    chance = number["probability_up"]  # nan where the row has none
    brier = (chance - ups) ** 2
    inside = (number["low_bps"] <= returns) & (returns <= number["high_bps"])
    has_interval = np.isfinite(number["low_bps"]) & np.isfinite(number["high_bps"])
    side = np.array([_SIDES.get(verdict, math.nan) for verdict in due["verdict"]])
    net = side * returns - number["cost_bps"]
    columns = (
        np.maximum(number["due_ms"], market_ms).astype(np.int64),
        returns,
        ups.astype(int),
        brier,
        np.where(has_interval, inside, math.nan),
        net,
    )
    # A nan is stored as null by SQLite.
    changes = list(zip(*(column.tolist() for column in columns), due["seq"], strict=True))
    connection.exec_driver_sql(_UPDATE, changes)
    steps = step_of(number["coverage"], inside, number["horizon_ms"] / length_ms)
    move_widths(connection, zip(*(due[name] for name in _GROUP[:3]), np.where(has_interval, steps, 0.0), strict=True))
    past = np.where(np.isnan(number["past"]), math.nan, number["price"] > number["past"])
    with np.errstate(invalid="ignore"):
        sums = {
            "n": np.ones(len(ups)),
            "ups": ups.astype(float),
            "hits": ((chance >= 0.5) == ups).astype(float),
            "brier": brier,
            "last_sign_brier": np.where(np.isnan(past), _HALF, (past - ups) ** 2),
            "log_loss": -np.log(np.clip(np.where(ups, chance, 1 - chance), _LOG_LOSS_CLIP, 1.0)),
            "intervals": has_interval.astype(float),
            "claimed": np.where(has_interval, number["coverage"], 0.0),
            "inside": (inside & has_interval).astype(float),
            "calls": np.isfinite(net).astype(float),
            "net_bps": np.nan_to_num(net),
        }
    kept = np.flatnonzero(np.isfinite(chance))
    if len(kept):
        spans = (number["made_ms"] // number["horizon_ms"]).astype(np.int64)
        tenths = np.clip((np.nan_to_num(chance) * BINS).astype(np.int64), 0, BINS - 1)
        _add_sums(connection, skill_blocks, "block", due, kept, spans, {name: sums[name] for name in SUMS})
        binned = {"n": sums["n"], "probability_sum": chance, "ups": sums["ups"]}
        _add_sums(connection, calibration_bins, "bin", due, kept, tenths, binned)


def _add_sums(
    connection: Connection,
    table: Table,
    span: str,
    due: Columns,
    kept: np.ndarray,
    spans: np.ndarray,
    values: dict[str, np.ndarray],
) -> None:
    """Add the values of the kept rows to the sums of their group and span."""
    groups: dict[tuple[Any, ...], int] = {}
    keys = list(zip(*(due[name] for name in _GROUP), spans.tolist(), strict=True))
    place = np.array([groups.setdefault(keys[index], len(groups)) for index in kept.tolist()])
    totals = {name: np.bincount(place, column[kept], len(groups)).tolist() for name, column in values.items()}
    records = [
        {**dict(zip((*_GROUP, span), key, strict=True)), **{name: totals[name][index] for name in totals}}
        for key, index in groups.items()
    ]
    upsert = insert(table)
    changed = {name: table.c[name] + upsert.excluded[name] for name in values}
    connection.execute(upsert.on_conflict_do_update(index_elements=[*_GROUP, span], set_=changed), records)


def _void_rows(
    connection: Connection, interval: str, length_ms: int, market_ms: int, stopped: Collection[str]
) -> list[int]:
    """Mark rows void whose outcome candle can never exist: a true gap, or a symbol that stopped trading."""
    p = predictions.c
    margin = _VOID_AFTER_CANDLES * length_ms
    newest = select(func.max(candles.c.open_ms)).where(candles.c.symbol == p.symbol, candles.c.interval_ms == length_ms)
    late = newest.scalar_subquery() >= p.due_ms + margin
    if stopped:
        late = or_(late, and_(p.symbol.in_(sorted(stopped)), p.due_ms + margin <= market_ms))
    is_there = candles.c.open_ms == p.due_ms - length_ms  # damaged, else the row would have been scored
    candle = select(candles.c.open_ms).where(candles.c.symbol == p.symbol, candles.c.interval_ms == length_ms, is_there)
    query = select(p.seq, p.symbol).where(
        p.state == "open",
        p.due_ms + margin <= market_ms + length_ms,
        p.interval == interval,
        late,
        ~candle.exists(),
    )
    found = connection.execute(query).all()
    if found:
        statement = update(predictions).where(p.seq == bindparam("row"))
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

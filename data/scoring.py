"""Give due ledger rows their outcome, and add it to the sums the skill is made of."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from data.candle_store import candles
from data.ledger_tables import SUMS, calibration_bins, predictions, skill_blocks
from data.skill import BINS
from market.predictions import BPS

# A hole is repaired within a candle or two; when this many newer candles exist, the exchange has none for it.
_VOID_AFTER_CANDLES = 12
_LOG_LOSS_CLIP = 1e-15
_HALF = 0.25  # Brier score of saying one half

_GROUP = ("symbol", "horizon", "interval", "origin", "model")


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
    found = _due_rows(connection, interval, length_ms, market_ms, limit)
    if found:
        _write_outcomes(connection, found, market_ms)
    numbers = [row.seq for row in found]
    if len(found) == limit:
        return Scored(numbers, is_more=True)
    # Every row that has an outcome candle has been scored by now; of those left, some will never have one.
    return Scored(numbers + _void_rows(connection, interval, length_ms, market_ms, stopped), is_more=False)


def _due_rows(connection: Connection, interval: str, length_ms: int, market_ms: int, limit: int) -> list[Row[Any]]:
    p, outcome, before = predictions.c, candles.alias(), candles.alias()
    horizon_ms = p.due_ms - p.made_ms
    query = (
        select(
            predictions, horizon_ms.label("horizon_ms"), outcome.c.close.label("later"), before.c.close.label("past")
        )
        .join(
            outcome,
            and_(
                outcome.c.symbol == p.symbol,
                outcome.c.interval_ms == length_ms,
                outcome.c.open_ms == p.due_ms - length_ms,
            ),
        )
        .outerjoin(
            before,
            and_(
                before.c.symbol == p.symbol,
                before.c.interval_ms == length_ms,
                before.c.open_ms == p.candle_open_ms - horizon_ms,
            ),
        )
        .where(p.state == "open", p.due_ms <= market_ms + length_ms, p.interval == interval)
        .limit(limit)
    )
    return list(connection.execute(query).all())


def _write_outcomes(connection: Connection, rows: list[Row[Any]], market_ms: int) -> None:
    column = {name: np.array([getattr(row, name) for row in rows], dtype=float) for name in _NUMBERS}
    returns = (column["later"] / column["price"] - 1.0) * BPS
    ups = returns > 0
    chance = column["probability_up"]  # nan where the row has none
    brier = (chance - ups) ** 2
    inside = (column["low_bps"] <= returns) & (returns <= column["high_bps"])
    has_interval = np.isfinite(column["low_bps"]) & np.isfinite(column["high_bps"])
    side = np.array([{"up": 1.0, "down": -1.0}.get(row.verdict, np.nan) for row in rows])
    net = side * returns - column["cost_bps"]
    _update_rows(connection, rows, market_ms, returns, ups, brier, np.where(has_interval, inside, np.nan), net)
    is_scored = np.isfinite(chance)
    if is_scored.any():
        past = np.where(np.isnan(column["past"]), np.nan, column["price"] > column["past"])
        sums = {
            "n": np.ones(len(rows)),
            "ups": ups.astype(float),
            "hits": ((chance >= 0.5) == ups).astype(float),
            "brier": brier,
            "last_sign_brier": np.where(np.isnan(past), _HALF, (past - ups) ** 2),
            "log_loss": -np.log(np.clip(np.where(ups, chance, 1 - chance), _LOG_LOSS_CLIP, 1.0)),
            "intervals": has_interval.astype(float),
            "claimed": np.where(has_interval, column["coverage"], 0.0),
            "inside": (inside & has_interval).astype(float),
            "calls": np.isfinite(net).astype(float),
            "net_bps": np.nan_to_num(net),
        }
        kept = np.flatnonzero(is_scored)
        blocks = (column["made_ms"] // column["horizon_ms"]).astype(np.int64)
        tenths = np.clip((np.nan_to_num(chance) * BINS).astype(np.int64), 0, BINS - 1)
        _add_sums(connection, skill_blocks, "block", rows, kept, blocks, {name: sums[name] for name in SUMS})
        binned = {"n": sums["n"], "probability_sum": chance, "ups": sums["ups"]}
        _add_sums(connection, calibration_bins, "bin", rows, kept, tenths, binned)


_NUMBERS = (
    "price",
    "later",
    "past",
    "probability_up",
    "low_bps",
    "high_bps",
    "coverage",
    "cost_bps",
    "made_ms",
    "horizon_ms",
)


def _update_rows(
    connection: Connection,
    rows: list[Row[Any]],
    market_ms: int,
    returns: np.ndarray,
    ups: np.ndarray,
    brier: np.ndarray,
    inside: np.ndarray,
    net: np.ndarray,
) -> None:
    statement = (
        update(predictions)
        .where(predictions.c.seq == bindparam("row"))
        .values(
            state="scored",
            scored_ms=bindparam("at"),
            outcome_return_bps=bindparam("return"),
            outcome_up=bindparam("up"),
            brier=bindparam("score"),
            inside_interval=bindparam("inside"),
            net_bps=bindparam("net"),
        )
    )
    optional = zip(*(_none_for_nan(values) for values in (brier, inside, net)), strict=True)
    changes = [
        {
            "row": row.seq,
            "at": max(market_ms, row.due_ms),
            "return": return_,
            "up": int(up),
            "score": score,
            "inside": within,
            "net": earned,
        }
        for row, return_, up, (score, within, earned) in zip(rows, returns.tolist(), ups, optional, strict=True)
    ]
    connection.execute(statement, changes)


def _none_for_nan(values: np.ndarray) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def _add_sums(
    connection: Connection,
    table: Any,
    span: str,
    rows: list[Row[Any]],
    kept: np.ndarray,
    spans: np.ndarray,
    values: dict[str, np.ndarray],
) -> None:
    """Add the values of the kept rows to the sums of their group and span."""
    groups: dict[tuple[Any, ...], int] = {}
    keys = [(*(getattr(rows[i], name) for name in _GROUP), int(spans[i])) for i in kept]
    place = np.array([groups.setdefault(key, len(groups)) for key in keys])
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
    query = select(p.seq, p.symbol).where(
        p.state == "open", p.due_ms + margin <= market_ms + length_ms, p.interval == interval, late
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

"""Make the sums of skill anew from the rows of the ledger, for a database of an older version."""

import logging
import math
from collections.abc import Iterator

import numpy as np
from sqlalchemy import Connection, and_, select

from data.candle_checks import checked, seed_of
from data.candle_store import candles
from data.database import metadata
from data.ledger_tables import calibration_bins, predictions, skill_blocks
from data.outcomes import Outcomes, sums_of
from data.skill_sums import GROUP, Columns, add_to_sums
from data.skill_tables import part_bins, regime_blocks
from market.candles import COLUMNS

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 20_000
_NUMBERS = ("price", "probability_up", "coverage")
_OUTCOMES = ("outcome_return_bps", "outcome_up", "brier", "inside_interval", "net_bps")
_ROW = ("seq", *GROUP, "candle_open_ms", "made_ms", "due_ms", *_NUMBERS, *_OUTCOMES)
_CANDLE = ("open_ms", *COLUMNS, "checksum")


def rebuild_sums(connection: Connection) -> None:
    """Replace the sums of all scored rows; rows that are no longer kept count no more."""
    tables = [skill_blocks, calibration_bins, regime_blocks, part_bins]
    metadata.drop_all(connection, tables)
    metadata.create_all(connection, tables)
    count = 0
    for rows, past in _scored_rows(connection):
        number = {name: np.array(rows[name], dtype=float) for name in (*_NUMBERS, *_OUTCOMES)}
        outcomes = Outcomes(
            number["outcome_return_bps"],
            number["outcome_up"] > 0,
            number["brier"],
            number["inside_interval"],
            number["net_bps"],
        )
        add_to_sums(connection, rows, sums_of({**number, "past": past}, outcomes))
        count += len(past)
    logger.info("sums of skill made anew rows=%d", count)


def _scored_rows(connection: Connection) -> Iterator[tuple[Columns, np.ndarray]]:
    """Yield the scored rows, some at a time, with the close one horizon before each (nan: not known)."""
    p, before = predictions.c, candles.alias()
    is_before = and_(
        before.c.symbol == p.symbol,
        before.c.interval_ms == p.made_ms - p.candle_open_ms,
        before.c.open_ms == p.candle_open_ms - (p.due_ms - p.made_ms),
    )
    query = select(*(p[name] for name in _ROW), *(before.c[name] for name in _CANDLE)).outerjoin(before, is_before)
    query = query.where(p.state == "scored").order_by(p.seq).limit(_ROWS_AT_ONCE)
    last = -1
    while found := [tuple(row) for row in connection.execute(query.where(p.seq > last))]:
        rows = dict(zip(_ROW, zip(*(row[: len(_ROW)] for row in found), strict=True), strict=True))
        lengths = np.array(rows["made_ms"]) - np.array(rows["candle_open_ms"])
        seeds = [seed_of(symbol, length_ms) for symbol, length_ms in zip(rows["symbol"], lengths.tolist(), strict=True)]
        past, is_known = checked(np.array(seeds, dtype=np.uint64), [row[len(_ROW) :] for row in found])
        past["close"][~is_known] = math.nan
        yield rows, past["close"]
        last = rows["seq"][-1]

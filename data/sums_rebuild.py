"""Make the sums of skill anew from the rows of the ledger, for a database of an older version."""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from sqlalchemy import Connection, select

from data import ledger_blocks
from data.candle_checks import checked, seed_of
from data.database import metadata
from data.ledger_tables import calibration_bins, predictions, skill_blocks
from data.outcomes import Outcomes, sums_of
from data.skill_sums import GROUP, add_to_sums
from data.skill_tables import part_bins, regime_blocks

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 10_000
_NUMBERS = ("price", "probability_up", "coverage")
_OUTCOMES = ("outcome_return_bps", "outcome_up", "brier", "inside_interval", "net_bps")
_COLUMNS = (*GROUP, "candle_open_ms", "made_ms", "due_ms", "probability_up")
_CANDLES = """
    SELECT asked.key, c.open_ms, c.open, c.high, c.low, c.close, c.volume, c.checksum FROM json_each(?) AS asked
    JOIN candles c ON c.symbol = json_extract(asked.value, '$[0]')
        AND c.interval_ms = json_extract(asked.value, '$[1]') AND c.open_ms = json_extract(asked.value, '$[2]')"""


def rebuild_sums(connection: Connection) -> None:
    """Replace the sums of all scored rows, those in old blocks too; rows that are no longer kept count no more."""
    tables = [skill_blocks, calibration_bins, regime_blocks, part_bins]
    metadata.drop_all(connection, tables)
    metadata.create_all(connection, tables)
    count = 0
    for found in chain(_rows(connection), ledger_blocks.all_rows(connection)):
        scored = [row for row in found if row["state"] == "scored"]
        if scored:
            _add(connection, scored)
        count += len(scored)
    logger.info("sums of skill made anew rows=%d", count)


def _rows(connection: Connection) -> Iterator[Sequence[ledger_blocks.Row]]:
    """Yield the rows that lie in the table, some at a time."""
    last = -1
    query = select(predictions).order_by(predictions.c.seq).limit(_ROWS_AT_ONCE)
    while found := connection.execute(query.where(predictions.c.seq > last)).mappings().all():
        yield found
        last = found[-1]["seq"]


def _add(connection: Connection, rows: Sequence[ledger_blocks.Row]) -> None:
    number = {name: np.array([row[name] for row in rows], dtype=float) for name in (*_NUMBERS, *_OUTCOMES)}
    outcomes = Outcomes(
        number["outcome_return_bps"],
        number["outcome_up"] > 0,
        number["brier"],
        number["inside_interval"],
        number["net_bps"],
    )
    columns = {name: tuple(row[name] for row in rows) for name in _COLUMNS}
    add_to_sums(connection, columns, sums_of({**number, "past": _past(connection, rows)}, outcomes))


def _past(connection: Connection, rows: Sequence[ledger_blocks.Row]) -> np.ndarray:
    """Return the close one horizon before each row's own; nan where that candle is not in the database any more."""
    asked = [
        (
            row["symbol"],
            row["made_ms"] - row["candle_open_ms"],
            row["candle_open_ms"] - (row["due_ms"] - row["made_ms"]),
        )
        for row in rows
    ]
    past = np.full(len(rows), math.nan)
    found = [tuple(row) for row in connection.exec_driver_sql(_CANDLES, (json.dumps(asked),))]
    if found:
        seeds = np.array([seed_of(*asked[row[0]][:2]) for row in found], dtype=np.uint64)
        candles, is_sound = checked(seeds, [row[1:] for row in found])
        past[[row[0] for row in found]] = np.where(is_sound, candles["close"], math.nan)
    return past

"""Add the outcomes of rows to the sums skill is made of: by span of time, by regime, by tenth of probability."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert

from data.ledger_tables import SUMS, calibration_bins, skill_blocks
from data.outcomes import Numbers
from data.regimes import FEATURES, regimes_of, week_of
from data.skill import BINS
from data.skill_tables import part_bins, regime_blocks

GROUP = ("symbol", "horizon", "interval", "origin", "model")
_CANDLE = ("candle_open_ms", "symbol", "interval")
_VALUE_BYTES = 8
_INPUTS = """
    SELECT asked.key, i."values", i.feature_set FROM json_each(?) AS asked
    JOIN prediction_inputs i ON i.candle_open_ms = json_extract(asked.value, '$[0]')
        AND i.symbol = json_extract(asked.value, '$[1]') AND i.interval = json_extract(asked.value, '$[2]')"""

Columns = dict[str, tuple[Any, ...]]
Key = tuple[Any, ...]


def add_to_sums(connection: Connection, rows: Columns, sums: Numbers) -> None:
    """Add scored rows to the sums of their group, span, week and regimes.

    `rows` holds the columns of `GROUP`, candle_open_ms, made_ms, due_ms and probability_up; `sums` is what each row
    adds to `SUMS` (`data.outcomes.sums_of`).
    """
    kept = np.flatnonzero((sums["n"] > 0) | (sums["calls"] > 0)).tolist()
    if not len(kept):
        return
    group: list[Key] = list(zip(*([rows[name][at] for at in kept] for name in GROUP), strict=True))
    made_ms = np.array([rows["made_ms"][at] for at in kept], dtype=np.int64)
    horizon_ms = np.array([rows["due_ms"][at] for at in kept], dtype=np.int64) - made_ms
    spans = (made_ms // horizon_ms).tolist()
    weeks = [(week_of(begin_ms),) for begin_ms in (made_ms // horizon_ms * horizon_ms).tolist()]
    regimes = _regimes(connection, [tuple(rows[name][at] for name in _CANDLE) for at in kept])
    added = {name: sums[name][kept] for name in SUMS}
    _add(
        connection,
        skill_blocks,
        (*GROUP, "block"),
        [(*key, span) for key, span in zip(group, spans, strict=True)],
        added,
    )
    _add(connection, regime_blocks, (*GROUP, "regime", "block"), *_each_part(group, regimes, spans, added))

    chance = np.array([rows["probability_up"][at] for at in kept], dtype=float)
    tenths = np.clip((np.nan_to_num(chance) * BINS).astype(np.int64), 0, BINS - 1).tolist()
    binned = {"n": added["n"], "probability_sum": np.nan_to_num(chance), "ups": added["ups"]}
    _add(
        connection,
        calibration_bins,
        (*GROUP, "bin"),
        [(*key, bin_) for key, bin_ in zip(group, tenths, strict=True)],
        binned,
    )
    parts = [week + found for week, found in zip(weeks, regimes, strict=True)]
    _add(connection, part_bins, (*GROUP, "part", "bin"), *_each_part(group, parts, tenths, binned))


def _each_part(
    group: list[Key], parts: Sequence[tuple[str, ...]], places: Sequence[int], values: Numbers
) -> tuple[list[Key], Numbers]:
    """Return the keys and values of rows that count once in each of their parts."""
    keys = [(*key, part, place) for key, found, place in zip(group, parts, places, strict=True) for part in found]
    repeats = [len(found) for found in parts]
    return keys, {name: np.repeat(column, repeats) for name, column in values.items()}


def _regimes(connection: Connection, candles: Sequence[Key]) -> list[tuple[str, ...]]:
    """Return the regimes of the candle each row was made of, from the inputs kept of it; none where none are."""
    asked = list(dict.fromkeys(candles))
    found: dict[Key, tuple[str, ...]] = {}
    places: dict[str, list[int | None]] = {}
    for index, values, feature_set in connection.exec_driver_sql(_INPUTS, (json.dumps(asked),)):
        if feature_set not in places:
            places[feature_set] = _places(connection, feature_set)
        inputs = [
            None if at is None else struct.unpack_from("<d", values, at * _VALUE_BYTES)[0] for at in places[feature_set]
        ]
        found[asked[index]] = regimes_of(inputs)
    return [found.get(candle, ()) for candle in candles]


def _places(connection: Connection, feature_set: str) -> list[int | None]:
    names = json.loads(
        connection.exec_driver_sql("SELECT names FROM feature_sets WHERE feature_set = ?", (feature_set,)).scalar_one()
    )
    return [names.index(name) if name in names else None for name in FEATURES]


def _add(connection: Connection, table: Table, names: Sequence[str], keys: Sequence[Key], values: Numbers) -> None:
    """Add the values to the sums of their keys."""
    if not keys:
        return
    places: dict[Key, int] = {}
    place = np.array([places.setdefault(key, len(places)) for key in keys])
    totals = {name: np.bincount(place, column, len(places)).tolist() for name, column in values.items()}
    records = [
        {**dict(zip(names, key, strict=True)), **{name: totals[name][index] for name in totals}}
        for key, index in places.items()
    ]
    upsert = insert(table)
    changed = {name: table.c[name] + upsert.excluded[name] for name in values}
    connection.execute(upsert.on_conflict_do_update(index_elements=list(names), set_=changed), records)

"""What the models saw of a candle: kept once for all its horizons, in full double precision."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from data.ledger_rows import Row
from data.ledger_tables import feature_sets, prediction_inputs
from utils.times import iso_utc

InputRecord = tuple[int, str, str, str, bytes]  # candle_open_ms, symbol, interval, feature set, values

_KEEP_NAMES = insert(feature_sets).on_conflict_do_nothing()
_INSERT = "INSERT INTO prediction_inputs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the models saw of one candle: one float64 for each feature, nan where there was none."""

    symbol: str
    candle_open_ms: int
    values: np.ndarray


class InputForm:
    """Inputs of one base interval and one list of features, as the database keeps them."""

    def __init__(self, interval: str, features: Sequence[str]) -> None:
        """Keep values of these features, in their order."""
        self._interval = interval
        self._names = json.dumps(list(features))
        self._feature_set = hashlib.sha256(self._names.encode()).hexdigest()[:16]

    def records(self, inputs: Sequence[Inputs]) -> list[InputRecord]:
        """Return the inputs as rows of the table."""
        return [
            (
                one.candle_open_ms,
                one.symbol,
                self._interval,
                self._feature_set,
                np.ascontiguousarray(one.values, dtype="<f8").tobytes(),
            )
            for one in inputs
        ]

    def keep_names(self, connection: Connection) -> None:
        """Write down what the values are called, once."""
        names = {"feature_set": self._feature_set, "names": self._names}
        connection.execute(_KEEP_NAMES, names)


def insert_inputs(connection: Connection, records: Sequence[InputRecord]) -> None:
    """Write the inputs of candles that have none yet."""
    if records:
        connection.exec_driver_sql(_INSERT, list(records))


def load_inputs(connection: Connection, row: Mapping[Any, Any]) -> dict[str, float | None]:
    """Return what the model saw, by feature name; null where it had no value."""
    kept = prediction_inputs.c
    query = select(kept.feature_set, kept["values"]).where(
        kept.symbol == row["symbol"],
        kept.interval == row["interval"],
        kept.candle_open_ms == row["candle_open_ms"],
    )
    found = connection.execute(query).first()
    return _named(connection, *found) if found else {}


def waiting_inputs(connection: Connection, row: Row, inputs: Sequence[InputRecord]) -> dict[str, float | None]:
    """Return the same of a row that is not settled yet."""
    for open_ms, symbol, interval, feature_set, values in inputs:
        if (symbol, interval, iso_utc(open_ms)) == (row["symbol"], row["interval"], row["candle_open_time"]):
            return _named(connection, feature_set, values)
    return {}


def _named(connection: Connection, feature_set: str, values: bytes) -> dict[str, float | None]:
    query = select(feature_sets.c.names).where(feature_sets.c.feature_set == feature_set)
    names = json.loads(connection.execute(query).scalar_one())
    numbers = np.frombuffer(values, dtype="<f8").tolist()
    return {name: value if math.isfinite(value) else None for name, value in zip(names, numbers, strict=True)}

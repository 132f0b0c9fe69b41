"""The ledger: every prediction is a row before it is shown, scored once when its horizon has passed, never changed."""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, RowMapping, Select, func, select
from sqlalchemy.dialects.sqlite import insert

from data.database import transaction
from data.ledger_pages import ledger_page
from data.ledger_rows import MADE, Row, RowForm, record_of
from data.ledger_tables import feature_sets, ledger_state, newest_predictions, prediction_inputs, predictions
from data.scoring import score_due
from market.intervals import duration_ms, interval_ms
from market.predictions import Prediction

ROWS_A_VERSION = 200  # one event tells of so many at most, and has a version of its own
# Rows by the thousand at each close: plain tuples to the driver, 4x over SQLAlchemy's parameters.
_INSERT_PREDICTIONS = f"""
    INSERT INTO predictions ({", ".join(MADE)}) VALUES ({", ".join("?" * len(MADE))}) ON CONFLICT DO NOTHING"""  # noqa: S608  constants only
_INSERT_INPUTS = "INSERT INTO prediction_inputs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_KEEP_NEWEST = """
    INSERT INTO newest_predictions (symbol, interval, horizon, candle_open_ms, seq) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (symbol, horizon, interval) DO UPDATE SET candle_open_ms = excluded.candle_open_ms, seq = excluded.seq
    WHERE excluded.candle_open_ms > newest_predictions.candle_open_ms"""
_CHUNK = 2_000  # rows a transaction when many are added, so that the live loop waits milliseconds for its turn


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the models saw of one candle: one float64 for each feature, nan where there was none."""

    symbol: str
    candle_open_ms: int
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class Published:
    """The version the ledger has reached, and the rows that were new."""

    version: int
    rows: list[Row]

    def parts(self) -> list[tuple[int, list[Row]]]:
        """Return the rows in pieces of at most `ROWS_A_VERSION`, each with the version that stands for it."""
        starts = range(0, len(self.rows), ROWS_A_VERSION)
        first = self.version + 1 - len(starts)
        return [(first + index, self.rows[at : at + ROWS_A_VERSION]) for index, at in enumerate(starts)]


class _TooLateError(Exception):
    """Takes a transaction back that waited for its turn until its rows were no predictions any more."""


class PredictionStore:
    """The rows of one market and one base interval, in one database."""

    def __init__(self, engine: Engine, market: str, interval: str, features: Sequence[str] = ()) -> None:
        """Keep rows of `market` (binance or simulated) made from `interval` candles.

        `features`: names of the inputs, needed by who publishes.
        """
        self._engine = engine
        self._market = market
        self._interval = interval
        self._interval_ms = interval_ms(interval)
        self._features = json.dumps(list(features))
        self._feature_set = hashlib.sha256(self._features.encode()).hexdigest()[:16]
        self._rows = RowForm(market, Path(str(engine.url.database)).stem)

    # writing: the engine, and the trainer's child for replayed rows

    def publish(
        self,
        new: Sequence[Prediction],
        inputs: Sequence[Inputs] = (),
        is_timely: Callable[[], bool] = lambda: True,
    ) -> Published:
        """Write the predictions durably and return those that were new, as the API shows them.

        A row of the same symbol, horizon and candle that is already there stays as it is. The version grows by the
        number of parts, so that a reader who knows some of them can ask for the others. `is_timely` is asked last,
        when the lock is held and only the commit is left: where it says no, nothing is kept.
        """
        try:
            with transaction(self._engine) as connection:
                records = self._insert(connection, new, inputs)
                version = _advance(connection, by=max(1, -(-len(records) // ROWS_A_VERSION)))
                if not is_timely():
                    raise _TooLateError
        except _TooLateError:
            return Published(self.version(), [])
        return Published(version, [self._rows.made(record) for record in reversed(records)])

    def add_replayed(self, new: Sequence[Prediction], inputs: Sequence[Inputs]) -> None:
        """Write many walk-forward rows in short transactions."""
        for start in range(0, len(inputs), _CHUNK):
            with transaction(self._engine) as connection:
                self._insert(connection, (), inputs[start : start + _CHUNK])
        for start in range(0, len(new), _CHUNK):
            with transaction(self._engine) as connection:
                self._insert(connection, new[start : start + _CHUNK], ())
                _advance(connection)

    def score(self, market_ms: int, stopped: Collection[str] = ()) -> list[int]:
        """Score every row that is due and whose outcome candle is in the store; return their numbers.

        `stopped`: symbols that no longer trade; their rows that stay without an outcome become void.
        """
        scored: list[int] = []
        while True:
            with transaction(self._engine) as connection:
                part = score_due(connection, self._interval, self._interval_ms, market_ms, stopped, _CHUNK)
                if part.numbers:
                    _advance(connection)
            scored += part.numbers
            if not part.is_more:
                return scored

    # reading

    def version(self) -> int:
        """Return a number that grows with every change of the ledger."""
        with self._engine.connect() as connection:
            return _version(connection)

    def latest(self, symbol: str | None = None, horizon: str | None = None) -> list[Row]:
        """Return the newest row of each symbol and horizon, by symbol, then length of horizon."""
        newest = newest_predictions.c
        query = select(predictions).join(newest_predictions, newest.seq == predictions.c.seq)
        query = query.where(newest.interval == self._interval)
        if symbol is not None:
            query = query.where(newest.symbol == symbol)
        if horizon is not None:
            query = query.where(newest.horizon == horizon)
        rows = self._read(query)
        return sorted(rows, key=lambda row: (row["symbol"], duration_ms(row["horizon"])))

    def ledger(
        self,
        *,
        symbol: str | None = None,
        horizon: str | None = None,
        model: str | None = None,
        origin: str | None = None,
        state: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Row], str | None]:
        """Return rows, newest first by (made_at, id), and the cursor of the page after them or None.

        DataError when the cursor is none of ours.
        """
        wanted = {"symbol": symbol, "horizon": horizon, "model": model, "origin": origin, "state": state}
        return ledger_page(self._engine, predictions, self._rows, self._interval, wanted, limit, cursor)

    def row(self, id_: str) -> Row | None:
        """Return one row with its inputs, or None when there is none of that id."""
        number = self._rows.number(id_)
        if number is None:
            return None
        with self._engine.connect() as connection:
            found = connection.execute(select(predictions).where(predictions.c.seq == number)).mappings().first()
            if found is None:
                return None
            return {**self._rows.shown(found), "inputs": _load_inputs(connection, found)}

    def last_called(self, limit: int, origin: str, horizon: str | None = None) -> list[Row]:
        """Return the rows of one origin whose up or down was resolved last, newest outcome first."""
        query = select(predictions).where(predictions.c.net_bps.is_not(None), predictions.c.origin == origin)
        query = query.where(predictions.c.interval == self._interval)
        if horizon is not None:
            query = query.where(predictions.c.horizon == horizon)
        return self._read(query.order_by(predictions.c.due_ms.desc(), predictions.c.seq.desc()).limit(limit))

    def last_scored(self, limit: int, symbol: str, horizon: str | None = None) -> list[Row]:
        """Return the rows of a symbol that were scored last, newest outcome first."""
        query = select(predictions).where(predictions.c.symbol == symbol, predictions.c.state == "scored")
        query = query.where(predictions.c.interval == self._interval)
        if horizon is not None:
            query = query.where(predictions.c.horizon == horizon)
        return self._read(query.order_by(predictions.c.made_ms.desc(), predictions.c.seq.desc()).limit(limit))

    def first_live_ms(self) -> int | None:
        """Return the open time of the first candle that has a live row: replayed rows end before it."""
        query = select(func.min(predictions.c.candle_open_ms)).where(
            predictions.c.origin == "live", predictions.c.interval == self._interval
        )
        with self._engine.connect() as connection:
            found: int | None = connection.execute(query).scalar()
        return found

    # private

    def _insert(
        self, connection: Connection, new: Sequence[Prediction], inputs: Sequence[Inputs]
    ) -> list[tuple[Any, ...]]:
        """Write what is not there yet and return those records, in the order of their numbers."""
        first = _first_free(connection)
        if inputs:
            names = {"feature_set": self._feature_set, "names": self._features}
            connection.execute(insert(feature_sets).on_conflict_do_nothing(), [names])
            connection.exec_driver_sql(_INSERT_INPUTS, [self._input_record(one) for one in inputs])
        if not new:
            return []
        records = [record_of(prediction, first + index) for index, prediction in enumerate(new)]
        written = connection.exec_driver_sql(_INSERT_PREDICTIONS, records).rowcount
        _keep_newest(connection, records)
        if written == len(records):
            return records
        there = connection.execute(select(predictions.c.seq).where(predictions.c.seq >= first)).scalars()
        numbers = set(there)
        return [record for record in records if record[0] in numbers]

    def _input_record(self, one: Inputs) -> tuple[Any, ...]:
        values = np.ascontiguousarray(one.values, dtype="<f8").tobytes()
        return one.candle_open_ms, one.symbol, self._interval, self._feature_set, values

    def _read(self, query: Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            return [self._rows.shown(row) for row in connection.execute(query).mappings()]


def _keep_newest(connection: Connection, records: list[tuple[Any, ...]]) -> None:
    # Records come oldest first: of each symbol and horizon the last one stays.
    newest = {record[1:4]: (*record[1:5], record[0]) for record in records}
    connection.exec_driver_sql(_KEEP_NEWEST, list(newest.values()))


def _load_inputs(connection: Connection, row: RowMapping) -> dict[str, float | None]:
    """Return what the model saw, by feature name; null where it had no value."""
    kept = prediction_inputs.c
    query = select(kept["values"], feature_sets.c.names).join(
        feature_sets, feature_sets.c.feature_set == kept.feature_set
    )
    query = query.where(
        kept.symbol == row["symbol"],
        kept.interval == row["interval"],
        kept.candle_open_ms == row["candle_open_ms"],
    )
    found = connection.execute(query).first()
    if found is None:
        return {}
    values = np.frombuffer(found[0], dtype="<f8")
    named = zip(json.loads(found[1]), values.tolist(), strict=True)
    return {name: value if math.isfinite(value) else None for name, value in named}


def _first_free(connection: Connection) -> int:
    """Return the next row's number; above the numbers of rows that a damaged file may have lost (`data.damage`)."""
    lost = select(ledger_state.c.value).where(ledger_state.c.name == "first_seq").scalar_subquery()
    highest, floor = connection.execute(select(func.max(predictions.c.seq), lost)).one()
    return max((highest or 0) + 1, floor or 0)


def _advance(connection: Connection, by: int = 1) -> int:
    version = _version(connection) + by
    upsert = insert(ledger_state).values(name="version", value=version)
    connection.execute(upsert.on_conflict_do_update(index_elements=["name"], set_={"value": version}))
    return version


def _version(connection: Connection) -> int:
    query = select(ledger_state.c.value).where(ledger_state.c.name == "version")
    found: int = connection.execute(query).scalar() or 0
    return found

"""The ledger: every prediction is a row before it is shown, scored once when its horizon has passed, never changed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Engine, Select, bindparam, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from data import ledger_chain, ledger_journal
from data.database import transaction
from data.ledger_inputs import InputForm, Inputs, insert_inputs, load_inputs, waiting_inputs
from data.ledger_rows import MADE, Key, Row, RowForm, Told, key_of, record_of
from data.ledger_tables import ledger_state, newest_predictions, predictions
from data.scoring import score_due
from market.intervals import duration_ms, interval_ms
from market.predictions import Prediction

ROWS_A_VERSION = 200  # one event tells of so many at most, and has a version of its own
# Rows by the thousand at each close: plain tuples to the driver, 4x over SQLAlchemy's parameters.
_INSERT_PREDICTIONS = f"""
    INSERT INTO predictions ({", ".join(MADE)}) VALUES ({", ".join("?" * len(MADE))}) ON CONFLICT DO NOTHING"""  # noqa: S608  constants only
_KEEP_NEWEST = """
    INSERT INTO newest_predictions (symbol, interval, horizon, candle_open_ms, seq) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (symbol, horizon, interval) DO UPDATE SET candle_open_ms = excluded.candle_open_ms, seq = excluded.seq
    WHERE excluded.candle_open_ms > newest_predictions.candle_open_ms"""
# Asked at every close: built once.
_KEYS_MADE = select(
    predictions.c.symbol, predictions.c.interval, predictions.c.horizon, predictions.c.candle_open_ms
).where(predictions.c.made_ms == bindparam("made_ms"))
_VERSION = select(ledger_state.c.value).where(ledger_state.c.name == "version")
_HIGHEST = select(
    func.max(predictions.c.seq),
    select(ledger_state.c.value).where(ledger_state.c.name == "first_seq").scalar_subquery(),
)
_KEEP_VERSION = insert(ledger_state).values(name="version", value=bindparam("version"))
_KEEP_VERSION = _KEEP_VERSION.on_conflict_do_update(
    index_elements=["name"], set_={"value": _KEEP_VERSION.excluded.value}
)
_CHUNK = 2_000  # rows a transaction when many are added, so that the live loop waits milliseconds for its turn


@dataclass(frozen=True, slots=True)
class Published:
    """The version the ledger has reached, and the rows that were new."""

    version: int
    told: list[Told]

    def parts(self) -> list[tuple[int, list[Told]]]:
        """Return the rows in pieces of at most `ROWS_A_VERSION`, each with the version that stands for it."""
        starts = range(0, len(self.told), ROWS_A_VERSION)
        first = self.version + 1 - len(starts)
        return [(first + index, self.told[at : at + ROWS_A_VERSION]) for index, at in enumerate(starts)]

    @property
    def rows(self) -> list[Row]:
        """Return the rows as the API shows them."""
        return [asdict(row) for row in self.told]


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
        self._inputs = InputForm(interval, features)
        self._rows = RowForm(market, Path(str(engine.url.database)).stem)

    # writing: the engine, and the trainer's child for replayed rows

    def publish(
        self,
        new: Sequence[Prediction],
        inputs: Sequence[Inputs] = (),
        is_timely: Callable[[], bool] = lambda: True,
    ) -> Published:
        """Write the predictions durably, in one short write, and return those that were new, as the API shows them.

        A row of the same symbol, horizon and candle that is already there stays as it is. Lists show the rows, and the
        version is reached, when they are settled; `row` finds them at once. The version grows by the number of parts,
        so that a reader who knows some of them can ask for the others. `is_timely` is asked last, when the lock is held
        and only the commit is left: where it says no, nothing is kept.
        """
        try:
            with transaction(self._engine) as connection:
                records = self._note(connection, new, inputs)
                version = ledger_journal.ends(connection)[1] or _version(connection)
                if not is_timely():
                    raise _TooLateError
        except _TooLateError:
            return Published(self.version(), [])
        return Published(version, [self._rows.told(record) for record in reversed(records)])

    def settle(self) -> None:
        """Give all that was published its place among the rows; a kill leaves it published, for the next call."""
        with transaction(self._engine) as connection:
            self._settle(connection)

    def add_replayed(self, new: Sequence[Prediction], inputs: Sequence[Inputs]) -> None:
        """Write many walk-forward rows in short transactions."""
        for start in range(0, len(inputs), _CHUNK):
            with transaction(self._engine) as connection:
                self._inputs.keep_names(connection)
                insert_inputs(connection, self._inputs.records(inputs[start : start + _CHUNK]))
        for start in range(0, len(new), _CHUNK):
            with transaction(self._engine) as connection:
                self._settle(connection)
                self._insert(connection, _numbered(connection, new[start : start + _CHUNK]))
                _advance(connection, _version(connection) + 1)

    def score(self, market_ms: int, stopped: Collection[str] = ()) -> list[int]:
        """Score every row that is due and whose outcome candle is in the store; return their numbers.

        `stopped`: symbols that no longer trade; their rows that stay without an outcome become void.
        """
        scored: list[int] = []
        while True:
            with transaction(self._engine) as connection:
                self._settle(connection)
                part = score_due(connection, self._interval, self._interval_ms, market_ms, stopped, _CHUNK)
                if part.numbers:
                    _advance(connection, _version(connection) + 1)
            scored += part.numbers
            if not part.is_more:
                return scored

    # reading

    def version(self) -> int:
        """Return a number that grows with every change of the ledger."""
        with self._engine.connect() as connection:
            return _version(connection)

    def chain_head(self) -> ledger_chain.Head | None:
        """Return the newest link of the chain over the rows, or None while there is none."""
        with self._engine.connect() as connection:
            return ledger_chain.head(connection)

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
        query = self._newest_first()
        for column, value in (("symbol", symbol), ("horizon", horizon), ("model", model)):
            if value is not None:
                query = query.where(predictions.c[column] == value)
        for column, value in (("origin", origin), ("state", state)):
            if value is not None:
                query = query.where(predictions.c[column] == value)
        if cursor is not None:
            query = query.where(tuple_(predictions.c.made_ms, predictions.c.seq) < self._rows.place(cursor))
        rows = self._read(query.limit(limit + 1))
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], self._rows.cursor(last)

    def row(self, id_: str) -> Row | None:
        """Return one row with its inputs, or None when there is none of that id."""
        number = self._rows.number(id_)
        if number is None:
            return None
        with self._engine.connect() as connection:
            found = connection.execute(select(predictions).where(predictions.c.seq == number)).mappings().first()
            if found is None:
                return self._waiting(connection, number)
            return {**self._rows.shown(found), "inputs": load_inputs(connection, found)}

    def _waiting(self, connection: Connection, number: int) -> Row | None:
        """Return a row that is published and not settled yet."""
        for entry in ledger_journal.entries(connection):
            for record in entry.body.records:
                if record[0] == number:
                    row = asdict(self._rows.told(tuple(record)))
                    return {**row, "inputs": waiting_inputs(connection, row, entry.body.inputs)}
        return None

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

    def _note(
        self, connection: Connection, new: Sequence[Prediction], inputs: Sequence[Inputs]
    ) -> list[tuple[Any, ...]]:
        """Add those of the predictions that are new to the journal, and return their records."""
        made = {prediction.made_ms for prediction in new}
        known = self._known(connection, made)
        fresh: dict[Key, Prediction] = {}
        for prediction in new:
            key = key_of(prediction)
            if key not in known:
                fresh.setdefault(key, prediction)
        records = _numbered(connection, list(fresh.values()))
        if records:
            self._inputs.keep_names(connection)
            parts = -(-len(records) // ROWS_A_VERSION)
            version = max(ledger_journal.ends(connection)[1], _version(connection)) + parts
            ledger_journal.note(connection, max(made), records, self._inputs.records(inputs), version)
        return records

    def _known(self, connection: Connection, made: set[int]) -> set[Key]:
        """Return the keys of the rows made at these times, those that wait in the journal too."""
        there = {tuple(row) for made_ms in made for row in connection.execute(_KEYS_MADE, {"made_ms": made_ms})}
        return there.union(ledger_journal.keys(connection, made))

    def _settle(self, connection: Connection) -> None:
        """Give what the journal holds its place; whoever writes rows does this first, so that numbers stay in order."""
        waiting = ledger_journal.entries(connection)
        if not waiting:
            return
        for entry in waiting:
            insert_inputs(connection, entry.body.inputs)
            self._insert(connection, [tuple(record) for record in entry.body.records])
        _advance(connection, waiting[-1].version)
        ledger_journal.drop(connection, waiting[-1].number)

    def _insert(self, connection: Connection, records: list[tuple[Any, ...]]) -> None:
        """Write the records whose symbol, horizon and candle have no row yet, with their link of the chain."""
        if not records:
            return
        written = connection.exec_driver_sql(_INSERT_PREDICTIONS, records).rowcount
        _keep_newest(connection, records)
        if written != len(records):
            there = connection.execute(select(predictions.c.seq).where(predictions.c.seq >= records[0][0])).scalars()
            numbers = set(there)
            records = [record for record in records if record[0] in numbers]
        if records:
            ledger_chain.add_link(connection, records)

    def _newest_first(self) -> Select[Any]:
        query = select(predictions).where(predictions.c.interval == self._interval)
        return query.order_by(predictions.c.made_ms.desc(), predictions.c.seq.desc())

    def _read(self, query: Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            return [self._rows.shown(row) for row in connection.execute(query).mappings()]


def _keep_newest(connection: Connection, records: list[tuple[Any, ...]]) -> None:
    # Records come oldest first: of each symbol and horizon the last one stays.
    newest = {record[1:4]: (*record[1:5], record[0]) for record in records}
    connection.exec_driver_sql(_KEEP_NEWEST, list(newest.values()))


def _numbered(connection: Connection, new: Sequence[Prediction]) -> list[tuple[Any, ...]]:
    """Return the predictions as records, with the next free numbers.

    These lie above the numbers of rows that a damaged file may have lost (`data.damage`), and of those that wait.
    """
    highest, floor = connection.execute(_HIGHEST).one()
    first = max((highest or 0) + 1, floor or 0, ledger_journal.ends(connection)[0] + 1)
    return [record_of(prediction, first + index) for index, prediction in enumerate(new)]


def _advance(connection: Connection, version: int) -> None:
    connection.execute(_KEEP_VERSION, {"version": version})


def _version(connection: Connection) -> int:
    found: int = connection.execute(_VERSION).scalar() or 0
    return found

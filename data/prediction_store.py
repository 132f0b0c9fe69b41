"""The ledger: every prediction is a row before it is shown, scored once when its horizon has passed, never changed."""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Engine, Select, func, select

from data import ledger_blocks, ledger_chain, ledger_journal
from data.database import transaction
from data.ledger_inputs import InputForm, Inputs, insert_inputs, load_inputs, waiting_inputs
from data.ledger_pages import newest_first, page_of
from data.ledger_rows import Row, RowForm, Told
from data.ledger_tables import newest_predictions, predictions
from data.ledger_writing import ROWS_A_VERSION, add, advance, note, settle, version_of
from data.scoring import score_due
from market.intervals import duration_ms, interval_ms
from market.predictions import Prediction

NO_CHAIN: dict[str, Any] = {"links": 0, "last_id": None, "head": None}
_SCORED_AT_ONCE = 8_000  # rows of a close are fewer; of a whole record each group's sums are touched less often
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
                records, version = note(connection, new, inputs, self._inputs)
                if not is_timely():
                    raise _TooLateError
        except _TooLateError:
            return Published(self.version(), [])
        return Published(version, [self._rows.told(record) for record in reversed(records)])

    def settle(self) -> None:
        """Give all that was published its place among the rows; a kill leaves it published, for the next call."""
        with transaction(self._engine) as connection:
            settle(connection)

    def add_replayed(self, new: Sequence[Prediction], inputs: Sequence[Inputs]) -> None:
        """Write many walk-forward rows in short transactions."""
        for start in range(0, len(inputs), _CHUNK):
            with transaction(self._engine) as connection:
                self._inputs.keep_names(connection)
                insert_inputs(connection, self._inputs.records(inputs[start : start + _CHUNK]))
        for start in range(0, len(new), _CHUNK):
            with transaction(self._engine) as connection:
                add(connection, new[start : start + _CHUNK])

    def score(self, market_ms: int, stopped: Collection[str] = ()) -> list[int]:
        """Score every row that is due and whose outcome candle is in the store; return their numbers.

        `stopped`: symbols that no longer trade; their rows that stay without an outcome become void.
        """
        scored: list[int] = []
        while True:
            with transaction(self._engine) as connection:
                settle(connection)
                part = score_due(connection, self._interval, self._interval_ms, market_ms, stopped, _SCORED_AT_ONCE)
                if part.numbers:
                    advance(connection, version_of(connection) + 1)
            scored += part.numbers
            if not part.is_more:
                return scored

    # reading

    def version(self) -> int:
        """Return a number that grows with every change of the ledger."""
        with self._engine.connect() as connection:
            return version_of(connection)

    def chain(self) -> dict[str, Any]:
        """Return the newest link of the chain over the rows (`data.ledger_chain`), as the API shows it."""
        with self._engine.connect() as connection:
            head = ledger_chain.head(connection)
        if head is None:
            return NO_CHAIN
        return {"links": head.links, "last_id": self._rows.id(head.last_seq), "head": head.digest.hex()}

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
        words = {"symbol": symbol, "horizon": horizon, "model": model, "origin": origin, "state": state}
        wanted = {name: value for name, value in words.items() if value is not None}
        before = None if cursor is None else self._rows.place(cursor)
        query = newest_first(predictions, self._interval, wanted, before)
        return page_of(self._newest(query, wanted, before, limit + 1), limit, self._rows)

    def row(self, id_: str) -> Row | None:
        """Return one row with its inputs, or None when there is none of that id."""
        number = self._rows.number(id_)
        if number is None:
            return None
        with self._engine.connect() as connection:
            found = connection.execute(select(predictions).where(predictions.c.seq == number)).mappings().first()
            row = found or ledger_blocks.row_of(connection, number)
            if row is None:
                return self._waiting(connection, number)
            return {**self._rows.shown(row), "inputs": load_inputs(connection, row)}

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
        query = query.order_by(predictions.c.due_ms.desc(), predictions.c.seq.desc()).limit(limit)
        wanted = {"origin": origin} | ({} if horizon is None else {"horizon": horizon})
        with self._engine.connect() as connection, connection.begin():
            live: Sequence[ledger_blocks.Row] = connection.execute(query).mappings().all()
            least_ms = live[-1]["due_ms"] if len(live) == limit else 0
            sealed = ledger_blocks.calls(connection, self._interval, wanted, least_ms)
            both = heapq.merge(live, sealed, key=lambda row: (row["due_ms"], row["seq"]), reverse=True)
            return [self._rows.shown(row) for row in islice(both, limit)]

    def last_scored(self, limit: int, symbol: str, horizon: str | None = None) -> list[Row]:
        """Return the rows of a symbol that were scored last, newest outcome first."""
        query = select(predictions).where(predictions.c.symbol == symbol, predictions.c.state == "scored")
        query = query.where(predictions.c.interval == self._interval)
        if horizon is not None:
            query = query.where(predictions.c.horizon == horizon)
        query = query.order_by(predictions.c.made_ms.desc(), predictions.c.seq.desc())
        wanted = {"symbol": symbol, "state": "scored"} | ({} if horizon is None else {"horizon": horizon})
        return self._newest(query, wanted, None, limit)

    def first_live_ms(self) -> int | None:
        """Return the open time of the first candle that has a live row: replayed rows end before it."""
        query = select(func.min(predictions.c.candle_open_ms)).where(
            predictions.c.origin == "live", predictions.c.interval == self._interval
        )
        with self._engine.connect() as connection, connection.begin():
            found = connection.execute(query).scalar(), ledger_blocks.ends(connection, self._interval)[0]
        return min((open_ms for open_ms in found if open_ms is not None), default=None)

    # private

    def _newest(
        self, query: Select[Any], wanted: Mapping[str, str], before: ledger_blocks.Place | None, limit: int
    ) -> list[Row]:
        """Return the newest rows of a query and of the blocks, which are asked for the same."""
        with self._engine.connect() as connection, connection.begin():
            live: Sequence[ledger_blocks.Row] = connection.execute(query.limit(limit)).mappings().all()
            least_ms = live[-1]["made_ms"] if len(live) == limit and limit else 0
            sealed = ledger_blocks.rows_before(connection, self._interval, wanted, before, least_ms)
            both = heapq.merge(live, sealed, key=ledger_blocks.place_of, reverse=True)
            return [self._rows.shown(row) for row in islice(both, limit)]

    def _read(self, query: Select[Any]) -> list[Row]:
        with self._engine.connect() as connection:
            return [self._rows.shown(row) for row in connection.execute(query).mappings()]

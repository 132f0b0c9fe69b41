"""Signals of others, imported and scored by the rules of our own rows, and kept apart from them.

They are rows like those of the ledger, with the origin `imported` and the model `foreign:<source>`, in a table of their
own: nobody here can say when they were really made, so they are in no list and no figure of ours.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Index, Table, select

from data.candle_store import CandleStore
from data.database import metadata, transaction
from data.ledger_pages import newest_first, page_of
from data.ledger_rows import MADE, Row, RowForm
from data.ledger_tables import predictions
from data.ledger_writing import advance, settle, version_of
from data.scoring import Closes, score_by
from data.signal_file import Signal
from market.intervals import duration_ms, interval_ms
from market.predictions import Verdict
from trading.signals import decide, edge_bps

ORIGIN = "imported"
PREFIX = "foreign:"  # of the model's name
_OUTCOME = (
    "outcome_return_bps",
    "outcome_up",
    "brier",
    "inside_interval",
    "net_bps",
    "scored_ms",
    "void_reason",
)


def _like_predictions(name: str) -> Column[Any]:
    column = predictions.c[name]
    return Column(name, column.type, primary_key=column.primary_key, nullable=column.nullable)


foreign_signals = Table("foreign_signals", metadata, *(_like_predictions(name) for name in (*MADE, *_OUTCOME)))
_c = foreign_signals.c
Index("foreign_key", _c.symbol, _c.candle_open_ms, _c.horizon, _c.interval, _c.model, unique=True)
Index("foreign_newest", _c.made_ms)
Index("foreign_open", _c.due_ms, sqlite_where=_c.state == "open")

_INSERT = f"""
    INSERT INTO foreign_signals ({", ".join(MADE[1:])}) VALUES ({", ".join("?" * (len(MADE) - 1))})
    ON CONFLICT DO NOTHING"""  # noqa: S608  constants only
# What a signal said, in the order of its fields; the rest of a row follows from it and from the candles.
_SAID = ("verdict", "probability_up", "expected_return_bps", "low_bps", "high_bps", "coverage")


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of signals: new rows, rows that were there, and those a row cannot be made of."""

    added: int
    known: int
    differing: list[Signal]  # known, but said otherwise before: the first word stays
    without_candle: list[Signal]
    scored: int


def is_foreign(wanted: Mapping[str, Any]) -> bool:
    """Return whether these filters of a list ask for imported signals: by their origin or their model."""
    origin, model = wanted.get("origin"), wanted.get("model") or ""
    return origin == ORIGIN or (origin is None and model.startswith(PREFIX))


class ForeignStore:
    """The imported signals of one market and one base interval."""

    def __init__(self, engine: Engine, market: str, interval: str) -> None:
        """Keep signals of `market` about `interval` candles."""
        self._engine = engine
        self._interval = interval
        self._interval_ms = interval_ms(interval)
        self._candles = CandleStore(engine, interval)
        self._rows = RowForm(market, f"foreign-{Path(str(engine.url.database)).stem}")

    def keep(self, signals: Sequence[Signal], cost_bps: float) -> Kept:
        """Write the signals and the outcomes there are, all of them or none; SourceUnavailable where that fails."""
        self._candles.settle()  # outcomes are read where candles have their place
        prices = self._candles.closes(list({(signal.symbol, signal.candle_open_ms) for signal in signals}))
        usable = [signal for signal in signals if (signal.symbol, signal.candle_open_ms) in prices]
        records = [self._record(one, prices[one.symbol, one.candle_open_ms], cost_bps) for one in usable]
        newest_ms = max(self._candles.newest().values(), default=0) + self._interval_ms
        closes = self._closes(newest_ms, usable)
        with transaction(self._engine) as connection:
            settle(connection)  # what was published before has the lower version
            added = connection.exec_driver_sql(_INSERT, records).rowcount if records else 0
            differing = [] if added == len(records) else self._differing(connection, usable, records)
            scored = self._score(connection, newest_ms, (), closes)
            if added or scored:
                advance(connection, version_of(connection) + 1)
        left_out = [one for one in signals if (one.symbol, one.candle_open_ms) not in prices]
        return Kept(added, len(records) - added, differing, left_out, scored)

    def score(self, market_ms: int, stopped: Collection[str] = ()) -> int:
        """Score what has become due, as `PredictionStore.score` does; return how many rows."""
        closes = self._closes(market_ms)
        with transaction(self._engine) as connection:
            settle(connection)  # what was published before has the lower version
            scored = self._score(connection, market_ms, stopped, closes)
            if scored:
                advance(connection, version_of(connection) + 1)
        return scored

    def has_open(self) -> bool:
        """Return whether any row still waits for its outcome."""
        with self._engine.connect() as connection:
            return connection.execute(select(_c.seq).where(_c.state == "open").limit(1)).first() is not None

    def ledger(
        self, *, limit: int = 100, cursor: str | None = None, **wanted: str | None
    ) -> tuple[list[Row], str | None]:
        """Return rows, newest first, and the cursor of the page after them or None (`PredictionStore.ledger`)."""
        words = {name: value for name, value in wanted.items() if value is not None}
        before = None if cursor is None else self._rows.place(cursor)
        query = newest_first(foreign_signals, self._interval, words, before).limit(limit + 1)
        with self._engine.connect() as connection:
            rows = [self._rows.shown(row) for row in connection.execute(query).mappings()]
        return page_of(rows, limit, self._rows)

    def row(self, id_: str) -> Row | None:
        """Return one row; what its maker saw is not known, so it has no inputs."""
        number = self._rows.number(id_)
        if number is None:
            return None
        with self._engine.connect() as connection:
            found = connection.execute(select(foreign_signals).where(_c.seq == number)).mappings().first()
        return None if found is None else {**self._rows.shown(found), "inputs": {}}

    def _closes(self, market_ms: int, new: Sequence[Signal] = ()) -> Closes:
        """Return the closes a horizon after and before the candles of due rows and of `new` signals.

        Signals may be about sealed months: these are read here, before the write lock is taken.
        """
        query = select(_c.symbol, _c.candle_open_ms, _c.due_ms - _c.made_ms)
        query = query.where(_c.state == "open", _c.due_ms <= market_ms, _c.interval == self._interval)
        with self._engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        rows += [(one.symbol, one.candle_open_ms, duration_ms(one.horizon)) for one in new]
        ways = {(symbol, open_ms + way) for symbol, open_ms, way_ms in rows for way in (way_ms, -way_ms)}
        return self._candles.closes(list(ways))

    def _score(self, connection: Connection, market_ms: int, stopped: Collection[str], closes: Closes) -> int:
        interval, length_ms = self._interval, self._interval_ms
        return len(score_by(connection, foreign_signals, interval, length_ms, market_ms, stopped, closes))

    def _record(self, signal: Signal, price: float, cost_bps: float) -> tuple[Any, ...]:
        """Return the values of `MADE` but for the number; an expected move decides the verdict."""
        made_ms = signal.candle_open_ms + self._interval_ms
        expected = signal.expected_return_bps
        verdict, reason = signal.direction or Verdict.ABSTAIN, None
        if expected is not None:
            verdict = decide(expected, cost_bps)
        if verdict is Verdict.ABSTAIN:
            reason = "no direction" if expected is None else "cost"
        return (
            signal.symbol,
            self._interval,
            signal.horizon,
            signal.candle_open_ms,
            made_ms,
            made_ms + duration_ms(signal.horizon),
            price,
            cost_bps,
            verdict.value,
            reason,
            ORIGIN,
            f"{PREFIX}{signal.source}",
            signal.probability_up,
            expected,
            signal.low_bps,
            signal.high_bps,
            signal.coverage,
            None if expected is None else edge_bps(expected, cost_bps),
            "open",
        )

    def _differing(
        self, connection: Connection, signals: Sequence[Signal], records: Sequence[tuple[Any, ...]]
    ) -> list[Signal]:
        """Return the signals whose row, there before, says something else."""
        said = [MADE.index(name) - 1 for name in _SAID]
        first_ms, last_ms = min(one.candle_open_ms for one in signals), max(one.candle_open_ms for one in signals)
        query = select(_c.symbol, _c.candle_open_ms, _c.horizon, _c.model, *(_c[name] for name in _SAID))
        query = query.where(_c.interval == self._interval, _c.candle_open_ms.between(first_ms, last_ms))
        kept = {tuple(row[:4]): tuple(row[4:]) for row in connection.execute(query)}
        return [
            signal
            for signal, record in zip(signals, records, strict=True)
            if kept[signal.symbol, signal.candle_open_ms, signal.horizon, f"{PREFIX}{signal.source}"]
            != tuple(record[at] for at in said)
        ]

"""What models in the shadow said of the candles their champion spoke of, and how both of them scored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import BigInteger, Column, Connection, Engine, Float, LargeBinary, Table, Text, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from data.database import metadata, transaction
from data.ledger_tables import predictions
from data.paired_score import SUMS, Compared, compare
from market.intervals import duration_ms, interval_ms

_PATIENCE_CANDLES = 24  # after it is due, until the rows still without an outcome are given up
_AT_ONCE = 100

# One row a horizon, candle and model in the shadow, until its outcome is known: the ledger never sees these.
shadow_rows = Table(
    "shadow_rows",
    metadata,
    Column("candle_open_ms", BigInteger, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("champion", Text, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("symbols", Text, nullable=False),  # JSON list
    Column("probabilities", LargeBinary, nullable=False),  # float64, little endian: the model's, then the champion's
    sqlite_with_rowid=False,
)
shadow_sums = Table(
    "shadow_sums",
    metadata,
    Column("model", Text, primary_key=True),
    Column("champion", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("block", BigInteger, primary_key=True),  # made_ms // horizon
    *(Column(name, Float, nullable=False) for name in SUMS),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """What a model in the shadow said of candles that closed together, beside what its champion said."""

    horizon: str
    candle_open_ms: int
    model: str
    champion: str
    symbols: tuple[str, ...]
    probabilities: np.ndarray  # float64 (2, symbols)


class ShadowStore:
    """The shadow rows of one base interval."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use the database behind `engine`; writing needs one opened for writing."""
        self._engine = engine
        self._interval = interval
        self._interval_ms = interval_ms(interval)

    def keep(self, rows: Sequence[ShadowRow]) -> None:
        """Write rows down before their outcome is known; one that is there stays as it is."""
        records = [
            {
                "candle_open_ms": row.candle_open_ms,
                "horizon": row.horizon,
                "interval": self._interval,
                "model": row.model,
                "champion": row.champion,
                "due_ms": row.candle_open_ms + self._interval_ms + duration_ms(row.horizon),
                "symbols": json.dumps(row.symbols),
                "probabilities": np.ascontiguousarray(row.probabilities, dtype="<f8").tobytes(),
            }
            for row in rows
        ]
        with transaction(self._engine) as connection:
            connection.execute(insert(shadow_rows).on_conflict_do_nothing(), records)

    def settle(self, market_ms: int) -> bool:
        """Score the rows whose outcomes the ledger knows by now, a hundred at most; return whether any were."""
        c = shadow_rows.c
        query = select(shadow_rows).where(c.interval == self._interval, c.due_ms <= market_ms)
        with self._engine.connect() as connection:
            due = connection.execute(query.order_by(c.due_ms).limit(_AT_ONCE)).all()
            outcomes = [self._outcomes(connection, row.horizon, row.candle_open_ms) for row in due]
        late_ms = market_ms - _PATIENCE_CANDLES * self._interval_ms
        settled = [
            (row, ups)
            for row, ups in zip(due, outcomes, strict=True)
            if (ups and None not in ups.values()) or row.due_ms < late_ms
        ]
        if not settled:
            return False
        with transaction(self._engine) as connection:
            for row, ups in settled:
                _add(connection, row, self._interval_ms, {name: up for name, up in ups.items() if up is not None})
            keys = [(row.candle_open_ms, row.horizon, row.interval, row.model) for row, _ in settled]
            connection.execute(
                shadow_rows.delete().where(tuple_(c.candle_open_ms, c.horizon, c.interval, c.model).in_(keys))
            )
        return True

    def compared(self, horizon: str, model: str, champion: str, since_ms: int = 0) -> Compared:
        """Return how a model in the shadow did against a champion, on the rows both spoke of in spans since then."""
        c = shadow_sums.c
        query = select(*(c[name] for name in SUMS)).where(
            c.model == model,
            c.champion == champion,
            c.horizon == horizon,
            c.interval == self._interval,
            c.block >= -(-since_ms // duration_ms(horizon)),
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(c.block)).all()
        return compare(np.array([tuple(row) for row in rows], dtype=float).reshape(-1, len(SUMS)))

    def _outcomes(self, connection: Connection, horizon: str, candle_open_ms: int) -> dict[str, int | None]:
        """Return for each symbol of the candle whether it went up; None while its row is open. Void rows have none."""
        p = predictions.c
        query = select(p.symbol, p.outcome_up).where(
            p.made_ms == candle_open_ms + self._interval_ms,
            p.horizon == horizon,
            p.interval == self._interval,
            p.state != "void",
        )
        return {row.symbol: row.outcome_up for row in connection.execute(query)}


def _add(connection: Connection, row: object, length_ms: int, ups: dict[str, int]) -> None:
    """Add the scores of one row to the sums of its span."""
    names = json.loads(row.symbols)  # type: ignore[attr-defined]
    said = np.frombuffer(row.probabilities, dtype="<f8").reshape(2, len(names))  # type: ignore[attr-defined]
    kept = [index for index, name in enumerate(names) if name in ups]
    if not kept:
        return
    outcome = np.array([ups[names[index]] for index in kept], dtype=float)
    brier, champion_brier = ((said[:, kept] - outcome) ** 2).sum(axis=1).tolist()
    horizon_ms = duration_ms(row.horizon)  # type: ignore[attr-defined]
    keys = {name: getattr(row, name) for name in ("model", "champion", "horizon", "interval")}
    block = (row.candle_open_ms + length_ms) // horizon_ms  # type: ignore[attr-defined]
    values = {"n": float(len(kept)), "brier": brier, "champion_brier": champion_brier}
    upsert = insert(shadow_sums).values(**keys, block=block, **values)
    changed = {name: shadow_sums.c[name] + upsert.excluded[name] for name in SUMS}
    connection.execute(upsert.on_conflict_do_update(index_elements=[*keys, "block"], set_=changed))

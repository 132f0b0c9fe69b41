"""Who speaks for each horizon, who predicts in the shadow, and every change of it with its reason and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import BigInteger, Column, Engine, Float, Integer, Table, Text, delete, insert, select

from data.database import metadata, transaction
from data.paired_score import NOTHING, Compared
from market.intervals import DAY_MS

MODEL_LIFE_MS = 7 * DAY_MS  # market time after which a model that was not renewed abstains
PERSON = "a person"
ENGINE = "the engine"

model_roles = Table(
    "model_roles",
    metadata,
    Column("interval", Text, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("role", Text, primary_key=True),  # a field of Roles
    Column("model", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("given_by", Text, nullable=False),
    sqlite_with_rowid=False,
)
model_changes = Table(
    "model_changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("interval", Text, nullable=False),
    Column("horizon", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),  # market time
    Column("kind", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("before", Text),  # the champion it replaced
    Column("made_by", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("n", Integer),  # the paired comparison it rests on
    Column("difference", Float),
    Column("low", Float),
    Column("high", Float),
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A model in a role, since when (market time), and who gave it the role."""

    model: str
    since_ms: int
    given_by: str = ENGINE


@dataclass(frozen=True, slots=True)
class Roles:
    """The models of one horizon that predict: the champion in the open, the others in its shadow."""

    champion: Holder | None = None
    predecessor: Holder | None = None  # the champion before: there to go back to
    challenger: Holder | None = None  # newer, on trial

    def models(self) -> list[str]:
        """Return the models that have a role."""
        return [holder.model for holder in (self.champion, self.predecessor, self.challenger) if holder]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a model: serves, challenges, promoted, rolled back, dropped, or not done."""

    at_ms: int
    horizon: str
    kind: str
    model: str
    text: str
    before: str | None = None
    made_by: str = ENGINE
    compared: Compared = NOTHING


_ROLES = tuple(field.name for field in fields(Roles))


class ChampionStore:
    """The roles and changes of one base interval."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use the database behind `engine`; writing needs one opened for writing."""
        self._engine = engine
        self._interval = interval

    def roles(self) -> dict[str, Roles]:
        """Return the roles of each horizon that has any."""
        query = select(model_roles).where(model_roles.c.interval == self._interval)
        found: dict[str, dict[str, Holder]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                found.setdefault(row.horizon, {})[row.role] = Holder(row.model, row.since_ms, row.given_by)
        return {horizon: Roles(**holders) for horizon, holders in found.items()}

    def record(self, change: Change, roles: Roles | None = None) -> None:
        """Write down what happened and who has which role of that horizon now, both or neither; None: as before."""
        here = (model_roles.c.interval == self._interval) & (model_roles.c.horizon == change.horizon)
        rows = [
            {
                "interval": self._interval,
                "horizon": change.horizon,
                "role": role,
                "model": holder.model,
                "since_ms": holder.since_ms,
                "given_by": holder.given_by,
            }
            for role in _ROLES
            if (holder := getattr(roles, role, None)) is not None
        ]
        with transaction(self._engine) as connection:
            connection.execute(insert(model_changes), [self._row(change)])
            if roles is not None:
                connection.execute(delete(model_roles).where(here))
            if rows:
                connection.execute(insert(model_roles), rows)

    def seen(self, horizon: str) -> set[str]:
        """Return every model of a horizon that ever had a role: none is tried twice."""
        c = model_changes.c
        query = select(c.model, c.before).where(c.interval == self._interval, c.horizon == horizon)
        with self._engine.connect() as connection:
            return {name for row in connection.execute(query) for name in row if name is not None}

    def changes(self, limit: int, horizons: Sequence[str] = ()) -> list[Change]:
        """Return the last changes, newest first."""
        c = model_changes.c
        query = select(model_changes).where(c.interval == self._interval)
        if horizons:
            query = query.where(c.horizon.in_(horizons))
        with self._engine.connect() as connection:
            return [_change(row) for row in connection.execute(query.order_by(c.seq.desc()).limit(limit))]

    def _row(self, change: Change) -> dict[str, Any]:
        compared = change.compared
        return {
            "interval": self._interval,
            "horizon": change.horizon,
            "at_ms": change.at_ms,
            "kind": change.kind,
            "model": change.model,
            "before": change.before,
            "made_by": change.made_by,
            "text": change.text,
            "n": compared.n,
            "difference": compared.difference,
            "low": compared.low,
            "high": compared.high,
        }


def _change(row: Any) -> Change:
    compared = Compared(n=row.n or 0, difference=row.difference, low=row.low, high=row.high)
    return Change(row.at_ms, row.horizon, row.kind, row.model, row.text, row.before, row.made_by, compared)

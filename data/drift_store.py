"""What models have seen of late: for each and each day, how often every feature fell into each of its tenths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Column, Engine, LargeBinary, Table, Text, delete, select
from sqlalchemy.dialects.sqlite import insert

from data.database import metadata, transaction
from data.drift import BINS, edges_of, limits_of, stability
from market.errors import ModelError

KEPT_DAYS = 7  # the days that make the index
DRIFT_ROWS, DRIFT_DAYS = 1_000, 3  # less says nothing of a drift

drift_days = Table(
    "drift_days",
    metadata,
    Column("model", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("day", BigInteger, primary_key=True),  # of the market, since 1970
    Column("counts", LargeBinary, nullable=False),  # int64 (features, BINS), little endian
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one feature has moved from the training."""

    feature: str
    index: float
    limit: float

    @property
    def has_moved(self) -> bool:
        """Return whether it is beyond its limit."""
        return self.index > self.limit


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The features of a model over the last days, the one that moved most first."""

    n: int  # rows
    days: int  # of the market, the first and the last in part
    features: tuple[Drift, ...]

    @property
    def is_enough(self) -> bool:
        """Return whether so many rows say anything."""
        return self.n >= DRIFT_ROWS and self.days >= DRIFT_DAYS

    @property
    def moved(self) -> list[str]:
        """Return the features that have moved beyond the limit, the one that moved most first; none of too few rows."""
        return [one.feature for one in self.features if one.has_moved and self.is_enough]


class DriftStore:
    """The counts of one base interval."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Use the database behind `engine`; writing needs one opened for writing."""
        self._engine = engine
        self._interval = interval

    def keep(self, day: int, counts: Mapping[str, np.ndarray]) -> None:
        """Write the counts of a day by model in place of those there, and let days that are too old go."""
        c = drift_days.c
        rows = [
            {"model": model, "interval": self._interval, "day": day, "counts": _bytes(table)}
            for model, table in counts.items()
        ]
        with transaction(self._engine) as connection:
            if rows:
                upsert = insert(drift_days)
                changed = {"counts": upsert.excluded.counts}
                connection.execute(upsert.on_conflict_do_update(index_elements=list(rows[0])[:3], set_=changed), rows)
            connection.execute(delete(drift_days).where(c.interval == self._interval, c.day <= day - KEPT_DAYS))

    def load(self, model: str, day: int, features: int) -> np.ndarray:
        """Return what was counted on a day so far: (features, BINS) int64."""
        c = drift_days.c
        query = select(c.counts).where(c.model == model, c.interval == self._interval, c.day == day)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar()
        return _table([found], features)

    def report(self, model: str, features: Sequence[str], spread: Mapping[str, Any] | None) -> DriftReport | None:
        """Return how the features of a model have moved; None while nothing is known of it."""
        if spread is None or not _is_whole(spread, len(features)):
            return None
        c = drift_days.c
        query = select(c.counts).where(c.model == model, c.interval == self._interval)
        with self._engine.connect() as connection:
            days = list(connection.execute(query).scalars())
        counts = _table(days, len(features))
        n = int(counts[0].sum()) if len(counts) else 0
        if not n:
            return None
        indexes, limits = stability(spread, counts).tolist(), limits_of(spread).tolist()
        drifts = map(Drift, features, indexes, limits)
        return DriftReport(n, len(days), tuple(sorted(drifts, key=lambda one: -one.index / one.limit)))


def _is_whole(spread: Mapping[str, Any], features: int) -> bool:
    try:
        edges_of(spread, features)
        limits_of(spread)
    except ModelError:
        return False
    return True


def _bytes(counts: np.ndarray) -> bytes:
    return np.ascontiguousarray(counts, dtype="<i8").tobytes()


def _table(found: Sequence[bytes | None], features: int) -> np.ndarray:
    """Return the sum of some days; one of another shape, from before a change of the features, counts nothing."""
    total = np.zeros((features, BINS), np.int64)
    for content in found:
        if content is not None and len(content) == total.nbytes:
            total += np.frombuffer(content, dtype="<i8").reshape(total.shape)
    return total

"""Scores of the ledger's rows, read from sums that scoring keeps, so that no page ever scans the ledger."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select

from data.ledger_tables import SUMS, calibration_bins, skill_blocks
from data.regimes import REGIMES, week_of
from data.skill import Group, Scores, compute_skills, independent_parts, told_spans
from data.skill_tables import part_bins, regime_blocks
from market.intervals import duration_ms

PARTS = ("model", "week", "regime")  # what rows are told apart by, beside the horizon
OURS = ("live", "replayed")  # the origins of our own rows; imported ones are shown when they are asked for
_BIN_SUMS = ("n", "probability_sum", "ups")
_Group = tuple[str, str, str, str]  # symbol ("" for all together), horizon, origin, part ("" for none)
_Filter = dict[str, str | None]


class SkillStore:
    """The scores of one market and one base interval."""

    def __init__(self, engine: Engine, market: str, interval: str) -> None:
        """Read scores of rows made from `interval` candles; `market` is written into each item."""
        self._engine = engine
        self._market = market
        self._interval = interval

    def skill(
        self,
        *,
        symbol: str | None = None,
        horizon: str | None = None,
        model: str | None = None,
        origin: str | None = None,
        by: str | None = None,
    ) -> list[Scores]:
        """Return the scores of each symbol, horizon and origin; with `by` of all symbols together.

        by="horizon": one item a horizon and origin; by="model", "week" or "regime": one for each of these, too, of all
        symbols or of the one that is asked for.
        """
        wanted = {"symbol": symbol, "horizon": horizon, "model": model, "origin": origin}
        with self._engine.connect() as connection:
            spans = self._spans(connection, wanted, by)
            bins = self._bins(connection, wanted, by)
        groups = sorted(spans, key=_order)
        parts = [_group(spans[group], bins.get(group), has_holes=by == "regime") for group in groups]
        items = []
        for (name, length, source, part), scores in zip(groups, compute_skills(parts), strict=True):
            shown = symbol if by in PARTS else name or None
            head = {"symbol": shown, "horizon": length, "origin": source, "market": self._market}
            named = {by: part} if by in PARTS else {}
            items.append({**head, **({"model": model} if model else {}), **named, **scores})
        return items

    def recent(self, horizon: str, since_ms: int) -> list[Scores]:
        """Return the scores of all symbols together in the spans of one horizon that end after `since_ms`.

        One item an origin; its calibration is empty, because tenths of probability are not kept by time.
        """
        c = skill_blocks.c
        query = select(c.origin, c.block, *(func.sum(c[name]) for name in SUMS))
        query = query.where(c.interval == self._interval, c.horizon == horizon)
        query = query.where(c.origin.in_(("live", "replayed")), c.block >= since_ms // duration_ms(horizon))
        with self._engine.connect() as connection:
            rows = connection.execute(query.group_by(c.origin, c.block).order_by(c.origin, c.block)).all()
        spans = _tables(rows, 1)
        head = {"symbol": None, "horizon": horizon, "market": self._market}
        scores = compute_skills([Group(table[:, 1:], []) for table in spans.values()])
        return [{**head, "origin": origin, **one} for (origin,), one in zip(spans, scores, strict=True)]

    def _spans(self, connection: Connection, wanted: _Filter, by: str | None) -> dict[_Group, np.ndarray]:
        """Return for each group its (span, sums ...), a row for each span in order of time."""
        table = regime_blocks if by == "regime" else skill_blocks
        part = {"model": table.c.model, "regime": table.c.get("regime")}.get(by or "")
        groups = self._sums(connection, table, "block", SUMS, wanted, by, part)
        if by != "week":
            return groups
        weeks: dict[_Group, np.ndarray] = {}
        for (symbol, horizon, origin, _), spans in groups.items():
            length_ms = duration_ms(horizon)
            names = np.array([week_of(int(span) * length_ms) for span in spans[:, 0]])
            weeks |= {(symbol, horizon, origin, str(name)): spans[names == name] for name in np.unique(names)}
        return weeks

    def _bins(self, connection: Connection, wanted: _Filter, by: str | None) -> dict[_Group, np.ndarray]:
        """Return for each group its (bin, n, sum of probabilities, ups), a row for each bin."""
        table = part_bins if by in ("week", "regime") else calibration_bins
        part = {"model": table.c.model, "week": table.c.get("part"), "regime": table.c.get("part")}.get(by or "")
        return self._sums(connection, table, "bin", _BIN_SUMS, wanted, by, part)

    def _sums(
        self,
        connection: Connection,
        table: Table,
        span: str,
        names: tuple[str, ...],
        wanted: _Filter,
        by: str | None,
        part: ColumnElement[Any] | None,
    ) -> dict[_Group, np.ndarray]:
        """Return for each group its (span, sums ...), a row for each span in order of the span."""
        c = table.c
        keys = [*([] if by else [c.symbol]), c.horizon, c.origin, *([] if part is None else [part])]
        if by:
            query = select(*keys, c[span], *(func.sum(c[name]) for name in names))
            query = query.group_by(*keys, c[span]).order_by(*keys, c[span])
        else:  # nearly every row is a span of its own: to take them as they lie is 2x over having them summed
            query = select(*keys, c[span], *(c[name] for name in names)).order_by(*keys)
        query = query.where(c.interval == self._interval)
        query = query.where(c.origin.in_(OURS) if wanted["origin"] is None else c.origin == wanted["origin"])
        for name in ("symbol", "horizon", "model"):
            if wanted[name] is not None:
                query = query.where(c[name] == wanted[name])
        groups: dict[_Group, np.ndarray] = {}
        for key, numbers in _tables(connection.execute(query).all(), len(keys)).items():
            head = [*([""] if by else []), *key, *([""] if part is None else [])]
            groups[head[0], head[1], head[2], head[3]] = numbers if by else _summed(numbers)
        return groups


def _tables(rows: Sequence[Any], keys: int) -> dict[tuple[str, ...], np.ndarray]:
    """Return the numbers of rows that begin with so many keys, by these; rows with the same ones follow each other."""
    numbers = itemgetter(slice(keys, None))
    grouped = groupby(rows, itemgetter(slice(keys)))
    return {tuple(key): np.array([numbers(row) for row in some], dtype=float) for key, some in grouped}


def _summed(numbers: np.ndarray) -> np.ndarray:
    """Return (span, sums ...) with the sums of each span added up over the models, in order of the span."""
    spans = numbers[:, 0]
    if (spans[1:] > spans[:-1]).all():
        return numbers
    numbers = numbers[np.argsort(spans, kind="stable")]
    starts = np.flatnonzero(np.diff(numbers[:, 0], prepend=-np.inf))
    return np.column_stack([numbers[starts, 0], np.add.reduceat(numbers[:, 1:], starts)])


def _group(spans: np.ndarray, bins: np.ndarray | None, *, has_holes: bool) -> Group:
    independent = independent_parts(told_spans(spans)[:, 0].astype(int).tolist()) if has_holes else None
    tenths = [] if bins is None else [(int(row[0]), *row[1:].tolist()) for row in bins]
    return Group(spans[:, 1:], tenths, independent)


def _order(group: _Group) -> tuple[str, int, str, int, str]:
    symbol, horizon, origin, part = group
    return symbol, duration_ms(horizon), origin, REGIMES.index(part) if part in REGIMES else 0, part

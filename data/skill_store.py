"""Scores of the ledger's rows, read from sums that scoring keeps, so that no page ever scans the ledger."""

from collections import defaultdict
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select

from data.ledger_tables import SUMS, calibration_bins, skill_blocks
from data.regimes import REGIMES, week_of
from data.skill import Scores, compute_skill, independent_parts
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
        items = []
        for group in sorted(spans, key=_order):
            name, length, source, part = group
            rows = spans[group]
            independent = independent_parts([row[0] for row in rows]) if by == "regime" else None
            scores = compute_skill(np.array([row[1:] for row in rows]), bins[group], independent)
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
        spans: dict[str, list[Any]] = defaultdict(list)
        with self._engine.connect() as connection:
            for row in connection.execute(query.group_by(c.origin, c.block).order_by(c.block)):
                spans[row[0]].append(tuple(row[2:]))
        head = {"symbol": None, "horizon": horizon, "market": self._market}
        return [{**head, "origin": origin, **compute_skill(np.array(rows), [])} for origin, rows in spans.items()]

    def _spans(self, connection: Connection, wanted: _Filter, by: str | None) -> dict[_Group, list[Any]]:
        """Return for each group its (span, sums ...) in order of time."""
        table = regime_blocks if by == "regime" else skill_blocks
        part = {"model": table.c.model, "regime": table.c.get("regime")}.get(by or "")
        groups = self._sums(connection, table, "block", SUMS, wanted, by, part)
        if by != "week":
            return groups
        weeks: dict[_Group, list[Any]] = defaultdict(list)
        for (symbol, horizon, origin, _), rows in groups.items():
            for row in rows:
                weeks[symbol, horizon, origin, week_of(row[0] * duration_ms(horizon))].append(row)
        return weeks

    def _bins(self, connection: Connection, wanted: _Filter, by: str | None) -> dict[_Group, list[Any]]:
        """Return for each group its (bin, n, sum of probabilities, ups)."""
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
    ) -> dict[_Group, list[Any]]:
        """Return for each group its (span, sums ...) in order of the span."""
        c = table.c
        keys = [*([] if by else [c.symbol]), c.horizon, c.origin, *([] if part is None else [part])]
        query = select(*keys, c[span], *(func.sum(c[name]) for name in names)).where(c.interval == self._interval)
        query = query.where(c.origin.in_(OURS) if wanted["origin"] is None else c.origin == wanted["origin"])
        for name in ("symbol", "horizon", "model"):
            if wanted[name] is not None:
                query = query.where(c[name] == wanted[name])
        groups: dict[_Group, list[Any]] = defaultdict(list)
        for row in connection.execute(query.group_by(*keys, c[span]).order_by(c[span])):
            head = [*([""] if by else []), *row[: len(keys)], *([""] if part is None else [])]
            groups[head[0], head[1], head[2], head[3]].append(tuple(row[len(keys) :]))
        return groups


def _order(group: _Group) -> tuple[str, int, str, int, str]:
    symbol, horizon, origin, part = group
    return symbol, duration_ms(horizon), origin, REGIMES.index(part) if part in REGIMES else 0, part

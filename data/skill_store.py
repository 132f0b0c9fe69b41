"""Scores of the ledger's rows, read from sums that scoring keeps, so that no page ever scans the ledger."""

from collections import defaultdict
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, Table, func, select

from data.ledger_tables import SUMS, calibration_bins, skill_blocks
from data.skill import Scores, compute_skill
from market.intervals import duration_ms

_Group = tuple[str, str, str]  # symbol ("" for all together), horizon, origin


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
        """Return the scores of each symbol, horizon and origin; with by="horizon" of all symbols together."""
        wanted = {"symbol": symbol, "horizon": horizon, "model": model, "origin": origin}
        with self._engine.connect() as connection:
            blocks = self._sums(connection, skill_blocks, "block", SUMS, wanted, by)
            bins = self._sums(connection, calibration_bins, "bin", ("n", "probability_sum", "ups"), wanted, by)
        items = []
        for group in sorted(blocks, key=_order):
            name, span, source = group
            scores = compute_skill(np.array([row[1:] for row in blocks[group]]), bins[group])
            head = {"symbol": name or None, "horizon": span, "origin": source, "market": self._market}
            items.append({**head, **({"model": model} if model else {}), **scores})
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

    def _sums(
        self,
        connection: Connection,
        table: Table,
        span: str,
        names: tuple[str, ...],
        wanted: dict[str, str | None],
        by: str | None,
    ) -> dict[_Group, list[Any]]:
        """Return for each group its (span, sums ...) in order of the span."""
        c = table.c
        keys = (c.horizon, c.origin) if by == "horizon" else (c.symbol, c.horizon, c.origin)
        query = select(*keys, c[span], *(func.sum(c[name]) for name in names)).where(c.interval == self._interval)
        for name, value in wanted.items():
            if value is not None:
                query = query.where(c[name] == value)
        groups: dict[_Group, list[Any]] = defaultdict(list)
        for row in connection.execute(query.group_by(*keys, c[span]).order_by(c[span])):
            head = ("", *row[:2]) if by == "horizon" else tuple(row[:3])
            groups[head].append(tuple(row[len(keys) :]))
        return groups


def _order(group: _Group) -> tuple[str, int, str]:
    return group[0], duration_ms(group[1]), group[2]

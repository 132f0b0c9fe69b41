"""Count what the models see, candle by candle, against the spread of their training."""

import logging
from collections.abc import Mapping

import numpy as np

from data.champion_store import Roles
from data.drift import counts_of, edges_of
from data.drift_store import DriftReport, DriftStore
from data.model_store import ModelStore
from engine.forecaster import Rows
from market.errors import ModelError, SourceUnavailable
from market.intervals import DAY_MS, HOUR_MS

logger = logging.getLogger(__name__)


class DriftWatch:
    """The counts of the market's current day, for each model that speaks or is on trial."""

    def __init__(self, store: DriftStore, models: ModelStore) -> None:
        """Go on with the counts that `store` has of a day; the edges of the bins lie beside each model."""
        self._store = store
        self._models = models
        self._day = 0
        self._keep_at_ms = 0
        self._edges: dict[str, np.ndarray | None] = {}
        self._counts: dict[str, np.ndarray] = {}

    def follow(self, rows: Rows, roles: Mapping[str, Roles]) -> None:
        """Take in the features of candles that closed together."""
        day = rows.candles[0].open_ms // DAY_MS
        if day != self._day:
            self._keep()
            self._day, self._counts, self._edges = day, {}, {}
        whole = rows.values[[reason is None for reason in rows.reasons]]
        for one in roles.values():
            for holder in (one.champion, one.challenger):
                edges = self._edges_of(holder.model) if holder else None
                if holder is not None and edges is not None:
                    self._add(holder.model, counts_of(whole, edges))

    def tend(self, market_ms: int) -> None:
        """Write the counts down once an hour of the market."""
        if market_ms >= self._keep_at_ms:
            self._keep_at_ms = market_ms + HOUR_MS
            self._keep()

    def alarms(self, roles: Mapping[str, Roles]) -> list[str]:
        """Return a sentence for each champion that sees another market than the one it was trained on."""
        found = []
        for horizon, one in roles.items():
            report = self._report(one.champion.model) if one.champion else None
            if report is not None and report.moved:
                moved, of = len(report.moved), len(report.features)
                has = "has" if moved == 1 else "have"
                found.append(f"{moved} of {of} features of the model of {horizon} {has} moved from its training.")
        return found

    def stop(self) -> None:
        """Write down what was counted since the last time."""
        self._keep()

    def _add(self, model: str, counts: np.ndarray) -> None:
        if model not in self._counts:
            self._counts[model] = self._store.load(model, self._day, len(counts))
        self._counts[model] += counts

    def _edges_of(self, model: str) -> np.ndarray | None:
        """Return the edges of a model's bins, read once; None where it has none."""
        if model not in self._edges:
            self._edges[model] = None
            try:
                facts = self._models.facts(model)
                if spread := facts.get("spread"):
                    self._edges[model] = edges_of(spread, len(facts["features"]))
            except ModelError as error:
                logger.warning("drift not counted model=%s reason=%s", model, error)
        return self._edges[model]

    def _report(self, model: str) -> DriftReport | None:
        try:
            facts = self._models.facts(model)
        except ModelError:
            return None  # it serves from memory; what became of its files is told elsewhere
        return self._store.report(model, facts["features"], facts.get("spread"))

    def _keep(self) -> None:
        if not self._counts:
            return
        try:
            self._store.keep(self._day, self._counts)
        except SourceUnavailable as error:
            logger.warning("drift not kept reason=%s", error)

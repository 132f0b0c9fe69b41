"""Ask the models in the shadow about the same candles as their champion, after it has spoken."""

import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np

from data.adaptation_store import Adaptations
from data.champion_store import Roles
from data.paired_score import Compared
from data.shadow_store import ShadowRow, ShadowStore
from engine.forecaster import Rows
from market.errors import ModelError, SourceUnavailable
from market.predictions import Prediction
from models.adaptation import adapted
from models.scores import Scores
from utils.model_utils import BatchPredictor

logger = logging.getLogger(__name__)

_MOST_KEPT = 200  # rows that wait for a disk that takes nothing; older ones are let go
_SETTLE_SECONDS = 2.0


class Shadow:
    """The challengers and predecessors of all horizons."""

    def __init__(self, store: ShadowStore, predictor: BatchPredictor[Scores]) -> None:
        """Keep what they say in `store`; models come from `predictor`."""
        self._store = store
        self._predictor = predictor
        self._waiting: list[ShadowRow] = []
        self._settle_at_s = 0.0
        self._compared: dict[tuple[str, str, str, int], Compared] = {}
        self.roles: Mapping[str, Roles] = {}

    def follow(self, rows: Rows, predictions: Sequence[Prediction], adaptations: Adaptations) -> None:
        """Ask about the candles of `rows`, of which `predictions` were published; the answers stay hidden.

        They are adapted as those of the champion were: what is compared is what would have been told.
        """
        for horizon, roles in self.roles.items():
            followers = [holder.model for holder in (roles.challenger, roles.predecessor) if holder]
            if not followers or roles.champion is None:
                continue
            champion = roles.champion.model
            said = {
                one.symbol: one.probability_up
                for one in predictions
                if one.horizon == horizon and one.model == champion
            }
            state = adaptations.of(horizon, [candle.symbol for candle in rows.candles])
            for model in followers:
                self._ask(horizon, model, champion, rows, said, state)
        del self._waiting[:-_MOST_KEPT]

    def tend(self, market_ms: int) -> None:
        """Write down what was said, before its outcome can be known, and score what is due."""
        if not self._waiting and time.monotonic() < self._settle_at_s:
            return
        try:
            if self._waiting:
                self._store.keep(self._waiting)
                self._waiting = []
            if time.monotonic() >= self._settle_at_s:
                self._settle_at_s = time.monotonic() + _SETTLE_SECONDS
                if self._store.settle(market_ms):
                    self._compared.clear()
        except SourceUnavailable as error:
            logger.warning("shadow not kept reason=%s", error)

    def compared(self, horizon: str, model: str, champion: str, since_ms: int = 0) -> Compared:
        """Return how a model has done against a champion so far; read anew when outcomes have come in."""
        key = (horizon, model, champion, since_ms)
        if key not in self._compared:
            self._compared[key] = self._store.compared(*key)
        return self._compared[key]

    def _ask(
        self, horizon: str, model: str, champion: str, rows: Rows, said: dict[str, float | None], state: np.ndarray
    ) -> None:
        try:
            answers = adapted(self._predictor.predict(model, rows.values), state).probability_up
        except ModelError as error:
            logger.warning("model refused in the shadow model=%s reason=%s", model, error)
            return
        both = {
            candle.symbol: (answer, theirs)
            for candle, answer in zip(rows.candles, answers.tolist(), strict=True)
            if (theirs := said.get(candle.symbol)) is not None and np.isfinite(answer)
        }
        if both:
            pairs = np.array(list(both.values())).T
            self._waiting.append(ShadowRow(horizon, rows.candles[0].open_ms, model, champion, tuple(both), pairs))

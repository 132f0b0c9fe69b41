"""Say why, once a prediction is out: what moved it, how unusual its row is, and which past cases were like it."""

import logging
from collections.abc import Callable, Sequence

from data.adaptation_store import Adaptations
from data.explanation_store import Explanation, ExplanationStore, ModelWords
from engine.forecaster import Rows
from features.words import in_words
from market.errors import ModelError, SourceUnavailable
from market.predictions import Prediction
from models.adaptation import adapted_contributions
from models.served import ServedModel
from utils.performance_monitor import performance_monitor

logger = logging.getLogger(__name__)


class Explainer:
    """Asks the models that made predictions for their reasons, and keeps these."""

    def __init__(self, load: Callable[[str], ServedModel], store: ExplanationStore) -> None:
        """Take models from `load` (by name; it caches)."""
        self._load = load
        self._store = store

    @performance_monitor.timed("explain")
    def explain(self, rows: Rows, predictions: Sequence[Prediction], adaptations: Adaptations) -> None:
        """Keep what explains the predictions made of `rows` with `adaptations`.

        A reason is no promise: when the disk or a model does not answer, the predictions stay without.
        """
        asked: dict[tuple[str, str], list[str]] = {}
        for one in predictions:
            if one.model is not None and one.probability_up is not None:
                asked.setdefault((one.horizon, one.model), []).append(one.symbol)
        try:
            self._store.keep(
                [self._ask(rows, *key, symbols, adaptations) for key, symbols in asked.items()], self._words
            )
        except (ModelError, SourceUnavailable) as error:
            logger.warning("predictions not explained reason=%s", error)

    def _ask(self, rows: Rows, horizon: str, name: str, symbols: list[str], adaptations: Adaptations) -> Explanation:
        model, wanted = self._load(name), set(symbols)
        places = [place for place, candle in enumerate(rows.candles) if candle.symbol in wanted]
        values, names = rows.values[places], [rows.candles[place].symbol for place in places]
        state = adaptations.of(horizon, names)
        told = model.contributions(values)
        base, contributions = adapted_contributions(told, state)
        likes = model.reference.likes(values)
        return Explanation(
            candle_open_ms=rows.candles[0].open_ms,
            horizon=horizon,
            model=name,
            symbols=names,
            base_shifts=base - told.base,
            contributions=contributions,
            strangeness=likes.distance / model.reference.limit,
            cases=likes.places,
        )

    def _words(self, name: str) -> ModelWords:
        model = self._load(name)
        return ModelWords(
            base=model.base_probability,
            columns=[(column, in_words(column)) for column in model.features],
            symbols=model.reference.symbols,
            cases=model.reference.cases,
            returns=model.reference.returns,
        )

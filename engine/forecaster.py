"""From closed candles to ledger rows: step the features, ask each horizon's model once, say why where it abstains."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from data.adaptation_store import Adaptations
from data.candle_store import CandleStore
from data.ledger_inputs import Inputs
from features.feature_engineering import WARMUP, FeatureState
from market.candles import Candle
from market.errors import ModelError
from market.predictions import Origin, Prediction, Reason, Verdict
from models.adaptation import adapted
from models.scores import Scores
from trading.signals import decide, edge_bps
from utils.model_utils import BatchPredictor
from utils.performance_monitor import performance_monitor

logger = logging.getLogger(__name__)

# The history a symbol's state is made from: enough to be warm at the candles the market is still asked about.
WARM_CANDLES = WARMUP + 96


@dataclass(frozen=True, slots=True)
class Horizon:
    """A prediction horizon in the spelling of the settings, and its length."""

    name: str
    length_ms: int


@dataclass(frozen=True, slots=True)
class Rows:
    """The features of candles that closed together: one row a candle."""

    candles: list[Candle]
    values: np.ndarray  # float64 (candles, features)
    reasons: list[Reason | None]  # why a row cannot be asked about


class FeatureBoard:
    """The feature state of every symbol, fed one closed candle at a time.

    A row knows its own candle, and the market as it was one candle before (`features.market_context`): of that candle,
    what has come by now. A candle that is more than an interval late is missing there.
    """

    def __init__(
        self, symbols: Sequence[str], candle_store: CandleStore, interval_ms: int, before_ms: int | None = None
    ) -> None:
        """Warm every symbol's state from the newest candles of the store, of those that opened before `before_ms`."""
        # In the order of a training's panel, so that sums over the market give the same bits.
        self._index = {symbol: index for index, symbol in enumerate(sorted(symbols))}
        self._store = candle_store
        self._interval_ms = interval_ms
        self._state = FeatureState(len(symbols), interval_ms)
        self._newest = np.zeros(len(symbols), dtype=np.int64)
        self._holes: dict[str, int] = {}
        for symbol in symbols:
            self._warm(symbol, before_ms)

    def newest(self) -> dict[str, int]:
        """Return the open time of the newest candle each symbol's state has taken in, where there is one."""
        return {symbol: int(self._newest[index]) for symbol, index in self._index.items() if self._newest[index]}

    def holes(self) -> dict[str, int]:
        """Return the open time of the newest candle that is missing from a symbol's history, where one is."""
        return dict(self._holes)

    @performance_monitor.timed("step features")
    def step(self, candles: Sequence[Candle]) -> list[Rows]:
        """Take in closed candles, oldest first, and return their features, one group for each closing time.

        A candle that was taken in before is passed over. One that does not follow the last starts its symbol anew
        from the store, where the candles before the hole no longer count.
        """
        groups: dict[int, list[Candle]] = {}
        for candle in candles:
            groups.setdefault(candle.open_ms, []).append(candle)
        return [rows for open_ms in sorted(groups) if (rows := self._step_one(groups[open_ms])) is not None]

    def _step_one(self, candles: list[Candle]) -> Rows | None:
        fresh: dict[int, Candle] = {}
        for candle in candles:
            index = self._index.get(candle.symbol)
            if index is None or candle.open_ms <= self._newest[index]:
                continue
            if self._newest[index] and candle.open_ms != self._newest[index] + self._interval_ms:
                self._warm(candle.symbol, before_ms=candle.open_ms)
                if self._newest[index] + self._interval_ms != candle.open_ms:
                    self._state.reset(index)
                    self._holes[candle.symbol] = candle.open_ms - self._interval_ms
            fresh[index] = candle
        if not fresh:
            return None
        indexes = np.fromiter(fresh, dtype=np.int64)
        taken = list(fresh.values())
        values = np.array([candle.values[1:] for candle in taken])
        rows = self._state.step(indexes, taken[0].open_ms, values)
        self._newest[indexes] = taken[0].open_ms
        return Rows(taken, rows, [self._reason(candle.symbol) for candle in taken])

    def _warm(self, symbol: str, before_ms: int | None = None) -> None:
        index = self._index[symbol]
        candles = self._store.load(symbol, end_ms=before_ms, limit=WARM_CANDLES)
        breaks = np.flatnonzero(np.diff(candles["open_ms"]) != self._interval_ms)
        whole = candles[breaks[-1] + 1 :] if len(breaks) else candles
        self._state.reset(index)
        if len(breaks):
            self._holes[symbol] = int(whole["open_ms"][0]) - self._interval_ms
        if len(whole):
            self._state.warm(index, whole)
            self._newest[index] = whole["open_ms"][-1]

    def _reason(self, symbol: str) -> Reason | None:
        if self._state.seen(self._index[symbol]) >= WARMUP:
            return None
        return Reason.GAPPED if symbol in self._holes else Reason.TOO_FEW_CANDLES


@dataclass(frozen=True, slots=True)
class ServedHorizon:
    """Which model serves a horizon, and from when on it is too old to be trusted."""

    model: str
    coverage: float
    expires_ms: int


class Forecaster:
    """Asks the model of each horizon about all symbols in one call."""

    def __init__(
        self, predictor: BatchPredictor[Scores], interval: str, horizons: Sequence[Horizon], cost_bps: float
    ) -> None:
        """Predict for `horizons` from `interval` candles; verdicts are after `cost_bps`."""
        self._predictor = predictor
        self._interval = interval
        self._horizons = horizons
        self._cost_bps = cost_bps
        self.served: Mapping[str, ServedHorizon] = {}
        self.adaptations = Adaptations()

    @performance_monitor.timed("predict")
    def predict(self, rows: Rows, interval_ms: int) -> list[Prediction]:
        """Return one prediction for each candle and horizon; an abstention where there is no probability."""
        predictions: list[Prediction] = []
        for horizon in self._horizons:
            predictions += self._predict_horizon(rows, horizon, interval_ms)
        return predictions

    def _predict_horizon(self, rows: Rows, horizon: Horizon, interval_ms: int) -> list[Prediction]:
        served = self.served.get(horizon.name)
        scores = self._scores(served, horizon, rows)
        span = Span(self._interval, interval_ms, horizon)
        said = [None] * len(rows.candles) if scores is None else all_figures(scores)
        made = []
        for candle, reason, figures in zip(rows.candles, rows.reasons, said, strict=True):
            if reason is not None:
                figures = None
            elif figures is None:
                reason = Reason.MODEL_MISSING if scores is None else Reason.TOO_FEW_CANDLES
            case = Case(candle.symbol, candle.open_ms, candle.close, span, self._cost_bps, Origin.LIVE)
            made.append(prediction_of(case, figures, served if figures else None, reason))
        return made

    def _scores(self, served: ServedHorizon | None, horizon: Horizon, rows: Rows) -> Scores | None:
        if served is None:
            return None
        try:
            scores = self._predictor.predict(served.model, rows.values)
        except ModelError as error:
            logger.warning("model refused model=%s reason=%s", served.model, error)
            return None
        return adapted(scores, self.adaptations.of(horizon.name, [candle.symbol for candle in rows.candles]))


@dataclass(frozen=True, slots=True)
class Span:
    """From which candles, and how far ahead."""

    interval: str
    interval_ms: int
    horizon: Horizon


Figures = tuple[float, float, float, float, float]  # probability up, expected return, low, high in bps, strangeness


def all_figures(scores: Scores) -> list[Figures | None]:
    """Return what a model said of each row, None where it said nothing."""
    rows = zip(*(column.tolist() for column in scores.columns()), strict=True)
    return [row if math.isfinite(row[0]) else None for row in rows]


class Case(msgspec.Struct, frozen=True):
    """One candle and horizon to be predicted, and what acting on it would cost."""

    symbol: str
    open_ms: int
    price: float
    span: Span
    cost_bps: float
    origin: Origin


def prediction_of(
    case: Case, figures: Figures | None, served: ServedHorizon | None, reason: Reason | None
) -> Prediction:
    """Return the ledger row of one case; without figures it abstains for `reason`."""
    span = case.span
    made_ms = case.open_ms + span.interval_ms
    verdict = Verdict.ABSTAIN
    if figures is not None and served is not None:
        verdict = decide(figures[1], case.cost_bps)
        if made_ms >= served.expires_ms:
            verdict, reason = Verdict.ABSTAIN, Reason.MODEL_EXPIRED
        elif figures[4] > 1.0:
            verdict, reason = Verdict.ABSTAIN, Reason.OUT_OF_DISTRIBUTION
        elif verdict is Verdict.ABSTAIN:
            reason = Reason.COST
    probability, expected, low, high, _ = figures or (None, None, None, None, None)
    return Prediction(
        symbol=case.symbol,
        interval=span.interval,
        horizon=span.horizon.name,
        candle_open_ms=case.open_ms,
        made_ms=made_ms,
        due_ms=made_ms + span.horizon.length_ms,
        price=case.price,
        cost_bps=case.cost_bps,
        verdict=verdict,
        reason=reason,
        origin=case.origin,
        model=served.model if served else None,
        probability_up=probability,
        expected_return_bps=expected,
        low_bps=low,
        high_bps=high,
        coverage=served.coverage if served and figures else None,
        edge_bps=None if expected is None else edge_bps(expected, case.cost_bps),
    )


def inputs_of(rows: Rows) -> list[Inputs]:
    """Return what the models saw of each candle."""
    return [
        Inputs(candle.symbol, candle.open_ms, values) for candle, values in zip(rows.candles, rows.values, strict=True)
    ]

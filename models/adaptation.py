"""Walk many symbols through time, each as its own outcomes have taught before a candle (`market.adaptation`)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from market.adaptation import LOG_SLOPES, LOG_WIDTH, STATE, Told, taught
from market.symbol_slopes import bent
from models.calibration import HIGHEST, LOWEST
from models.forest import Contributions
from models.moves import EVEN
from models.scores import LOWEST_RETURN_BPS, Scores


def adapted(scores: Scores, state: np.ndarray) -> Scores:
    """Return the scores as their symbols' `state` (6, ...) asks for: probabilities bent, then ranges widened.

    The expected return is proportional to probability - 0.5, and stays so.
    """
    told = _told(scores.probability_up, state)
    lean = scores.probability_up - EVEN
    share = np.divide(told - EVEN, lean, out=np.ones_like(lean), where=lean != 0.0)
    expected = scores.expected_return_bps * share
    half = (scores.high_bps - scores.expected_return_bps) * np.exp(state[LOG_WIDTH])
    low = np.maximum(expected - half, LOWEST_RETURN_BPS)
    return replace(scores, probability_up=told, expected_return_bps=expected, low_bps=low, high_bps=expected + half)


def adapted_contributions(told: Contributions, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return base (n,) and contributions (n, features) of adapted probabilities; `state` (6, n).

    The way from the base to the row is bent with both of its ends, and no feature is favoured.
    """
    way = told.values.sum(axis=1)
    base = _told(np.full(len(way), told.base), state)
    bent_way = _told(told.base + way, state) - base
    share = np.divide(bent_way, way, out=np.zeros_like(way), where=way != 0.0)
    return base, told.values * share[:, None]


def _told(probability: np.ndarray, state: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.clip(bent(probability, state[LOG_SLOPES]), LOWEST, HIGHEST)
    return result


class Adaptation:
    """What all symbols have taught on their way through time; a row knows only outcomes due before its candle."""

    def __init__(self, symbols: int, horizon_candles: int, coverage: float) -> None:
        """Begin with what the model says."""
        self.state = np.zeros((len(STATE), symbols))
        self._horizon_candles = horizon_candles
        self._coverage = coverage

    def through(self, spans: Sequence[tuple[Scores, np.ndarray]]) -> list[Scores]:
        """Return the scores of spans that follow on each other, adapted; `return_bps` (S, T) are their outcomes.

        Afterwards `state` holds what all of the outcomes have taught, and a later span may begin once all of them
        are due.
        """
        columns = zip(*(scores.columns() for scores, _ in spans), strict=True)
        joined = Scores(*(np.concatenate(parts, axis=1) for parts in columns))
        returns = np.concatenate([returns for _, returns in spans], axis=1)
        ends = np.cumsum([returns.shape[1] for _, returns in spans])[:-1]
        result = self._follow(joined, returns)
        cut = [np.split(values, ends, axis=1) for values in result.columns()]
        return [Scores(*parts) for parts in zip(*cut, strict=True)]

    def _follow(self, scores: Scores, return_bps: np.ndarray) -> Scores:
        """Return the scores adapted, stepping through time."""
        candles, delay = return_bps.shape[1], self._horizon_candles + 1
        result = Scores(*(np.empty(return_bps.shape) for _ in scores.columns()))
        for at in range(candles + delay):
            if at >= delay:
                self._take_in(result.at((slice(None), at - delay)), return_bps[:, at - delay])
            if at < candles:
                now = adapted(scores.at((slice(None), at)), self.state)
                for column, values in zip(result.columns(), now.columns(), strict=True):
                    column[:, at] = values
        return result

    def _take_in(self, scores: Scores, return_bps: np.ndarray) -> None:
        is_inside = (scores.low_bps <= return_bps) & (return_bps <= scores.high_bps)
        told = Told(scores.probability_up, return_bps > 0.0, is_inside, self._coverage, self._horizon_candles)
        is_known = np.isfinite(scores.probability_up) & np.isfinite(scores.high_bps) & np.isfinite(return_bps)
        self.state = np.where(is_known, taught(self.state, told), self.state)

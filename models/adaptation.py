"""Walk the ranges of many symbols through time, each as wide as its outcomes ask for (`market.range_widths`)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from market.range_widths import MOST, step_of
from models.scores import LOWEST_RETURN_BPS, Scores


def widened(scores: Scores, log_widths: np.ndarray) -> Scores:
    """Return the scores with ranges exp(`log_widths`) times as wide; one log width a row, or of a shape that fits."""
    half = (scores.high_bps - scores.expected_return_bps) * np.exp(log_widths)
    low = np.maximum(scores.expected_return_bps - half, LOWEST_RETURN_BPS)
    return replace(scores, low_bps=low, high_bps=scores.expected_return_bps + half)


class Widths:
    """The log widths of all symbols on their way through time; each range knows only outcomes due before its candle."""

    def __init__(self, symbols: int, horizon_candles: int, coverage: float) -> None:
        """Begin with the ranges as the model says them."""
        self.log_widths = np.zeros(symbols)
        self._horizon_candles = horizon_candles
        self._coverage = coverage

    def through(self, spans: Sequence[tuple[Scores, np.ndarray]]) -> list[Scores]:
        """Return the scores of spans that follow on each other, widened; `return_bps` (S, T) are their outcomes.

        Afterwards `log_widths` holds what all of the outcomes have taught, and a later span may begin once all of them
        are due.
        """
        columns = zip(*(scores.columns() for scores, _ in spans), strict=True)
        joined = Scores(*(np.concatenate(parts, axis=1) for parts in columns))
        returns = np.concatenate([returns for _, returns in spans], axis=1)
        ends = np.cumsum([returns.shape[1] for _, returns in spans])[:-1]
        result = widened(joined, self._follow(joined, returns))
        cut = [np.split(values, ends, axis=1) for values in result.columns()]
        return [Scores(*parts) for parts in zip(*cut, strict=True)]

    def _follow(self, scores: Scores, return_bps: np.ndarray) -> np.ndarray:
        """Return the log width of each row (S, T), stepping through time."""
        half, miss = scores.high_bps - scores.expected_return_bps, np.abs(return_bps - scores.expected_return_bps)
        is_known = np.isfinite(half) & np.isfinite(miss)
        candles, delay = return_bps.shape[1], self._horizon_candles + 1
        used = np.empty(return_bps.shape)
        for at in range(candles + delay):
            due = at - delay
            if due >= 0:
                is_inside = miss[:, due] <= half[:, due] * np.exp(used[:, due])
                step = step_of(self._coverage, is_inside, self._horizon_candles)
                moved = np.clip(self.log_widths + step, -MOST, MOST)
                self.log_widths = np.where(is_known[:, due], moved, self.log_widths)
            if at < candles:
                used[:, at] = self.log_widths
        return used

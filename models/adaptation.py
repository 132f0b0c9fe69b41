"""Keep ranges as wide as the outcomes of their own symbol ask for: wider after a miss, narrower after a hit.

A split conformal range holds on average over the symbols and weeks it was learnt on, not for each symbol and not when
the market changes. So each symbol and horizon has a width of its own, a factor on the model's range that takes one step
with each outcome: adaptive conformal inference (Gibbs and Candes, 2021) in the form that follows the quantile itself
(Angelopoulos, Candes and Tibshirani, 2023), here in logarithms, so that a width stays positive. Over n horizons the
share of hits then misses the claim by no more than |change of log width| / (STEP n), whatever the market does.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.scores import LOWEST_RETURN_BPS, Scores

# Of the log width, by the outcomes of one whole horizon. An outcome is known one horizon late, which lets steps above
# 0.8 swing; small ones take long: a width that is wrong by half is right after about 2 / STEP horizons.
STEP = 0.3
MOST = 2.0  # the log width stays within this: a market that stood still must not leave ranges of no width behind


def step_of(coverage: float | np.ndarray, is_inside: np.ndarray, horizon_candles: float | np.ndarray) -> np.ndarray:
    """Return by how much each outcome moves the log width; rows of one candle each, `coverage` is the claim."""
    result: np.ndarray = STEP / horizon_candles * (coverage - is_inside)
    return result


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

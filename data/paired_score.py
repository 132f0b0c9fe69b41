"""Compare two models that spoke of the same candles: how far ahead one is, and how sure that is."""

import math
from dataclasses import dataclass

import numpy as np

SUMS = ("n", "brier", "champion_brier")
MIN_SPANS = 10  # horizons below which nothing is known about how sure a difference is
_SPANS_A_CLUSTER = 2  # a prediction made late in one horizon shares most of its outcome with those of the next
_Z = 1.959964
# Whoever looks after every outcome finds chance beyond a 95 % interval in one of five comparisons over 120 horizons,
# beyond 1.9 times its reach in one of thirty.
_LOOKS = 1.9


@dataclass(frozen=True, slots=True)
class Compared:
    """By which share the Brier score of a model is below its champion's on the same rows; the interval is 95 %.

    None: there is nothing to say yet.
    """

    n: int = 0
    spans: int = 0  # of one horizon each
    difference: float | None = None  # +0.01: one percent better
    low: float | None = None
    high: float | None = None

    @property
    def is_better(self) -> bool:
        """Return whether the model is better beyond doubt, however often one asks."""
        return self._beyond_doubt > 0

    @property
    def is_worse(self) -> bool:
        """Return whether the model is worse beyond doubt, however often one asks."""
        return self._beyond_doubt < 0

    @property
    def _beyond_doubt(self) -> float:
        """Return what is left of the difference when `_LOOKS` times the reach of its interval is taken off it."""
        if self.difference is None or self.low is None:
            return 0.0
        rest = abs(self.difference) - _LOOKS * (self.difference - self.low)
        return math.copysign(max(rest, 0.0), self.difference)


NOTHING = Compared()


def compare(spans: np.ndarray) -> Compared:
    """Return the comparison; `spans` (spans, len(SUMS)): sums over horizon-long spans in order of time.

    The interval is that of a ratio over clusters of two spans (Cochran 1977, chapter 6) with Student's t.
    """
    if not len(spans) or not spans[:, 0].sum():
        return NOTHING
    n, model, champion = spans.sum(axis=0)
    if champion <= 0:
        return Compared(int(n), len(spans))
    difference = float(1.0 - model / champion)
    if len(spans) < MIN_SPANS:
        return Compared(int(n), len(spans), difference)
    clusters = np.add.reduceat(spans, np.arange(0, len(spans), _SPANS_A_CLUSTER))
    errors = clusters[:, 2] - clusters[:, 1] - difference * clusters[:, 2]
    count = len(clusters)
    error = math.sqrt(count / (count - 1) * float(errors @ errors)) / float(champion)
    reach = _t_quantile(count - 1) * error
    return Compared(int(n), len(spans), difference, difference - reach, difference + reach)


def _t_quantile(freedom: int) -> float:
    """Return Student's t at 97.5 % (Abramowitz and Stegun 26.7.5, three terms)."""
    terms = (
        (_Z**3 + _Z) / (4 * freedom),
        (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2),
        (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / (384 * freedom**3),
    )
    return _Z + sum(terms)

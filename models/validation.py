"""Cut the past into training, calibration and test so that nothing later ever informs something earlier.

A label looks one horizon ahead. Before each later part a gap of one horizon (the purge) and a little more
(the embargo) keeps labels of the earlier part from reaching into it:

    [training rows] gap [calibration rows] gap [test rows]
"""

from dataclasses import dataclass
from itertools import pairwise

from market.errors import ModelError

MIN_TRAINING_CANDLES = 48
MIN_CALIBRATION_CANDLES = 32
CALIBRATION_SHARE = 0.3  # of the labelled candles before a test
EMBARGO_SHARE = 0.1  # of the horizon


@dataclass(frozen=True, slots=True)
class Split:
    """Three spans of candles, each later than the one before; `test` holds the rows that are predicted."""

    training: range
    calibration: range
    test: range


def gap_candles(horizon_candles: int) -> int:
    """Return purge plus embargo: so many candles lie between two spans."""
    return horizon_candles + max(1, round(EMBARGO_SHARE * horizon_candles))


def needed_candles(horizon_candles: int) -> int:
    """Return how many warm candles must lie before the first candle that can be predicted."""
    return (
        max(MIN_TRAINING_CANDLES, horizon_candles)
        + max(MIN_CALIBRATION_CANDLES, horizon_candles)
        + 2 * gap_candles(horizon_candles)
    )


def split_before(first: int, test: range, horizon_candles: int) -> Split:
    """Return the spans from which `test` may be predicted; `first` is the first warm candle.

    ModelError when the past is too short.
    """
    gap, needed = gap_candles(horizon_candles), needed_candles(horizon_candles)
    if test.start - first < needed:
        raise ModelError(
            f"a horizon of {horizon_candles} candles has {max(0, test.start - first)} usable candles of history, "
            f"needs {needed}: raise HISTORY_DAYS or choose a shorter horizon"
        )
    end = test.start - gap
    length = max(MIN_CALIBRATION_CANDLES, horizon_candles, round(CALIBRATION_SHARE * (end - gap - first)))
    calibration = range(end - length, end)
    return Split(range(first, calibration.start - gap), calibration, test)


def walk_forward(first: int, replayed: range, horizon_candles: int, folds: int) -> list[Split]:
    """Return the splits that predict `replayed`, oldest first; candles with too little past are left out."""
    start = max(replayed.start, first + needed_candles(horizon_candles))
    length = replayed.stop - start
    if length <= 0:
        return []
    bounds = [start + length * fold // folds for fold in range(folds + 1)]
    tests = [range(a, b) for a, b in pairwise(bounds) if a < b]
    return [split_before(first, test, horizon_candles) for test in tests]

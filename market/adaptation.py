"""What the outcomes of a symbol and horizon teach: how wide its ranges are to be, and how far its probabilities go."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from market import range_widths, symbol_slopes

# The state of one symbol and horizon, as one column of numbers; all of them 0 where nothing was taught yet.
STATE = ("log_width", "log_slope_near", "log_slope_far", "curvature_near", "curvature_cross", "curvature_far")
LOG_WIDTH, LOG_SLOPES, SLOPES = 0, slice(1, 3), slice(1, 6)  # where they stand


@dataclass(frozen=True, slots=True)
class Told:
    """What was told and what came of it, one value a row."""

    probability_up: np.ndarray
    is_up: np.ndarray
    is_inside: np.ndarray  # the range; 1 or 0
    coverage: np.ndarray | float  # what the range claimed to hold
    horizon_candles: np.ndarray | float

    def at(self, index: Any) -> "Told":
        """Return the same of some rows, as numpy indexes them; every field must be an array."""
        return Told(*(np.asarray(getattr(self, name))[index] for name in self.__slots__))


def taught(state: np.ndarray, told: Told) -> np.ndarray:
    """Return the `state` (6, n) after one outcome each."""
    step = range_widths.step_of(told.coverage, told.is_inside, told.horizon_candles)
    log_width = np.clip(state[LOG_WIDTH] + step, -range_widths.MOST, range_widths.MOST)
    slopes = symbol_slopes.moved(state[SLOPES], told.probability_up, told.is_up, told.horizon_candles)
    return np.concatenate((log_width[None], slopes))

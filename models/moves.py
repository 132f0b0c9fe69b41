"""From a probability to an expected move and the range it should stay in, in units of the usual move."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market.errors import ModelError
from models.clusters import blocks_of, covariance, towards

EVEN = 0.5
# A normal move with a mean of m usual moves ends up with probability 0.5 + 0.4 m, so m is 2.5 per unit of probability.
USUAL_SLOPE, SLOPE_SPREAD, MAX_SLOPE = 2.5, 1.0, 6.0
MAX_MOVE = 4.0  # usual moves; larger ones would decide the fit alone


@dataclass(frozen=True, slots=True)
class Move:
    """Expected move = slope * (probability - 0.5); it ends within `half_width` of that as often as claimed."""

    slope: float
    half_width: float

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not (0.0 <= self.slope <= MAX_SLOPE and 0.0 < self.half_width < np.inf):
            raise ModelError(f"move of slope {self.slope} and half width {self.half_width} cannot be; train again")

    def expected(self, probability: np.ndarray) -> np.ndarray:
        """Return the expected move of each probability."""
        result: np.ndarray = self.slope * (probability - EVEN)
        return result

    def arrays(self) -> dict[str, np.ndarray]:
        """Return both numbers, for a file."""
        return {"move": np.array([self.slope, self.half_width])}


def move_from(arrays: Mapping[str, np.ndarray]) -> Move:
    """Return the move kept in `arrays`; ModelError when there is none."""
    numbers = arrays.get("move")
    if numbers is None or numbers.shape != (2,) or numbers.dtype != np.float64:
        raise ModelError("move numbers are missing; train again")
    return Move(*numbers.tolist())


def fit_move(
    probability: np.ndarray, moves: np.ndarray, times: np.ndarray, block_candles: int, coverage: float
) -> Move:
    """Return slope and half width learnt on calibration rows; `moves` are outcomes in usual moves."""
    lean = (probability - EVEN)[:, None]
    held = np.clip(moves, -MAX_MOVE, MAX_MOVE)
    energy = float((lean**2).sum())
    estimate = float((lean[:, 0] * held).sum()) / energy if energy > 0.0 else 0.0
    spread = covariance(lean, held - estimate * lean[:, 0], np.ones(len(lean)), blocks_of(times, block_candles))
    variance = float(spread[0, 0]) if energy > 0.0 else np.inf
    slope = min(max(towards(USUAL_SLOPE, SLOPE_SPREAD**2, estimate, variance), 0.0), MAX_SLOPE)
    # Split conformal: the rank counts the row still to come. Both sides are one, so that a drift of the
    # calibration weeks does not become a claim about the next ones.
    misses = np.sort(np.abs(moves - slope * lean[:, 0]))
    rank = min(len(misses), int(np.ceil(coverage * (len(misses) + 1))))
    return Move(slope, max(float(misses[rank - 1]), 1e-6))

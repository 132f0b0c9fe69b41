"""What a model says of many rows, and how good it was once the outcomes are known."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.calibration import losses

BINS = 10
LOWEST_RETURN_BPS = -10_000.0  # a price cannot lose more than itself


@dataclass(frozen=True, slots=True)
class Scores:
    """One value per row; returns are simple, in bps; nan where there is no prediction."""

    probability_up: np.ndarray
    expected_return_bps: np.ndarray
    low_bps: np.ndarray
    high_bps: np.ndarray
    strangeness: np.ndarray  # beyond 1 the row is unlike anything the model has learnt from

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return the arrays in the order of the fields."""
        return self.probability_up, self.expected_return_bps, self.low_bps, self.high_bps, self.strangeness

    def at(self, index: Any) -> "Scores":
        """Return the same of some rows, as numpy indexes them."""
        return Scores(*(column[index] for column in self.columns()))


@dataclass(frozen=True, slots=True)
class Record:
    """How predictions did on rows no part of their model had seen. Skill is against the base rate of the same rows."""

    n: int
    base_rate: float
    brier: float
    brier_base: float
    brier_skill: float
    log_loss: float
    ece: float
    coverage_kept: float


def record_of(scores: Scores, return_bps: np.ndarray) -> Record | None:
    """Return how the scores did against the returns that came; None when not one row has both."""
    known = np.isfinite(scores.probability_up) & np.isfinite(return_bps)
    if not known.any():
        return None
    probability, returns = scores.probability_up[known], return_bps[known]
    up = returns > 0.0
    base_rate = float(up.mean())
    brier, brier_base = float(((probability - up) ** 2).mean()), base_rate * (1.0 - base_rate)
    inside = (returns >= scores.low_bps[known]) & (returns <= scores.high_bps[known])
    return Record(
        n=len(up),
        base_rate=base_rate,
        brier=brier,
        brier_base=brier_base,
        brier_skill=1.0 - brier / brier_base if brier_base else 0.0,
        log_loss=float(losses(probability, up).mean()),
        ece=calibration_error(probability, up),
        coverage_kept=float(inside.mean()),
    )


def calibration_error(probability: np.ndarray, up: np.ndarray) -> float:
    """Return the expected calibration error: the gap between said and seen, in ten equal bins of probability."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, probability - up, BINS)
    return float(np.abs(gaps).sum() / len(up))

"""A second label beside direction and return: does the price move by more than entering and leaving cost?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.calibration import fit_log_odds, losses
from models.forest import logistic
from models.job import Past
from models.panel import Sample, sample, usual_move_bps
from models.scores import calibration_error

_LEAST = 1e-3  # no probability is nearer to 0 or 1


@dataclass(frozen=True, slots=True)
class CostRecord:
    """How well the size of moves was foretold on rows later than all it was learnt from."""

    cost_bps: float
    n: int
    base_rate: float  # share of moves beyond the cost
    brier: float
    brier_base: float
    brier_skill: float
    log_loss: float
    ece: float


def cost_record(pasts: Sequence[Past]) -> CostRecord | None:
    """Return how a line in log(usual move / cost), learnt on each past's calibration rows, did in its test.

    None without a cost, or where not one row has an outcome.
    """
    told = [_told(past) for past in pasts if past.job.settings.cost_bps > 0.0 and past.is_enough]
    if not told:
        return None
    probability, is_beyond = (np.concatenate(parts) for parts in zip(*told, strict=True))
    if not len(is_beyond):
        return None
    base_rate = float(is_beyond.mean())
    brier, brier_base = float(((probability - is_beyond) ** 2).mean()), base_rate * (1.0 - base_rate)
    return CostRecord(
        cost_bps=pasts[0].job.settings.cost_bps,
        n=len(is_beyond),
        base_rate=base_rate,
        brier=brier,
        brier_base=brier_base,
        brier_skill=1.0 - brier / brier_base if brier_base else 0.0,
        log_loss=float(losses(probability, is_beyond).mean()),
        ece=calibration_error(probability, is_beyond),
    )


def _told(past: Past) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each labelled test row to move beyond the cost, and whether it did."""
    test = sample(past.job.panel, past.job.outcomes, past.split.test, past.job.settings.max_rows)
    line = fit_log_odds(_design(past, past.later), _is_beyond(past, past.later))
    return np.clip(logistic(_design(past, test) @ line), _LEAST, 1.0 - _LEAST), _is_beyond(past, test)


def _design(past: Past, rows: Sample) -> np.ndarray:
    return np.column_stack((np.log(_scale_bps(past, rows) / past.job.settings.cost_bps), np.ones(len(rows))))


def _is_beyond(past: Past, rows: Sample) -> np.ndarray:
    result: np.ndarray = np.abs(rows.moves) * _scale_bps(past, rows) > past.job.settings.cost_bps
    return result


def _scale_bps(past: Past, rows: Sample) -> np.ndarray:
    return usual_move_bps(rows.rows[:, past.job.panel.scale_index], past.job.outcomes.horizon_candles)

"""Turn the scores of a model into probabilities that keep their word, learnt on rows later than its training.

Two ways compete on still later rows: a straight line in log-odds (Platt) and monotone steps (isotonic). Both are
pulled towards "no information" as far as the rows leave it possible: a model that knows nothing must say the base rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from market.errors import ModelError
from models.clusters import blocks_of, covariance, mean_and_error, surely, towards
from models.forest import logistic
from models.trial import Trial

LOWEST, HIGHEST = 0.01, 0.99  # no prediction is surer than this
MAX_SLOPE = 5.0
FAR = 3.5  # a score is far from the usual one beyond so many median distances
CAUTION = 4.0  # a slope counts as far as its square exceeds so many variances
BASE_SPREAD = 0.03  # how far, in log-odds, the base rate of a market is believed to lie from even
MIN_STEP_BLOCKS = 8  # isotonic needs so many blocks of later rows to show that it is better
# Steps end at these shares of the rows: narrow at both ends, where one symbol among many may know something.
STEP_ENDS = (
    0.0025,
    0.005,
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.28,
    0.4,
    0.5,
    0.6,
    0.72,
    0.84,
    0.92,
    0.96,
    0.98,
    0.99,
    0.995,
    0.9975,
)
STEP_PRIOR_ROWS = 20.0  # independent rows at the base rate that each step starts from
PLATT, ISOTONIC = "platt", "isotonic"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds in, log-odds out: a straight line between the knots, level beyond them."""

    kind: str
    knots: np.ndarray  # (k,) increasing log-odds of the model
    log_odds: np.ndarray  # (k,) not decreasing: what they are worth

    def __post_init__(self) -> None:
        """Refuse a table that is not monotone and finite."""
        knots, log_odds = self.knots, self.log_odds
        if knots.ndim != 1 or knots.shape != log_odds.shape or len(knots) < 2:
            raise ModelError(f"calibration table of {knots.shape} and {log_odds.shape} is none; train again")
        if not (np.isfinite(knots).all() and np.isfinite(log_odds).all()):
            raise ModelError("calibration table is not finite; train again")
        if (np.diff(knots) <= 0).any() or (np.diff(log_odds) < 0).any():
            raise ModelError("calibration table is not increasing; train again")

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Return the calibrated probability of each score of the model (0 to 1); nan stays nan."""
        calibrated = logistic(np.interp(_log_odds(scores), self.knots, self.log_odds))
        result: np.ndarray = np.clip(calibrated, LOWEST, HIGHEST)
        return result

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the table, for a file."""
        return {"calibration": np.vstack((self.knots, self.log_odds))}


def calibration_from(kind: str, arrays: Mapping[str, np.ndarray]) -> Calibration:
    """Return the calibration kept in `arrays`; ModelError when there is none."""
    table = arrays.get("calibration")
    if table is None or table.ndim != 2 or len(table) != 2 or table.dtype != np.float64:
        raise ModelError("calibration table is missing; train again")
    return Calibration(kind, table[0], table[1])


def calibrate(scores: np.ndarray, up: np.ndarray, times: np.ndarray, block_candles: int) -> Calibration:
    """Return the calibration that does better on the later half, fitted again on all rows.

    `times`: candle of each row; rows within `block_candles` of each other count as one piece of evidence.
    """
    return calibrate_after(try_steps(scores, up, times, block_candles), scores, up, times, block_candles)


def calibrate_after(
    steps: Trial | None, scores: np.ndarray, up: np.ndarray, times: np.ndarray, block_candles: int
) -> Calibration:
    """Return the calibration of the kind that a trial of steps decided for, fitted on all rows."""
    kind = ISOTONIC if steps is not None and steps.is_used else PLATT
    return _FITS[kind](_log_odds(scores), up, times, block_candles)


def try_steps(scores: np.ndarray, up: np.ndarray, times: np.ndarray, block_candles: int) -> Trial | None:
    """Try steps beside a line, both learnt on the earlier half and judged on the later; None where one half is empty.

    A line has two numbers to get wrong, steps have many: they must be better beyond doubt.
    """
    x = _log_odds(scores)
    early, late = halves(times, block_candles)
    if not early.any() or not late.any():
        return None
    first = {name: fit(x[early], up[early], times[early], block_candles) for name, fit in _FITS.items()}
    told = {name: losses(made.probability(scores[late]), up[late]) for name, made in first.items()}
    blocks = blocks_of(times[late], block_candles)
    trial = Trial.of(told[ISOTONIC], told[PLATT], blocks)
    is_sure = trial.error is not None and trial.excess < -2.0 * trial.error
    return replace(trial, is_used=is_sure and int(blocks.max()) + 1 >= MIN_STEP_BLOCKS)


def halves(times: np.ndarray, block_candles: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows lie in the earlier and which in the later half of the time, one block between them."""
    middle = (int(times.min()) + int(times.max())) // 2
    return times < middle - block_candles, times >= middle


def losses(probability: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return the log-loss of each row."""
    result: np.ndarray = -np.log(np.where(up, probability, 1.0 - probability))
    return result


def fit_log_odds(design: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return the coefficients of a logistic regression with a faint pull to zero, so that it always ends.

    `design` (n, k), the last column of ones. Newton's steps, held short.
    """
    size = design.shape[1]
    pull = np.diag([*[1.0] * (size - 1), 1e-6])
    coefficients = np.zeros(size)
    for _ in range(50):
        fitted = logistic(design @ coefficients)
        gradient = design.T @ (up - fitted) - pull @ coefficients
        curvature = design.T @ (design * (fitted * (1.0 - fitted))[:, None]) + pull
        step = np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        coefficients += step
        if np.abs(step).max() < 1e-9:
            break
    return coefficients


def _log_odds(probability: np.ndarray) -> np.ndarray:
    clipped = np.clip(probability, 1e-6, 1.0 - 1e-6)
    result: np.ndarray = np.log(clipped / (1.0 - clipped))
    return result


def _fit_line(x: np.ndarray, up: np.ndarray, times: np.ndarray, block_candles: int) -> Calibration:
    """Return a line in log-odds with one slope for scores near the usual one and another for those far off.

    Most scores of a market are noise around the base rate while the few far ones may know something: each slope
    must prove itself against the spread between blocks of time, and the base rate is pulled towards even.
    """
    center = float(np.median(x))
    near = max(FAR * float(np.median(np.abs(x - center))), 1e-4)
    lean = np.clip(x - center, -near, near)
    design = np.column_stack((lean, x - center - lean, np.ones(len(x))))
    fit = fit_log_odds(design, up)
    fitted = logistic(design @ fit)
    spread = covariance(design, up - fitted, fitted * (1.0 - fitted), blocks_of(times, block_candles))
    slopes = [min(max(surely(fit[k], CAUTION * spread[k, k]), 0.0), MAX_SLOPE) for k in range(2)]
    base = towards(0.0, BASE_SPREAD**2, fit[2], spread[2, 2])
    ends = (min(float(x.min()) - center, -near) - 1e-3, max(float(x.max()) - center, near) + 1e-3)
    knots = np.array([ends[0], -near, near, ends[1]])
    inner = np.clip(knots, -near, near)
    return Calibration(PLATT, center + knots, base + slopes[0] * inner + slopes[1] * (knots - inner))


def _fit_steps(x: np.ndarray, up: np.ndarray, times: np.ndarray, block_candles: int) -> Calibration:
    """Return monotone steps joined by lines; each step starts from the base rate and must earn its distance."""
    base, error = mean_and_error(up.astype(float), blocks_of(times, block_candles))
    noise = max(base * (1.0 - base), 1e-6)
    likeness = max(1.0, len(x) * error * error / noise) if np.isfinite(error) else float(len(x))
    ends = np.round(np.array(STEP_ENDS) * len(x)).astype(int)
    steps = [step for step in np.split(np.argsort(x, kind="stable"), ends) if len(step)]
    worth = np.array([len(step) / likeness for step in steps]) + STEP_PRIOR_ROWS
    rates = base + (np.array([up[step].mean() for step in steps]) - base) * (1.0 - STEP_PRIOR_ROWS / worth)
    base_log_odds = _log_odds(np.array(base)).item()
    shift = towards(0.0, BASE_SPREAD**2, base_log_odds, (error / noise) ** 2) - base_log_odds
    # Means of equal scores differ in the last bit, in either direction.
    knots, kept = np.unique(np.maximum.accumulate([x[step].mean() for step in steps]), return_index=True)
    log_odds = (_log_odds(_monotone(rates, worth)) + shift)[kept]
    if len(knots) == 1:
        knots, log_odds = knots + np.array([-1e-3, 1e-3]), log_odds.repeat(2)
    return Calibration(ISOTONIC, knots, log_odds)


def _monotone(rates: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the closest non-decreasing values: neighbours that fall are pooled until none does."""
    pools: list[list[float]] = []  # rate, weight, length
    for rate, weight in zip(rates.tolist(), weights.tolist(), strict=True):
        pools.append([rate, weight, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            late, early = pools.pop(), pools.pop()
            total = late[1] + early[1]
            pools.append([(late[0] * late[1] + early[0] * early[1]) / total, total, late[2] + early[2]])
    return np.repeat([pool[0] for pool in pools], [int(pool[2]) for pool in pools])


_FITS = {PLATT: _fit_line, ISOTONIC: _fit_steps}

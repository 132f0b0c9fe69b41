"""Fit one family on one split: train on the past, calibrate on what came later, measure on what came later still."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models import families
from models.calibration import calibrate, halves, losses
from models.clusters import blocks_of, mean_and_error
from models.moves import fit_move
from models.panel import Outcomes, Panel, Sample, sample
from models.reference import fit_reference
from models.scores import Scores
from models.served import ServedModel, content_id
from models.validation import Split

FIRST_CHOICE = "random_forest"
MIN_ROWS = 200  # labelled rows in training, and half as many in calibration
MIN_BLOCK_CANDLES = 24  # features change slowly: rows closer than this are one piece of evidence
EVEN_ROWS = 100.0  # a block is believed to go one way only as far as its rows outnumber these even ones
TIE_LOSS = 1e-4  # log-loss by which a family must be better than the first choice


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train; the same settings and the same panel give the same model."""

    replay_candles: int  # walk forward over so many candles up to the cut
    folds: int = 3
    max_rows: int = 40_000  # rows one fit sees, chosen evenly over symbols and time
    coverage: float = 0.8  # what the range claims to hold
    seed: int = 1
    threads: int = 1
    families: tuple[str, ...] = ()  # empty: all there are


@dataclass(frozen=True, slots=True)
class Job:
    """One horizon of one panel: what every fit of it shares."""

    panel: Panel
    outcomes: Outcomes
    interval: str
    horizon: str
    settings: TrainingSettings

    @property
    def block_candles(self) -> int:
        """Return the length of a piece of time that counts as one observation."""
        return max(self.outcomes.horizon_candles, MIN_BLOCK_CANDLES)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibrated model and the estimator it came from."""

    model: ServedModel
    estimator: Any
    split: Split
    rows: int
    late_losses: np.ndarray  # of the later calibration rows, under a calibration by the earlier ones only
    late_times: np.ndarray


def fit(job: Job, family_name: str, split: Split) -> Fitted | None:
    """Return a calibrated model of one family, or None when its past holds too few rows or one outcome only."""
    settings, family = job.settings, families[family_name]
    training = sample(job.panel, job.outcomes, split.training, settings.max_rows)
    later = sample(job.panel, job.outcomes, split.calibration, settings.max_rows)
    if not _is_enough(training, MIN_ROWS) or not _is_enough(later, MIN_ROWS // 2):
        return None
    chosen = balanced(training, job.outcomes.horizon_candles)
    estimator = family.fit(training.rows[chosen], training.up[chosen], None, settings.seed, settings.threads)
    forest = family.flatten(estimator)
    raw = forest.probability(later.rows)
    calibration = calibrate(raw, later.up, later.times, job.block_candles)
    probability = calibration.probability(raw)
    model = ServedModel(
        id="",
        kind=family_name,
        interval=job.interval,
        horizon=job.horizon,
        horizon_candles=job.outcomes.horizon_candles,
        features=job.panel.columns,
        scale_column=job.panel.scale_column,
        coverage=settings.coverage,
        forest=forest,
        calibration=calibration,
        move=fit_move(probability, later.moves, later.times, job.block_candles, settings.coverage),
        reference=fit_reference(job.panel, job.outcomes, training, later),
    )
    late_losses, late_times = _late_losses(raw, later, job.block_candles)
    return Fitted(replace(model, id=content_id(model)), estimator, split, len(training), late_losses, late_times)


def balanced(training: Sample, block_candles: int) -> np.ndarray:
    """Return which rows to train on, some twice and some not, so that as many rise as fall in every block of time.

    The common move of a market is one draw a block, however many symbols show it. Left in, a family learns by heart
    which weeks went up; taken out, it learns what sets one row apart from the others of its time.
    """
    blocks = blocks_of(training.times, block_candles)
    counts = np.bincount(blocks) + EVEN_ROWS
    shares = (np.bincount(blocks, training.up) + 0.5 * EVEN_ROWS) / counts
    weights = 0.5 / np.where(training.up, shares[blocks], 1.0 - shares[blocks])
    # Whole numbers of copies that keep the running sum: like weights, but no estimator has to know of them.
    copies = np.diff(np.floor(np.cumsum(weights)), prepend=0.0).astype(np.int64)
    return np.repeat(np.arange(len(training)), copies)


def best_of(candidates: dict[str, Fitted], block_candles: int) -> str:
    """Return the family to trust from here on: another than the first choice only if clearly better on later rows."""
    best = FIRST_CHOICE if FIRST_CHOICE in candidates else next(iter(candidates))
    for name, fitted in candidates.items():
        held = candidates[best]
        mean, error = mean_and_error(held.late_losses - fitted.late_losses, blocks_of(held.late_times, block_candles))
        if name != best and mean > max(error, TIE_LOSS):
            best = name
    return best


def predict(panel: Panel, model: ServedModel, span: range) -> Scores:
    """Return the scores (S, len(span)) of all symbols over a span of candles."""
    block = panel.features[:, span.start : span.stop]
    flat = model.predict(block.reshape(-1, block.shape[2]).astype(np.float64))
    return Scores(*(values.reshape(block.shape[:2]) for values in flat.columns()))


def _is_enough(rows: Sample, min_rows: int) -> bool:
    return len(rows) >= min_rows and bool(rows.up.any()) and not bool(rows.up.all())


def _late_losses(raw: np.ndarray, later: Sample, block_candles: int) -> tuple[np.ndarray, np.ndarray]:
    early, late = halves(later.times, block_candles)
    if not early.any() or not late.any():
        return np.zeros(1), np.zeros(1, np.int64)
    calibration = calibrate(raw[early], later.up[early], later.times[early], block_candles)
    return losses(calibration.probability(raw[late]), later.up[late]), later.times[late]

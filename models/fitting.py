"""Fit one family on one split: train on the past, calibrate on what came later, measure on what came later still."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from models import families
from models.calibration import ISOTONIC, PLATT, calibrate, calibration_from, halves, losses
from models.clusters import blocks_of, mean_and_error
from models.fit_memory import FitMemory
from models.moves import fit_move, move_from
from models.panel import Outcomes, Panel, Sample, sample
from models.scores import Scores
from models.served import ServedModel, content_id
from models.serving_form import ServingForm, form_from
from models.validation import Split

FIRST_CHOICE = "random_forest"
MIN_ROWS = 200  # labelled rows in training, and half as many in calibration
MIN_BLOCK_CANDLES = 24  # features change slowly: rows closer than this are one piece of evidence
EVEN_ROWS = 100.0  # a block is believed to go one way only as far as its rows outnumber these even ones
TIE_LOSS = 1e-4  # log-loss by which a family must be better than the first choice
_TEACHING = ("models.fitting", "models.panel", "models.clusters", "models.forest", "models.linear", "models.flattening")
_CALIBRATING = ("models.calibration", "models.moves")
_KINDS = (PLATT, ISOTONIC)


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
    memory: FitMemory

    @property
    def block_candles(self) -> int:
        """Return the length of a piece of time that counts as one observation."""
        return max(self.outcomes.horizon_candles, MIN_BLOCK_CANDLES)

    @property
    def families(self) -> tuple[str, ...]:
        """Return the names of the families that compete."""
        return self.settings.families or tuple(families)

    def known_span(self, span: range) -> range:
        """Return the candles that decide the rows of a span and their outcomes."""
        return range(span.start, min(span.stop + self.outcomes.horizon_candles, len(self.panel.open_ms)))


class Past:
    """What one split of a job may be learnt from; rows are gathered when first asked for."""

    def __init__(self, job: Job, split: Split) -> None:
        """Look at the candles of `split` only."""
        self.job = job
        self.split = split

    @cached_property
    def training(self) -> Sample:
        """Return the rows to train on."""
        return sample(self.job.panel, self.job.outcomes, self.split.training, self.job.settings.max_rows)

    @cached_property
    def later(self) -> Sample:
        """Return the rows to calibrate on."""
        return sample(self.job.panel, self.job.outcomes, self.split.calibration, self.job.settings.max_rows)

    @cached_property
    def is_enough(self) -> bool:
        """Return whether there are rows of both outcomes to train on and to calibrate on."""
        return _is_enough(self.training, MIN_ROWS) and _is_enough(self.later, MIN_ROWS // 2)

    @cached_property
    def chosen(self) -> np.ndarray:
        """Return which training rows a fit sees, some of them twice."""
        return balanced(self.training, self.job.outcomes.horizon_candles)


@dataclass(frozen=True, slots=True)
class Taught:
    """What a family made of the training rows: the form that serves and, when it was fitted now, its estimator."""

    key: str  # of all that decided it
    form: ServingForm
    estimator: Any = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibrated model and where it came from."""

    model: ServedModel
    past: Past = field(repr=False)
    late_losses: np.ndarray  # of the later calibration rows, under a calibration by the earlier ones only
    late_times: np.ndarray


def fit(past: Past, family_name: str) -> Fitted | None:
    """Return a calibrated model of one family, or None when its past holds too few rows or one outcome only."""
    key = _teaching_key(past, family_name)
    arrays = past.job.memory.recall(key, lambda: taught(past, family_name).form.arrays() if past.is_enough else None)
    return None if arrays is None else calibrated(past, family_name, Taught(key, form_from(arrays)))


def taught(past: Past, family_name: str) -> Taught:
    """Return what a family makes of the training rows now, with the estimator."""
    settings, rows = past.job.settings, past.training
    family, chosen = families[family_name], past.chosen
    estimator = family.fit(rows.rows[chosen], rows.up[chosen], None, settings.seed, settings.threads)
    return Taught(_teaching_key(past, family_name), family.flatten(estimator), estimator)


def calibrated(past: Past, family_name: str, taught: Taught) -> Fitted | None:
    """Return the served model around what was taught, calibrated and measured on the later rows, if they are enough."""
    job, settings = past.job, past.job.settings
    key = job.memory.key(
        _CALIBRATING, (job.known_span(past.split.calibration),), taught.key, settings.coverage, job.block_candles
    )
    arrays = job.memory.recall(key, lambda: _measured(past, taught.form) if past.is_enough else None)
    if arrays is None:
        return None
    model = ServedModel(
        id="",
        kind=family_name,
        interval=job.interval,
        horizon=job.horizon,
        horizon_candles=job.outcomes.horizon_candles,
        features=job.panel.columns,
        scale_column=job.panel.scale_column,
        coverage=settings.coverage,
        form=taught.form,
        calibration=calibration_from(_KINDS[int(arrays["kind"][0])], arrays),
        move=move_from(arrays),
    )
    late_times = arrays["late_times"] + past.split.calibration.start
    return Fitted(replace(model, id=content_id(model)), past, arrays["late_losses"], late_times)


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


def _teaching_key(past: Past, family_name: str) -> str:
    job, settings = past.job, past.job.settings
    modules = (*_TEACHING, type(families[family_name]).__module__)
    parameters = (family_name, job.outcomes.horizon_candles, settings.max_rows, settings.seed)
    return job.memory.key(modules, (job.known_span(past.split.training),), *parameters)


def _measured(past: Past, form: ServingForm) -> dict[str, np.ndarray]:
    """Return calibration, move and the losses of the later rows, as arrays."""
    job, later = past.job, past.later
    raw = form.probability(later.rows)
    calibration = calibrate(raw, later.up, later.times, job.block_candles)
    probability = calibration.probability(raw)
    move = fit_move(probability, later.moves, later.times, job.block_candles, job.settings.coverage)
    late_losses, late_times = _late_losses(raw, later, job.block_candles)
    return {
        **calibration.arrays(),
        "kind": np.array([_KINDS.index(calibration.kind)]),
        **move.arrays(),
        "late_losses": late_losses,
        "late_times": late_times - past.split.calibration.start,
    }


def _late_losses(raw: np.ndarray, later: Sample, block_candles: int) -> tuple[np.ndarray, np.ndarray]:
    early, late = halves(later.times, block_candles)
    if not early.any() or not late.any():
        return np.zeros(1), np.full(1, later.times[0])
    calibration = calibrate(raw[early], later.up[early], later.times[early], block_candles)
    return losses(calibration.probability(raw[late]), later.up[late]), later.times[late]

"""Fit one family on one split: train on the past, calibrate on what came later, measure on what came later still."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import numpy as np

from models import families
from models.array_file import pack
from models.calibration import ISOTONIC, PLATT, calibrate, calibrate_after, calibration_from, halves, losses, try_steps
from models.clusters import blocks_of, mean_and_error
from models.job import Past
from models.moves import fit_move, move_from
from models.panel import Panel, Sample
from models.reference import reference_from
from models.scores import Scores
from models.served import ServedModel, content_id
from models.serving_form import ServingForm, form_from, widened
from models.trial import Trial

FIRST_CHOICE = "random_forest"
TIE_LOSS = 1e-4  # log-loss by which a family must be better than the first choice
_TEACHING = (
    "models.fitting",
    "models.job",
    "models.panel",
    "models.clusters",
    "models.forest",
    "models.forest_kernels",
    "models.linear",
    "models.flattening",
    "models.averaged_trees",
)
_CALIBRATING = (*_TEACHING, "models.calibration", "models.moves", "models.scores", "models.trial")
_KINDS = (PLATT, ISOTONIC)


@dataclass(frozen=True, slots=True)
class Taught:
    """What a family made of the training rows: the form that serves and, where it was fitted now, its estimator."""

    form: ServingForm
    estimator: Any = None


@dataclass(frozen=True, slots=True)
class Losses:
    """Log-loss of some rows, and the candle of each."""

    values: np.ndarray
    times: np.ndarray

    def excess_over(self, other: "Losses", block_candles: int) -> tuple[float, float]:
        """Return by how much these exceed those of another on the same rows, and the error of that between blocks."""
        return mean_and_error(self.values - other.values, blocks_of(other.times, block_candles))

    def beside(self, usual: "Losses", block_candles: int) -> Trial:
        """Return the comparison with the usual way on the same rows, not used yet."""
        return Trial.of(self.values, usual.values, blocks_of(usual.times, block_candles))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibrated model and where it came from."""

    model: ServedModel
    past: Past = field(repr=False)
    late: Losses  # of the later calibration rows, under a calibration by the earlier ones only
    steps: Trial | None  # of calibrating by steps beside a line


def fit(past: Past, family_name: str, columns: Sequence[int] | None = None) -> Fitted | None:
    """Return a calibrated model of one family, or None when its past holds too few rows or one outcome only.

    It is taught all columns or some, and always asked about whole rows; what memory knows is not done again.
    """
    arrays = past.job.memory.recall(
        _teaching_key(past, family_name, columns),
        lambda: taught(past, family_name, columns).form.arrays() if past.is_enough else None,
    )
    return None if arrays is None else calibrated(past, family_name, form_from(arrays))


def taught(past: Past, family_name: str, columns: Sequence[int] | None = None) -> Taught:
    """Return what a family makes of the training rows now, with the estimator."""
    settings, family = past.job.settings, families[family_name]
    rows, up = past.taught_rows
    if columns is None:
        estimator = family.fit(rows, up, None, settings.seed, settings.threads)
        return Taught(family.flatten(estimator), estimator)
    estimator = family.fit(np.ascontiguousarray(rows[:, list(columns)]), up, None, settings.seed, settings.threads)
    return Taught(widened(family.flatten(estimator), columns, rows.shape[1]), estimator)


def calibrated(past: Past, family_name: str, form: ServingForm) -> Fitted | None:
    """Return the served model around what was taught, calibrated and measured on the later rows, if they are enough."""
    job, settings = past.job, past.job.settings
    content = hashlib.sha256(pack(form.arrays())).hexdigest()
    facts = (content, settings.coverage, settings.max_rows, job.block_candles)
    key = job.memory.key(_CALIBRATING, (job.known_span(past.split.calibration),), *facts)
    arrays = job.memory.recall(key, lambda: _measured(past, form) if past.is_enough else None)
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
        form=form,
        calibration=calibration_from(_KINDS[int(arrays["kind"][0])], arrays),
        move=move_from(arrays),
        reference=reference_from(past.reference_arrays),
    )
    late = Losses(arrays["late_losses"], arrays["late_times"] + past.split.calibration.start)
    return Fitted(replace(model, id=content_id(model, settings.meaning)), past, late, _trial_from(arrays["steps"]))


def best_of(candidates: Mapping[str, Losses], block_candles: int) -> str:
    """Return the family to trust from here on: another than the first choice only if clearly better on later rows."""
    best = FIRST_CHOICE if FIRST_CHOICE in candidates else next(iter(candidates))
    for name, judged in candidates.items():
        mean, error = judged.excess_over(candidates[best], block_candles)
        if name != best and mean < -max(error, TIE_LOSS):
            best = name
    return best


def forecast(panel: Panel, model: ServedModel, span: range) -> Scores:
    """Return the scores (S, len(span)) of all symbols over a span of candles, without their strangeness."""
    flat = model.forecast(_rows(panel, span))
    return Scores(*(values.reshape(-1, len(span)) for values in flat.columns()))


def judged(panel: Panel, model: ServedModel, span: range, scores: Scores) -> Scores:
    """Return the scores of that span with how strange each row is to the model."""
    return replace(scores, strangeness=model.reference.strangeness(_rows(panel, span)).reshape(-1, len(span)))


def _rows(panel: Panel, span: range) -> np.ndarray:
    block = panel.features[:, span.start : span.stop]
    return block.reshape(-1, block.shape[2]).astype(np.float64)


def _teaching_key(past: Past, family_name: str, columns: Sequence[int] | None) -> str:
    job, settings = past.job, past.job.settings
    modules = (*_TEACHING, type(families[family_name]).__module__)
    parameters = (
        family_name,
        None if columns is None else tuple(columns),
        job.outcomes.horizon_candles,
        settings.max_rows,
        job.half_life_candles,
        settings.seed,
    )
    return job.memory.key(modules, (job.known_span(past.split.training),), *parameters)


def _measured(past: Past, form: ServingForm) -> dict[str, np.ndarray]:
    """Return calibration, move and the losses of the later rows, as arrays."""
    job, later = past.job, past.later
    raw = form.probability(later.rows)
    steps = try_steps(raw, later.up, later.times, job.block_candles)
    calibration = calibrate_after(steps, raw, later.up, later.times, job.block_candles)
    probability = calibration.probability(raw)
    move = fit_move(probability, later.moves, later.times, job.block_candles, job.settings.coverage)
    late = late_losses(raw, later, job.block_candles)
    return {
        **calibration.arrays(),
        "kind": np.array([_KINDS.index(calibration.kind)]),
        **move.arrays(),
        "late_losses": late.values,
        "late_times": late.times - past.split.calibration.start,
        "steps": np.array([] if steps is None else astuple(steps), np.float64),
    }


def _trial_from(values: np.ndarray) -> Trial | None:
    if not len(values):
        return None
    n, log_loss, usual_log_loss, excess, error, is_used = values.tolist()
    return Trial(int(n), log_loss, usual_log_loss, excess, None if np.isnan(error) else error, bool(is_used))


def late_losses(raw: np.ndarray, later: Sample, block_candles: int) -> Losses:
    """Return the losses of raw scores on the later half of some rows, calibrated by the earlier half."""
    early, late = halves(later.times, block_candles)
    if not early.any() or not late.any():
        return Losses(np.zeros(1), later.times[:1])
    calibration = calibrate(raw[early], later.up[early], later.times[early], block_candles)
    return Losses(losses(calibration.probability(raw[late]), later.up[late]), later.times[late])

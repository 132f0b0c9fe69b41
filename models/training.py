"""Train one horizon: walk forward through the past for the record, then once more for what comes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from market.errors import ModelError
from models.fit_memory import FitMemory
from models.fitting import (
    FIRST_CHOICE,
    MIN_ROWS,
    TIE_LOSS,
    Fitted,
    Job,
    Past,
    TrainingSettings,
    best_of,
    calibrated,
    fit,
    predict,
    taught,
)
from models.panel import Outcomes, Panel, outcomes_of
from models.scores import Record, Scores, record_of
from models.served import ServedModel
from models.validation import Split, needed_candles, split_before, walk_forward

__all__ = ["Fold", "TrainedHorizon", "TrainingSettings", "train_horizon"]


@dataclass(frozen=True, slots=True)
class Fold:
    """Predictions for a span of candles by a model that knew only what was known before the span began."""

    model_id: str
    first: int  # index of the first candle predicted
    last: int  # and of the last
    scores: Scores  # arrays (S, last - first + 1)


@dataclass(frozen=True, slots=True)
class TrainedHorizon:
    """The model to serve, the estimator it came from, and the honest record of both."""

    model: ServedModel
    estimator: Any
    records: dict[str, Record]  # walk-forward, by family
    folds: list[Fold]
    training_ms: tuple[int, int]  # open times of the first and last training candle
    calibration_ms: tuple[int, int]
    cut_ms: int  # close of the last candle known
    rows: int
    check_row: list[float]
    check_probability: float


@dataclass(frozen=True, slots=True)
class Told:
    """What the model of one family said of the test span of its split."""

    fitted: Fitted
    scores: Scores

    @property
    def span(self) -> range:
        """Return the candles it was asked about."""
        return self.fitted.past.split.test


@dataclass(frozen=True, slots=True)
class Walk:
    """All that was said on the way through the past, fold by fold."""

    told: dict[str, list[Told]]  # by family
    chosen: list[Told]  # by the family that was trusted at the time
    records: dict[str, Record]  # by family, of those with a scored row


def train_horizon(
    panel: Panel,
    interval: str,
    horizon: str,
    horizon_candles: int,
    settings: TrainingSettings,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    memory: FitMemory | None = None,
) -> TrainedHorizon:
    """Return the model of one horizon with its walk-forward record; ModelError when the history is too short.

    `on_progress` hears how many of how many fits are done; `memory` spares those that were done before.
    """
    job = Job(panel, outcomes_of(panel, horizon_candles), interval, horizon, settings, memory or FitMemory(panel))
    first, cut = _first_candle(job.outcomes), len(panel.open_ms)
    final = _final_split(job, first, cut)
    splits = walk_forward(first, range(cut - settings.replay_candles, cut), horizon_candles, settings.folds)
    total = (len(splits) + 1) * len(job.families)
    walk = walk_through(job, splits, lambda done: on_progress(done, total))
    served, estimator = _final_fit(Past(job, final), walk)
    on_progress(total, total)
    return _trained(served, estimator, walk)


def walk_through(job: Job, splits: list[Split], on_progress: Callable[[int], None] = lambda done: None) -> Walk:
    """Return what every family said of each split's test, told by what lay before it; `on_progress` hears the fits."""
    told: dict[str, list[Told]] = {name: [] for name in job.families}
    chosen: list[Told] = []
    for number, split in enumerate(splits):
        on_progress(number * len(told))
        past = Past(job, split)
        candidates = {name: fitted for name in told if (fitted := fit(past, name)) is not None}
        for name, fitted in candidates.items():
            told[name].append(Told(fitted, predict(job.panel, fitted.model, split.test)))
        if candidates:
            chosen.append(told[best_of(candidates, job.block_candles)][-1])
    on_progress(len(splits) * len(told))
    records = {name: record for name in told if (record := _record(job, told[name])) is not None}
    return Walk(told, chosen, records)


def _first_candle(outcomes: Outcomes) -> int:
    """Return the first candle at which half of the symbols have a row."""
    counts = outcomes.is_row.sum(axis=0)
    return int(np.argmax(counts >= max(1.0, counts.max() / 2))) if counts.any() else len(counts)


def _final_split(job: Job, first: int, cut: int) -> Split:
    """Return the split before all that comes, or say in the words of the settings why there is none."""
    length = job.outcomes.horizon_candles
    try:
        return split_before(first, range(cut, cut), length)
    except ModelError as error:
        raise ModelError(
            f"{job.horizon} on {job.interval} has {max(0, cut - first - length)} labelled candles, "
            f"needs {needed_candles(length) - length}: raise HISTORY_DAYS or drop the horizon from HORIZONS"
        ) from error


def _record(job: Job, told: list[Told]) -> Record | None:
    """Return how one family did over all folds; None when it has no scored row."""
    if not told:
        return None
    spans = [told_once.span for told_once in told]
    returns = [job.outcomes.return_bps[:, span.start : span.stop].ravel() for span in spans]
    columns = zip(*(told_once.scores.columns() for told_once in told), strict=True)
    joined = Scores(*(np.concatenate([part.ravel() for part in column]) for column in columns))
    return record_of(joined, np.concatenate(returns))


def _final_fit(past: Past, walk: Walk) -> tuple[Fitted, Any]:
    """Return the model to serve: of the family with the best record, or best on later rows where there is none.

    It is fitted anew, for its estimator is kept and the memory holds none.
    """
    job = past.job
    if not past.is_enough:
        raise ModelError(
            f"{job.horizon} on {job.interval} has fewer than {MIN_ROWS} labelled rows of both outcomes over "
            f"{len(job.panel.symbols)} symbols: raise HISTORY_DAYS or add symbols"
        )
    names = [_best_recorded(walk.records)] if walk.records else list(walk.told)
    made = {name: taught(past, name) for name in names}
    candidates = {name: fitted for name in names if (fitted := calibrated(past, name, made[name])) is not None}
    best = best_of(candidates, job.block_candles)
    return candidates[best], made[best].estimator


def _best_recorded(records: dict[str, Record]) -> str:
    """Return the family with the lowest log-loss; a tie goes to the first choice."""
    best = min(records, key=lambda name: records[name].log_loss)
    first = records.get(FIRST_CHOICE)
    return FIRST_CHOICE if first is not None and first.log_loss <= records[best].log_loss + TIE_LOSS else best


def _trained(served: Fitted, estimator: Any, walk: Walk) -> TrainedHorizon:
    model, past = served.model, served.past
    job, open_ms = past.job, past.job.panel.open_ms
    folds = [
        Fold(f"{model.id}-w{number}", told.span.start, told.span.stop - 1, told.scores)
        for number, told in enumerate(walk.chosen)
    ]
    symbol, candle = np.argwhere(job.outcomes.is_row)[-1]
    check_row = job.panel.features[symbol, candle].astype(np.float64)
    return TrainedHorizon(
        model=model,
        estimator=estimator,
        records=walk.records,
        folds=folds,
        training_ms=_span_ms(open_ms, past.split.training),
        calibration_ms=_span_ms(open_ms, past.split.calibration),
        cut_ms=int(2 * open_ms[-1] - open_ms[-2]),
        rows=len(past.training),
        check_row=check_row.tolist(),
        check_probability=float(model.predict(check_row[None]).probability_up[0]),
    )


def _span_ms(open_ms: np.ndarray, span: range) -> tuple[int, int]:
    return int(open_ms[span.start]), int(open_ms[span.stop - 1])

"""Train one horizon: walk forward through the past for the record, then once more for what comes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from market.errors import ModelError
from models import families
from models.adaptation import Widths
from models.fitting import FIRST_CHOICE, MIN_ROWS, TIE_LOSS, Fitted, Job, TrainingSettings, best_of, fit, predict
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
    folds: list[Fold]  # ranges as wide as the outcomes before them asked for
    log_widths: np.ndarray  # (S,) with which the first of them began
    training_ms: tuple[int, int]  # open times of the first and last training candle
    calibration_ms: tuple[int, int]
    cut_ms: int  # close of the last candle known
    rows: int
    check_row: list[float]
    check_probability: float


@dataclass(frozen=True, slots=True)
class _Told:
    """What one family said of one test span."""

    split: Split
    scores: Scores
    model: ServedModel


def train_horizon(
    panel: Panel,
    interval: str,
    horizon: str,
    horizon_candles: int,
    settings: TrainingSettings,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> TrainedHorizon:
    """Return the model of one horizon with its walk-forward record; ModelError when the history is too short.

    `on_progress` hears how many of how many fits are done.
    """
    job = Job(panel, outcomes_of(panel, horizon_candles), interval, horizon, settings)
    first, cut = _first_candle(job.outcomes), len(panel.open_ms)
    final = _final_split(job, first, cut)
    splits = walk_forward(first, range(cut - settings.replay_candles, cut), horizon_candles, settings.folds)
    names = list(settings.families or families)
    told: dict[str, list[_Told]] = {name: [] for name in names}
    chosen: list[_Told] = []
    for number, split in enumerate(splits):
        on_progress(number * len(names), (len(splits) + 1) * len(names))
        candidates = {name: fitted for name in names if (fitted := fit(job, name, split)) is not None}
        for name, fitted in candidates.items():
            told[name].append(_Told(split, predict(panel, fitted.model, split.test), fitted.model))
        if candidates:
            chosen.append(told[best_of(candidates, job.block_candles)][-1])
    records = {name: record for name in names if (record := _record(job, told[name])) is not None}
    on_progress(len(splits) * len(names), (len(splits) + 1) * len(names))
    served = _final_fit(job, names, records, final)
    on_progress((len(splits) + 1) * len(names), (len(splits) + 1) * len(names))
    return _trained(job, served, records, chosen)


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


def _record(job: Job, told: list[_Told]) -> Record | None:
    """Return how one family did over all folds; None when it has no scored row."""
    if not told:
        return None
    spans = [told_once.split.test for told_once in told]
    returns = [job.outcomes.return_bps[:, span.start : span.stop].ravel() for span in spans]
    columns = zip(*(told_once.scores.columns() for told_once in told), strict=True)
    joined = Scores(*(np.concatenate([part.ravel() for part in column]) for column in columns))
    return record_of(joined, np.concatenate(returns))


def _final_fit(job: Job, names: list[str], records: dict[str, Record], split: Split) -> Fitted:
    """Return the model to serve: of the family with the best record, or best on later rows where there is none."""
    if records:
        names = [_best_recorded(records)]
    candidates = {name: fitted for name in names if (fitted := fit(job, name, split)) is not None}
    if not candidates:
        raise ModelError(
            f"{job.horizon} on {job.interval} has fewer than {MIN_ROWS} labelled rows of both outcomes over "
            f"{len(job.panel.symbols)} symbols: raise HISTORY_DAYS or add symbols"
        )
    return candidates[best_of(candidates, job.block_candles)]


def _best_recorded(records: dict[str, Record]) -> str:
    """Return the family with the lowest log-loss; a tie goes to the first choice."""
    best = min(records, key=lambda name: records[name].log_loss)
    first = records.get(FIRST_CHOICE)
    return FIRST_CHOICE if first is not None and first.log_loss <= records[best].log_loss + TIE_LOSS else best


def _trained(job: Job, served: Fitted, records: dict[str, Record], chosen: list[_Told]) -> TrainedHorizon:
    model, open_ms = served.model, job.panel.open_ms
    adapted, log_widths = _adapted(job, chosen)
    folds = [
        Fold(f"{model.id}-w{number}", told.split.test.start, told.split.test.stop - 1, scores)
        for number, (told, scores) in enumerate(zip(chosen, adapted, strict=True))
    ]
    symbol, candle = np.argwhere(job.outcomes.is_row)[-1]
    check_row = job.panel.features[symbol, candle].astype(np.float64)
    return TrainedHorizon(
        model=model,
        estimator=served.estimator,
        records=records,
        folds=folds,
        log_widths=log_widths,
        training_ms=_span_ms(open_ms, served.split.training),
        calibration_ms=_span_ms(open_ms, served.split.calibration),
        cut_ms=int(2 * open_ms[-1] - open_ms[-2]),
        rows=served.rows,
        check_row=check_row.tolist(),
        check_probability=float(model.predict(check_row[None]).probability_up[0]),
    )


def _adapted(job: Job, chosen: list[_Told]) -> tuple[list[Scores], np.ndarray]:
    """Return the folds' scores with adapted ranges, and the log widths they began with.

    The widths begin on what the first fold's model says of its calibration rows, all due before the fold.
    """
    widths = Widths(len(job.panel.symbols), job.outcomes.horizon_candles, job.settings.coverage)
    if not chosen:
        return [], widths.log_widths
    first = chosen[0]
    lead = first.split.calibration
    widths.through([(predict(job.panel, first.model, lead), _returns(job, lead))])
    start = widths.log_widths
    return widths.through([(told.scores, _returns(job, told.split.test)) for told in chosen]), start


def _returns(job: Job, span: range) -> np.ndarray:
    return job.outcomes.return_bps[:, span.start : span.stop]


def _span_ms(open_ms: np.ndarray, span: range) -> tuple[int, int]:
    return int(open_ms[span.start]), int(open_ms[span.stop - 1])

"""Train one horizon: walk forward through the past for the record, then once more for what comes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from market.errors import ModelError
from models.adaptation import Adaptation
from models.cost_moves import CostRecord, cost_record
from models.final_fit import Choices, Final, final_fit
from models.fit_memory import FitMemory
from models.fitting import forecast
from models.job import Job, Past, TrainingSettings
from models.panel import Outcomes, Panel, outcomes_of
from models.scores import Record, Scores
from models.served import ServedModel
from models.validation import Split, needed_candles, split_before, walk_forward
from models.walk import Told, Walk, walk_through

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
    estimator: Any  # None where the leaves of older trees were counted anew
    records: dict[str, Record]  # walk-forward, by family
    cost_record: CostRecord | None  # walk-forward, of the size of moves
    choices: Choices
    folds: list[Fold]  # probabilities and ranges as the outcomes before them asked for
    adaptation: np.ndarray  # (6, S), `market.adaptation`: the state with which the first of them began
    training_ms: tuple[int, int]  # open times of the first and last training candle
    calibration_ms: tuple[int, int]
    cut_ms: int  # close of the last candle known
    rows: int
    check_row: list[float]
    check_probability: float


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
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    job = Job(panel, outcomes_of(panel, horizon_candles), interval, horizon, settings, memory or FitMemory(panel))
    first, cut = _first_candle(job.outcomes), len(panel.open_ms)
    final = _final_split(job, first, cut)
    splits = walk_forward(first, range(cut - settings.replay_candles, cut), horizon_candles, settings.folds)
    total = (len(splits) + 1) * len(job.families)
    with threadpool_limits(1):  # sums of several threads of the algebra library round in another order
        walk = walk_through(job, splits, lambda done: on_progress(done, total))
        trained = _trained(final_fit(Past(job, final), walk), walk)
    on_progress(total, total)
    return trained


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


def _trained(final: Final, walk: Walk) -> TrainedHorizon:
    model, past = final.fitted.model, final.fitted.past
    job, open_ms = past.job, past.job.panel.open_ms
    adapted, begun = _adapted(job, walk.chosen)
    folds = [
        Fold(f"{model.id}-w{number}", told.span.start, told.span.stop - 1, scores)
        for number, (told, scores) in enumerate(zip(walk.chosen, adapted, strict=True))
    ]
    symbol, candle = np.argwhere(job.outcomes.is_row)[-1]
    check_row = job.panel.features[symbol, candle].astype(np.float64)
    return TrainedHorizon(
        model=model,
        estimator=final.estimator,
        records=walk.records,
        cost_record=cost_record([told.fitted.past for told in walk.chosen]),
        choices=final.choices,
        folds=folds,
        adaptation=begun,
        training_ms=_span_ms(open_ms, past.split.training),
        calibration_ms=_span_ms(open_ms, past.split.calibration),
        cut_ms=int(2 * open_ms[-1] - open_ms[-2]),
        rows=len(past.training),
        check_row=check_row.tolist(),
        check_probability=float(model.predict(check_row[None]).probability_up[0]),
    )


def _adapted(job: Job, chosen: list[Told]) -> tuple[list[Scores], np.ndarray]:
    """Return the folds' scores adapted to each symbol, and the state they began with.

    It begins on what the first fold's model says of its calibration rows, all due before the fold.
    """
    adaptation = Adaptation(len(job.panel.symbols), job.outcomes.horizon_candles, job.settings.coverage)
    if not chosen:
        return [], adaptation.state
    first = chosen[0]
    lead = first.fitted.past.split.calibration
    adaptation.through([(forecast(job.panel, first.fitted.model, lead), _returns(job, lead))])
    begun = adaptation.state
    return adaptation.through([(told.scores, _returns(job, told.span)) for told in chosen]), begun


def _returns(job: Job, span: range) -> np.ndarray:
    return job.outcomes.return_bps[:, span.start : span.stop]


def _span_ms(open_ms: np.ndarray, span: range) -> tuple[int, int]:
    return int(open_ms[span.start]), int(open_ms[span.stop - 1])

"""Go through the past fold by fold: each family is taught by what lies before a fold and asked about the fold."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.calibration import losses
from models.fitting import Fitted, Losses, best_of, fit, forecast, judged
from models.job import Job, Past
from models.scores import Record, Scores, record_of
from models.validation import Split


@dataclass(frozen=True, slots=True)
class Told:
    """What the model of one family said of the test span of its split."""

    fitted: Fitted
    scores: Scores

    @property
    def span(self) -> range:
        """Return the candles it was asked about."""
        return self.fitted.past.split.test

    def losses(self) -> Losses:
        """Return the log-loss of every row whose outcome is known: rows later than all the model was made of."""
        returns = self.fitted.past.job.outcomes.return_bps[:, self.span.start : self.span.stop]
        known = np.isfinite(self.scores.probability_up) & np.isfinite(returns)
        times = np.broadcast_to(np.arange(self.span.start, self.span.stop), returns.shape)
        return Losses(losses(self.scores.probability_up[known], returns[known] > 0.0), times[known])


@dataclass(frozen=True, slots=True)
class Walk:
    """All that was said on the way through the past."""

    told: dict[str, list[Told]]  # by family, fold by fold
    chosen: list[Told]  # by the family that was trusted at the time
    records: dict[str, Record]  # by family, of those with a scored row


def walk_through(job: Job, splits: list[Split], on_progress: Callable[[int], None] = lambda done: None) -> Walk:
    """Return what every family said of each split's test; which one is trusted there was decided by what lay before.

    `on_progress` hears how many fits are done.
    """
    told: dict[str, list[Told]] = {name: [] for name in job.families}
    chosen: list[Told] = []
    for number, split in enumerate(splits):
        on_progress(number * len(told))
        past = Past(job, split)
        fitted = {name: made for name in told if (made := fit(past, name)) is not None}
        for name, made in fitted.items():
            told[name].append(tell(made))
        if fitted:
            best = best_of({name: made.late for name, made in fitted.items()}, job.block_candles)
            chosen.append(_acted_on(told[best][-1]))
    on_progress(len(splits) * len(told))
    records = {name: record for name in told if (record := _record(job, told[name])) is not None}
    return Walk(told, chosen, records)


def tell(fitted: Fitted) -> Told:
    """Return what a model says of the test of its split."""
    past = fitted.past
    return Told(fitted, forecast(past.job.panel, fitted.model, past.split.test))


def _acted_on(told: Told) -> Told:
    """Return what was said with how strange each row was: of the family that is trusted, rows become the record."""
    return replace(told, scores=judged(told.fitted.past.job.panel, told.fitted.model, told.span, told.scores))


def joined(told: list[Told]) -> Losses:
    """Return the losses of several folds as one."""
    parts = [told_once.losses() for told_once in told]
    return Losses(np.concatenate([part.values for part in parts]), np.concatenate([part.times for part in parts]))


def _record(job: Job, told: list[Told]) -> Record | None:
    """Return how one family did over all folds; None when it has no scored row."""
    if not told:
        return None
    returns = [job.outcomes.return_bps[:, once.span.start : once.span.stop].ravel() for once in told]
    columns = zip(*(once.scores.columns() for once in told), strict=True)
    scores = Scores(*(np.concatenate([part.ravel() for part in column]) for column in columns))
    return record_of(scores, np.concatenate(returns))

"""Make the model that serves, the cheaper way where a trial on later rows allows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from market.errors import ModelError
from models.fitting import Fitted, Losses, Taught, best_of, calibrated, late_losses, taught
from models.forest import Forest
from models.job import MIN_ROWS, Past
from models.leaves import refitted
from models.trial import Trial
from models.trials import Size, smallest, try_fewer_columns, try_newer_leaves
from models.walk import Walk, joined


@dataclass(frozen=True, slots=True)
class Choices:
    """How the served model was made, and the figures that led there."""

    families: dict[str, Trial] = field(default_factory=dict)  # the other families beside the one that is served
    dropped: tuple[str, ...] = ()  # columns it was not taught
    fewer_columns: Trial | None = None  # the columns of stable use against all; None where there was nothing to try
    newer_leaves: Trial | None = None  # older trees with their leaves counted anew against new trees
    sizes: tuple[Size, ...] = ()  # numbers of trees tried
    trees: int | None = None  # of the served model; None: it is a line
    steps: Trial | None = None  # calibrating by steps beside a line


@dataclass(frozen=True, slots=True)
class Final:
    """The model to serve; its estimator is None where leaves were counted anew in older trees."""

    fitted: Fitted
    estimator: Any
    choices: Choices


def final_fit(past: Past, walk: Walk) -> Final:
    """Return the model to serve: of the family with the best record, or best on later rows where there is none."""
    if not past.is_enough:
        raise ModelError(
            f"{past.job.horizon} on {past.job.interval} has fewer than {MIN_ROWS} labelled rows of both outcomes over "
            f"{len(past.job.panel.symbols)} symbols: raise HISTORY_DAYS or add symbols"
        )
    if not walk.records:
        return _unrecorded(past, tuple(walk.told))
    judged = {name: joined(walk.told[name]) for name in walk.records}
    name = best_of(judged, past.job.block_candles)
    told = walk.told[name]
    columns, fewer_columns = try_fewer_columns(told)
    is_narrow = fewer_columns is not None and fewer_columns.is_used
    newer_leaves = None if is_narrow else try_newer_leaves(told)  # both together would be a third way, tried by nobody
    older = told[-1].fitted.model.form
    if newer_leaves is not None and newer_leaves.is_used and isinstance(older, Forest):
        made = Taught(refitted(older, *past.taught_rows))
    else:
        made = taught(past, name, columns if is_narrow else None)
    names = past.job.panel.columns
    dropped = tuple(names[column] for column in range(len(names)) if column not in columns) if is_narrow else ()
    return _final(past, name, made, Choices(_others(judged, name, past), dropped, fewer_columns, newer_leaves))


def _unrecorded(past: Past, names: tuple[str, ...]) -> Final:
    """Return the family that does best on the later half of the calibration rows, where no fold could be walked."""
    made = {name: taught(past, name) for name in names}
    judged = {name: _late(past, made[name]) for name in names}
    best = best_of(judged, past.job.block_candles)
    return _final(past, best, made[best], Choices(_others(judged, best, past)))


def _others(judged: Mapping[str, Losses], chosen: str, past: Past) -> dict[str, Trial]:
    usual, block_candles = judged[chosen], past.job.block_candles
    return {name: losses.beside(usual, block_candles) for name, losses in judged.items() if name != chosen}


def _late(past: Past, made: Taught) -> Losses:
    return late_losses(made.form.probability(past.later.rows), past.later, past.job.block_candles)


def _final(past: Past, name: str, made: Taught, choices: Choices) -> Final:
    form, sizes = smallest(past, made.form)
    fitted = calibrated(past, name, form)
    if fitted is None:
        raise ModelError(f"{past.job.horizon} on {past.job.interval} has too few rows to calibrate on")
    trees = len(form.starts) - 1 if isinstance(form, Forest) else None
    return Final(fitted, made.estimator, replace(choices, sizes=sizes, trees=trees, steps=fitted.steps))

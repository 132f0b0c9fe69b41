"""Cheaper ways to the served model, each tried beside the usual one on the same later rows before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.clusters import MIN_BLOCKS, blocks_of
from models.fitting import TIE_LOSS, Fitted, calibrated, fit, late_losses
from models.flattening import first_trees
from models.forest import Forest
from models.importance import Importance, importance, stable_columns
from models.job import Past
from models.leaves import refitted
from models.serving_form import ServingForm
from models.trial import Trial
from models.walk import Told, tell

EVEN_LOSS = float(np.log(2.0))  # of saying 50 % each time
MAX_LOST_SHARE = 0.01  # of what the trees gain over saying 50 %: so much fewer of them may lose
TREE_SHARES = (8, 4, 2, 1)  # an eighth of the trees, a quarter, half of them, all


@dataclass(frozen=True, slots=True)
class Size:
    """A number of trees, and the log-loss they lead to on `n` later rows."""

    trees: int
    n: int
    log_loss: float


def try_fewer_columns(told: Sequence[Told]) -> tuple[list[int], Trial | None]:
    """Return the columns that are of stable use, and the trial of the newest fold taught with them only.

    No trial where every column is of use, or the newest fold is too short to judge by.
    """
    newest = told[-1].fitted
    columns = stable_columns([_importance_of(once.fitted) for once in told])
    if len(columns) == len(newest.model.features) or not _can_judge(told[-1]):
        return columns, None
    return columns, _trial(fit(newest.past, newest.model.kind, columns), told[-1])


def try_newer_leaves(told: Sequence[Told]) -> Trial | None:
    """Try the trees of the fold before the newest, their leaves counted anew, against the newest fold's own trees.

    None where a fold is missing or the newest too short to judge by, and where leaves are no shares that can be
    counted: those of a boosting mend each other.
    """
    newest = told[-1].fitted
    older = told[-2].fitted.model.form if len(told) > 1 else None
    if not isinstance(older, Forest) or older.is_logit or not _can_judge(told[-1]):
        return None
    return _trial(calibrated(newest.past, newest.model.kind, refitted(older, *newest.past.taught_rows)), told[-1])


def smallest(past: Past, form: ServingForm) -> tuple[ServingForm, tuple[Size, ...]]:
    """Return the form with as few trees as lose at most MAX_LOST_SHARE of the best one's gain, and all sizes tried.

    Where no size gains more than a tie there is nothing to measure by, and all trees stay. A line has no trees.
    """
    if not isinstance(form, Forest):
        return form, ()
    trees = len(form.starts) - 1
    forms = {count: first_trees(form, count) for count in sorted({max(1, trees // share) for share in TREE_SHARES})}
    later, block_candles = past.later, past.job.block_candles
    late = {count: late_losses(made.probability(later.rows), later, block_candles) for count, made in forms.items()}
    sizes = tuple(Size(count, len(judged.values), float(judged.values.mean())) for count, judged in late.items())
    best = min(size.log_loss for size in sizes)
    allowed = best + MAX_LOST_SHARE * (EVEN_LOSS - best)
    fitting = [size.trees for size in sizes if size.log_loss <= allowed]
    return forms[min(fitting)] if best < EVEN_LOSS - TIE_LOSS and fitting else form, sizes


def _importance_of(fitted: Fitted) -> Importance:
    past = fitted.past
    return importance(fitted.model.form, past.later, past.job.block_candles, past.job.settings.seed)


def _can_judge(told: Told) -> bool:
    """Return whether a fold has outcomes in enough blocks of time to tell an excess from its error."""
    judged = told.losses()
    return len(judged.times) > 0 and blocks_of(judged.times, told.fitted.past.job.block_candles).max() + 1 >= MIN_BLOCKS


def _trial(cheaper: Fitted | None, usual: Told) -> Trial | None:
    """Return how a cheaper model did in the test of the newest fold beside the usual one; None where it is none.

    It is used where it loses no more than a tie.
    """
    if cheaper is None:
        return None
    trial = tell(cheaper).losses().beside(usual.losses(), cheaper.past.job.block_candles)
    return replace(trial, is_used=trial.excess <= TIE_LOSS)

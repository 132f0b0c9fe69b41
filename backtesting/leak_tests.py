"""Ask whether a model could know what it must not: three tests in which all skill has to fall to chance.

Shuffled labels: the moves of the market stand elsewhere in time, features where they were. Shifted labels: every
outcome comes from far later in the history. Masked future: after a moment there is only noise; what was said
before it must be the same to the last bit, and nothing may be known of the noise. Each trains and walks forward anew,
as for the record, and is judged by the ledger's interval. One interval in forty lies above 0 by chance, so an alarm
must come three times, each time with other noise, before it is called a leak.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backtesting.masked_future import Tables, masked_future
from backtesting.relabelling import shifted_labels, shuffled_labels
from backtesting.walk_forward import WalkForward, walk_forward_of
from data.skill import MIN_RESAMPLED, Scores
from market.errors import ModelError
from models.panel import Panel
from models.training import TrainedHorizon, TrainingSettings, train_horizon

CHANCE, LEAK, TOO_SHORT = "chance", "leak", "too short"
SHUFFLED, SHIFTED, MASKED = "shuffled labels", "shifted labels", "masked future"
TESTS = (SHUFFLED, SHIFTED, MASKED)
ATTEMPTS = 3
_SHIFTS = (0.25, 0.4, 0.55)  # of the history, one an attempt


@dataclass(frozen=True, slots=True)
class LeakResult:
    """What one test found for one horizon; skill is Brier skill, with its 95 % interval."""

    test: str
    horizon: str
    n: int
    skill: float | None
    low: float | None
    high: float | None
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Case:
    """The candles of a market, and how models are trained on them."""

    tables: Tables
    build: Callable[[Tables], Panel]  # the features of the house
    interval: str
    horizons: Sequence[tuple[str, int]]  # name and length in candles
    settings: TrainingSettings
    cost_bps: float


def leak_tests(case: Case) -> Iterator[LeakResult]:
    """Yield the result of each test and horizon; a horizon with too little history is too short to tell."""
    panel = case.build(case.tables)
    for name, candles in case.horizons:
        for test in TESTS:
            try:
                yield _tested(case, panel, test, name, candles)
            except ModelError as error:
                yield LeakResult(test, name, 0, None, None, None, TOO_SHORT, f"{_title(test, name)}: {error}.")


def _tested(case: Case, panel: Panel, test: str, name: str, candles: int) -> LeakResult:
    """Return the first attempt that ends at chance, or the last one."""
    recorded = _train(case, panel, name, candles) if test == MASKED else None
    for attempt in range(ATTEMPTS):
        if recorded is None:
            result = _relabelled(case, panel, test, name, candles, attempt)
        else:
            result = _masked(case, panel, recorded, attempt)
        if result.verdict != LEAK:
            break
    return result


def _relabelled(case: Case, panel: Panel, test: str, name: str, candles: int, attempt: int) -> LeakResult:
    """Return what a walk-forward finds of outcomes that stand elsewhere in time."""
    if test == SHUFFLED:
        panel = shuffled_labels(panel, candles, seed=attempt)
    else:
        panel = shifted_labels(panel, _SHIFTS[attempt])
    trained = _train(case, panel, name, candles)
    return judged(test, name, walk_forward_of(panel, trained, case.cost_bps))


def _masked(case: Case, panel: Panel, recorded: TrainedHorizon, attempt: int) -> LeakResult:
    """Return whether anything before the middle of the walk-forward changes when all after it is noise."""
    folds, model = recorded.folds, recorded.model
    if not folds:
        raise ModelError("nothing can be replayed: raise HISTORY_DAYS")
    cut = (folds[0].first + folds[-1].last + 1) // 2
    masked = case.build(masked_future(case.tables, int(panel.open_ms[cut]), attempt))
    trained = _train(case, masked, model.horizon, model.horizon_candles)
    changed = changed_before(panel, masked, cut) or changed_scores(recorded, trained, cut)
    walked = walk_forward_of(masked, trained, case.cost_bps)
    result = judged(MASKED, model.horizon, walked, walked.candles >= cut)
    if changed:
        sentence = f"{_title(MASKED, model.horizon)}: {changed}, so something looks ahead."
        return LeakResult(MASKED, model.horizon, result.n, result.skill, result.low, result.high, LEAK, sentence)
    return result


def _train(case: Case, panel: Panel, name: str, candles: int) -> TrainedHorizon:
    return train_horizon(panel, case.interval, name, candles, case.settings)


def judged(test: str, horizon: str, walked: WalkForward, is_kept: np.ndarray | None = None) -> LeakResult:
    """Return what the skill of a walk-forward over unknowable outcomes says."""
    skill = walked.skill(is_kept)
    low, high = skill["brier_skill_low"], skill["brier_skill_high"]
    if low is None or skill["n_independent"] < MIN_RESAMPLED:
        verdict = TOO_SHORT
    else:
        verdict = LEAK if low > 0 else CHANCE
    sentence = f"{_title(test, horizon)}: {_told(verdict, skill)}."
    return LeakResult(test, horizon, skill["n"], skill["brier_skill"], low, high, verdict, sentence)


def changed_before(panel: Panel, masked: Panel, cut: int) -> str | None:
    """Return which numbers before the cut are not the same, in words, or None."""
    if not np.array_equal(panel.close[:, :cut], masked.close[:, :cut], equal_nan=True):
        return "closes before the cut depend on what came after it"
    one, other = panel.features[:, :cut], masked.features[:, :cut]
    is_other = ~((one == other) | (np.isnan(one) & np.isnan(other)))
    names = [name for name, found in zip(panel.columns, is_other.any(axis=(0, 1)), strict=True) if found]
    return f"the features {', '.join(names)} change before the cut" if names else None


def changed_scores(recorded: TrainedHorizon, masked: TrainedHorizon, cut: int) -> str | None:
    """Return whether predictions before the cut are not the same, in words, or None."""
    one, other = (_scores_before(trained, cut) for trained in (recorded, masked))
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
    return None if same else "predictions before the cut depend on what came after it"


def _scores_before(trained: TrainedHorizon, cut: int) -> list[np.ndarray]:
    folds = [fold for fold in trained.folds if fold.first < cut]
    return [
        np.concatenate([fold.scores.columns()[at][:, : cut - fold.first] for fold in folds], axis=1) for at in range(4)
    ]


def _title(test: str, horizon: str) -> str:
    return f"{test.capitalize()}, {horizon}"


def _told(verdict: str, skill: Scores) -> str:
    if verdict == TOO_SHORT:
        return f"{skill['n_independent']} horizons that do not overlap are too few to tell, {MIN_RESAMPLED} are needed"
    figures = (
        f"skill {_percent(skill['brier_skill'])} ({_percent(skill['brier_skill_low'])} to "
        f"{_percent(skill['brier_skill_high'])}) over {skill['n']:,} predictions"
    )
    if verdict == LEAK:
        return f"{figures}; this cannot be known, so something leaks"
    if skill["brier_skill_high"] < 0:
        return f"{figures}; worse than chance, so nothing leaks"
    return f"{figures}; no better than chance, as it must be"


def _percent(share: float) -> str:
    return "unknown" if not math.isfinite(share) else f"{share:+.2%}"

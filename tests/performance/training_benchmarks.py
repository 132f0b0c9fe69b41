"""A walk-forward of 28 retrains, and what it costs when it is asked for again."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.fit_shelf import FitShelf
from models.fit_memory import FitMemory
from models.job import Job, TrainingSettings
from models.panel import outcomes_of
from models.validation import walk_forward
from models.walk import walk_through
from tests.models.synthetic import synthetic_panel

RETRAINS = 28
SYMBOLS, CANDLES, HORIZON_CANDLES = 20, 6_000, 12
SETTINGS = TrainingSettings(
    replay_candles=RETRAINS * 48, folds=RETRAINS, max_rows=20_000, threads=2, families=("random_forest",)
)


class CountingShelf(FitShelf):
    """A shelf that counts the forests that had to be grown."""

    grown = 0

    def keep(self, key, arrays):
        self.grown += "nodes" in arrays
        super().keep(key, arrays)


def walk_forward_repeat():
    """A walk-forward of 28 retrains asked for again, seconds; one changed parameter refits what it touches."""
    panel = synthetic_panel(SYMBOLS, CANDLES, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        first, first_s, grown = _walk(Path(folder), panel, SETTINGS)
        again, again_s, grown_again = _walk(Path(folder), panel, SETTINGS)
        wider, _, grown_wider = _walk(Path(folder), panel, replace(SETTINGS, coverage=0.9))
        seeded, _, grown_seeded = _walk(Path(folder), panel, replace(SETTINGS, seed=2, folds=2))
    is_same = all(
        np.array_equal(one, other, equal_nan=True)
        for told, twin in zip(first.chosen, again.chosen, strict=True)
        for one, other in zip(told.scores.columns(), twin.scores.columns(), strict=True)
    )
    counts = (grown, grown_again, grown_wider, grown_seeded)
    is_right = is_same and counts == (RETRAINS, 0, 0, 2) and len(wider.chosen) == RETRAINS and len(seeded.chosen) == 2
    return {
        "work": f"walk-forward, {RETRAINS} retrains, repeated; forests grown: {grown} first, {grown_again} again, "
        f"{grown_wider} with another coverage, {grown_seeded} of 2 with another seed",
        "anchor": "the first run",
        "anchor_value": first_s,
        "ours_value": again_s,
        "unit": "s",
        "goal": ">= 100x",
        "gate": "passed" if is_right else "failed",
    }


def _walk(folder, panel, settings):
    """Return the walk, its seconds with everything read anew, and how many forests it grew."""
    started = time.perf_counter()
    shelf = CountingShelf(folder)
    job = Job(panel, outcomes_of(panel, HORIZON_CANDLES), "5m", "1h", settings, FitMemory(panel, shelf))
    first = int(np.argmax(job.outcomes.is_row.any(axis=0)))
    stop = len(panel.open_ms)
    walk = walk_through(
        job, walk_forward(first, range(stop - settings.replay_candles, stop), HORIZON_CANDLES, settings.folds)
    )
    return walk, time.perf_counter() - started, shelf.grown


BENCHMARKS = (walk_forward_repeat,)

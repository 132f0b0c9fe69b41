"""What a training is asked for, and the rows that one split of the past offers to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from market.errors import ModelError
from market.intervals import DAY_MS
from models import families
from models.clusters import blocks_of
from models.fit_memory import FitMemory
from models.panel import Outcomes, Panel, Sample, sample
from models.reference import fit_reference
from models.validation import Split

MIN_ROWS = 200  # labelled rows in training, and half as many in calibration
MIN_BLOCK_CANDLES = 24  # features change slowly: rows closer than this are one piece of evidence
EVEN_ROWS = 100.0  # a block is believed to go one way only as far as its rows outnumber these even ones


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
    half_life_days: float | None = 60.0  # a row so much older than the newest counts half; None: all count alike
    cost_bps: float = 0.0  # of entering and leaving: a move beyond it is worth something

    @property
    def meaning(self) -> str:
        """Return in words what of them a model and its record depend on; threads only change how long it takes."""
        return repr(replace(self, threads=1))


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
    def half_life_candles(self) -> float | None:
        """Return after how many candles a training row counts half."""
        days, open_ms = self.settings.half_life_days, self.panel.open_ms
        return None if days is None else days * DAY_MS / float(open_ms[1] - open_ms[0])

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
    def reference_arrays(self) -> Mapping[str, np.ndarray]:
        """Return the reference rows that all families of this split share, as arrays."""
        job, split = self.job, self.split
        spans = (job.known_span(split.training), job.known_span(split.calibration))
        facts = (job.outcomes.horizon_candles, job.settings.max_rows, int(job.panel.open_ms[split.training.start]))
        key = job.memory.key(("models.reference", "models.panel", "models.job"), spans, *facts)
        made = job.memory.recall(key, self._reference)
        if made is None:
            raise ModelError(f"{job.horizon} on {job.interval} has too few rows to refer to")
        return made

    def _reference(self) -> Mapping[str, np.ndarray] | None:
        if not self.is_enough:
            return None
        return fit_reference(self.job.panel, self.job.outcomes, self.training, self.later).arrays()

    @cached_property
    def taught_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows a fit sees, some of them twice, and whether each went up."""
        chosen = balanced(self.training, self.job.outcomes.horizon_candles, self.job.half_life_candles)
        return self.training.rows[chosen], self.training.up[chosen]


def balanced(training: Sample, block_candles: int, half_life_candles: float | None = None) -> np.ndarray:
    """Return which rows to train on, some twice and some not, so that as many rise as fall in every block of time.

    The common move of a market is one draw a block, however many symbols show it. Left in, a family learns by heart
    which weeks went up; taken out, it learns what sets one row apart from the others of its time. With a half-life
    older rows are chosen less often, their number stays the same.
    """
    blocks = blocks_of(training.times, block_candles)
    counts = np.bincount(blocks) + EVEN_ROWS
    shares = (np.bincount(blocks, training.up) + 0.5 * EVEN_ROWS) / counts
    weights = 0.5 / np.where(training.up, shares[blocks], 1.0 - shares[blocks])
    if half_life_candles is not None:
        recency = 0.5 ** ((training.times.max() - training.times) / half_life_candles)
        weights = weights * recency / recency.mean()
    # Whole numbers of copies that keep the running sum: like weights, but no estimator has to know of them.
    copies = np.diff(np.floor(np.cumsum(weights)), prepend=0.0).astype(np.int64)
    return np.repeat(np.arange(len(training)), copies)


def _is_enough(rows: Sample, min_rows: int) -> bool:
    return len(rows) >= min_rows and bool(rows.up.any()) and not bool(rows.up.all())

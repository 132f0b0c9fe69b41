"""Which columns a model lives on: what it loses on later rows when one column is shuffled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.calibration import HIGHEST, LOWEST, losses
from models.clusters import blocks_of, mean_and_error
from models.panel import Sample
from models.serving_form import ServingForm

MAX_ROWS = 6_000  # of the later rows, evenly over them
MIN_COLUMNS = 8  # so many stay at least
MIN_SHARE = 0.5  # of the folds in which a column must be of use


@dataclass(frozen=True, slots=True)
class Importance:
    """Rise of the log-loss when a column is shuffled, and the error of that rise between blocks of time."""

    rise: np.ndarray  # (features,)
    error: np.ndarray  # (features,); infinite when the blocks are few

    @property
    def is_useful(self) -> np.ndarray:
        """Return which columns are missed beyond their error."""
        result: np.ndarray = self.rise > self.error
        return result


def importance(form: ServingForm, later: Sample, block_candles: int, seed: int) -> Importance:
    """Return how much each column matters on rows the model was not taught with.

    Permutation importance after Breiman, "Random Forests" (2001), on later rows instead of the out-of-bag ones.
    """
    stride = max(1, -(-len(later) // MAX_ROWS))
    rows, up, times = later.rows[::stride].copy(), later.up[::stride], later.times[::stride]
    blocks = blocks_of(times, block_candles)
    order = np.random.default_rng(seed).permutation(len(rows))
    whole = _losses(form, rows, up)
    figures = []
    for column in range(rows.shape[1]):
        kept = rows[:, column].copy()
        rows[:, column] = kept[order]
        figures.append(mean_and_error(_losses(form, rows, up) - whole, blocks))
        rows[:, column] = kept
    rise, error = np.array(figures).T
    return Importance(rise, error)


def stable_columns(folds: Sequence[Importance]) -> list[int]:
    """Return the columns that were of use in most folds; the best of the others fill up to MIN_COLUMNS."""
    shares = np.mean([fold.is_useful for fold in folds], axis=0)
    rises = np.mean([fold.rise for fold in folds], axis=0)
    kept = np.flatnonzero(shares > MIN_SHARE)
    if len(kept) < MIN_COLUMNS:
        kept = np.lexsort((-rises, shares <= MIN_SHARE))[:MIN_COLUMNS]
    return sorted(kept.tolist())


def _losses(form: ServingForm, rows: np.ndarray, up: np.ndarray) -> np.ndarray:
    return losses(np.clip(form.probability(rows), LOWEST, HIGHEST), up)

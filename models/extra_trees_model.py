"""Extra trees: the random forest's looser sibling, its cuts drawn by chance; quick, and no lucky cut fools it."""

from typing import Any

import numpy as np

import models
from models.averaged_trees import fit_trees, flatten_trees
from models.forest import Forest

DEPTH = 6  # cuts by chance separate less: two levels more say about as much as the random forest's four
FEATURE_SHARE = 0.6  # of the columns looked at for each split


@models.add("extra_trees")
class ExtraTrees:
    """Train scikit-learn's ExtraTreesClassifier and lay it out flat."""

    def fit(self, rows: np.ndarray, up: np.ndarray, weights: np.ndarray | None, seed: int, threads: int) -> Any:
        """Return a fitted ExtraTreesClassifier."""
        from sklearn.ensemble import ExtraTreesClassifier

        return fit_trees(
            ExtraTreesClassifier,
            rows,
            up,
            weights,
            depth=DEPTH,
            feature_share=FEATURE_SHARE,
            seed=seed,
            threads=threads,
        )

    def flatten(self, estimator: Any) -> Forest:
        """Return the flat form."""
        return flatten_trees(estimator)

"""Random forest: many shallow trees on random parts of the rows; slow to be wrong, the model of first choice."""

from typing import Any

import numpy as np

import models
from models.averaged_trees import fit_trees, flatten_trees
from models.forest import Forest

DEPTH = 4
FEATURE_SHARE = 0.45  # of the columns looked at for each split


@models.add("random_forest")
class RandomForest:
    """Train scikit-learn's RandomForestClassifier and lay it out flat."""

    def fit(self, rows: np.ndarray, up: np.ndarray, weights: np.ndarray | None, seed: int, threads: int) -> Any:
        """Return a fitted RandomForestClassifier."""
        from sklearn.ensemble import RandomForestClassifier

        return fit_trees(
            RandomForestClassifier,
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

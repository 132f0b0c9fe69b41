"""Random forest: many shallow trees on random parts of the rows; slow to be wrong, the model of first choice."""

from typing import Any

import numpy as np

import models
from models.flattening import forest_of_shares
from models.forest import Forest

TREES = 32
DEPTH = 4
ROWS_A_TREE = 6_000
FEATURE_SHARE = 0.45  # of the columns looked at for each split
LEAF_SHARE = 0.003  # of a tree's rows that a leaf must hold: small enough for one symbol among fifty
MIN_LEAF_ROWS = 12


@models.add("random_forest")
class RandomForest:
    """Train scikit-learn's RandomForestClassifier and lay it out flat."""

    def fit(self, rows: np.ndarray, up: np.ndarray, weights: np.ndarray | None, seed: int, threads: int) -> Any:
        """Return a fitted RandomForestClassifier; each tree sees at most ROWS_A_TREE rows."""
        from sklearn.ensemble import RandomForestClassifier

        rows_a_tree = min(len(rows), ROWS_A_TREE)
        estimator = RandomForestClassifier(
            n_estimators=TREES,
            max_depth=DEPTH,
            max_features=FEATURE_SHARE,
            max_samples=rows_a_tree,
            min_samples_leaf=max(MIN_LEAF_ROWS, round(LEAF_SHARE * rows_a_tree)),
            random_state=seed,
            n_jobs=threads,
        )
        estimator.fit(rows, up, sample_weight=weights)
        return estimator.set_params(n_jobs=1)  # a saved forest with more jobs predicts 4x to 7x slower

    def flatten(self, estimator: Any) -> Forest:
        """Return the flat form: the mean over trees of the share of up in the leaf."""
        return forest_of_shares([member.tree_ for member in estimator.estimators_], estimator.n_features_in_)

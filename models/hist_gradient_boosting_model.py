"""Histogram gradient boosting: small trees that mend each other's errors; quick, and keen on weak signals."""

from typing import Any

import numpy as np

import models
from models.flattening import Tree, forest_of
from models.forest import Forest

TREES = 60
LEAVES = 6
LEARNING_RATE = 0.05
LEAF_SHARE = 0.004  # of the rows that a leaf must hold
MIN_LEAF_ROWS = 20
L2 = 10.0
FEATURE_SHARE = 0.5


@models.add("hist_gradient_boosting")
class HistGradientBoosting:
    """Train scikit-learn's HistGradientBoostingClassifier and lay it out flat."""

    def fit(self, rows: np.ndarray, up: np.ndarray, weights: np.ndarray | None, seed: int, threads: int) -> Any:
        """Return a fitted HistGradientBoostingClassifier; one thread only, sums over threads depend on their order."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        estimator = HistGradientBoostingClassifier(
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            learning_rate=LEARNING_RATE,
            min_samples_leaf=max(MIN_LEAF_ROWS, round(LEAF_SHARE * len(rows))),
            l2_regularization=L2,
            max_features=FEATURE_SHARE,
            early_stopping=False,  # it would hold back random rows, whose neighbours in time stay in training
            random_state=seed,
        )
        with threadpool_limits(limits=1):
            return estimator.fit(rows, up, sample_weight=weights)

    def flatten(self, estimator: Any) -> Forest:
        """Return the flat form: the logistic function of the base line plus all leaves."""
        trees = [_tree(stage[0].nodes) for stage in estimator._predictors]
        bias = float(estimator._baseline_prediction[0, 0])
        return forest_of(trees, estimator.n_features_in_, 1.0, bias, is_logit=True)


def _tree(nodes: Any) -> Tree:
    left, right = (nodes[side].astype(np.int64) for side in ("left", "right"))
    value, count = nodes["value"].astype(np.float64), nodes["count"]
    # Only leaves hold what they add: the mean of an inner node comes from below, and children come after parents.
    for node in reversed(np.flatnonzero(nodes["is_leaf"] == 0)):
        pair = [left[node], right[node]]
        value[node] = value[pair] @ count[pair] / count[node]
    left = np.where(nodes["is_leaf"] == 1, -1, left)
    return Tree(left, right, nodes["feature_idx"], nodes["num_threshold"], value)

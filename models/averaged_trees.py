"""What forests have in common that average many shallow trees: how they are fitted, and how they are laid out flat."""

from typing import Any

import numpy as np

from models.flattening import forest_of_shares
from models.forest import Forest

TREES = 32
ROWS_A_TREE = 6_000
LEAF_SHARE = 0.003  # of a tree's rows that a leaf must hold: small enough for one symbol among fifty
MIN_LEAF_ROWS = 12


def fit_trees(
    kind: Any,
    rows: np.ndarray,
    up: np.ndarray,
    weights: np.ndarray | None,
    *,
    depth: int,
    feature_share: float,
    seed: int,
    threads: int,
) -> Any:
    """Return a fitted scikit-learn forest of the class `kind`; each tree sees at most ROWS_A_TREE rows.

    `feature_share`: of the columns looked at for each split.
    """
    rows_a_tree = min(len(rows), ROWS_A_TREE)
    estimator = kind(
        n_estimators=TREES,
        max_depth=depth,
        max_features=feature_share,
        bootstrap=True,
        max_samples=rows_a_tree,
        min_samples_leaf=max(MIN_LEAF_ROWS, round(LEAF_SHARE * rows_a_tree)),
        random_state=seed,
        n_jobs=threads,
    )
    estimator.fit(rows, up, sample_weight=weights)
    return estimator.set_params(n_jobs=1)  # a saved forest with more jobs predicts 4x to 7x slower


def flatten_trees(estimator: Any) -> Forest:
    """Return the flat form: the mean over trees of the share of up in the leaf."""
    return forest_of_shares([member.tree_ for member in estimator.estimators_], estimator.n_features_in_)

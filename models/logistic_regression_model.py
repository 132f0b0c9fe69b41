"""Logistic regression: one weight a column; the plainest thing that can lean, and a check on all the others."""

from typing import Any

import numpy as np

import models
from models.linear import Linear

LIMIT = 4.0  # standard deviations beyond which a value counts as no farther
STRENGTH = 0.01  # inverse of the ridge: weights stay small unless thousands of rows insist
STEPS = 100


@models.add("logistic_regression")
class LogisticRegression:
    """Train scikit-learn's LogisticRegression on held, standardised columns and write it down as a line."""

    def fit(self, rows: np.ndarray, up: np.ndarray, weights: np.ndarray | None, seed: int, threads: int) -> Any:
        """Return a fitted Pipeline; its path is fixed, `seed` and `threads` change nothing."""
        from sklearn.linear_model import LogisticRegression as Estimator
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        pipeline = make_pipeline(
            # Columns are float32: sums over thousands of rows need more.
            FunctionTransformer(np.asarray, kw_args={"dtype": np.float64}),
            StandardScaler(),
            FunctionTransformer(np.clip, kw_args={"a_min": -LIMIT, "a_max": LIMIT}),
            Estimator(C=STRENGTH, max_iter=STEPS),
        )
        with threadpool_limits(limits=1):  # sums over threads depend on their order
            return pipeline.fit(rows, up, logisticregression__sample_weight=weights)

    def flatten(self, estimator: Any) -> Linear:
        """Return the flat form: center, scale and weight of each column."""
        scaler, line = estimator.named_steps["standardscaler"], estimator.named_steps["logisticregression"]
        return Linear(np.vstack((scaler.mean_, scaler.scale_, line.coef_[0])), float(line.intercept_[0]), LIMIT)

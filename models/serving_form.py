"""What every trained estimator becomes before it serves: flat numbers that turn rows into probabilities."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from market.errors import ModelError
from models.flattening import widened_forest
from models.forest import Contributions, Forest, forest_from
from models.linear import Linear, linear_from


class ServingForm(Protocol):
    """Numbers without an estimator behind them; immutable, and refused when they could not serve."""

    @property
    def feature_count(self) -> int:
        """Return how many columns a row must have."""
        ...

    def probability(self, rows: np.ndarray, block_rows: int = ...) -> np.ndarray:
        """Return the probability of up for each of the rows (n, features), float64; nan for a row with a hole."""
        ...

    def probability_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability that each score stands for."""
        ...

    def contributions(self, rows: np.ndarray) -> Contributions:
        """Return how each feature moved the score of each row (n, features); nan for a row with a hole."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that makes this form, for a file."""
        ...


def form_from(arrays: Mapping[str, np.ndarray]) -> ServingForm:
    """Return the form kept in `arrays`; ModelError names what is missing or cannot be."""
    return linear_from(arrays) if "linear" in arrays else forest_from(arrays)


def widened(form: ServingForm, columns: Sequence[int], feature_count: int) -> ServingForm:
    """Return the same model for rows of `feature_count` columns, of which it looks at `columns` only."""
    if isinstance(form, Linear):
        return form.widened(columns, feature_count)
    if isinstance(form, Forest):
        return widened_forest(form, columns, feature_count)
    raise ModelError(f"{type(form).__name__} cannot be asked about more columns than it was taught")

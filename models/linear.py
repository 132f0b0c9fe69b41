"""A straight line in log-odds over held columns: the served form of the linear families."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from market.errors import ModelError
from models.forest import Contributions, logistic
from models.forest_kernels import MAX_FEATURES

_PARTS = 3  # center, scale and weight of each column


@dataclass(frozen=True, slots=True)
class Linear:
    """Log-odds = bias + the sum of weight * held((x - center) / scale) over the columns.

    Held: no value counts as farther than `limit` scales from its center, so that one wild value decides nothing.
    """

    table: np.ndarray  # float64 (3, features): center, scale, weight
    bias: float
    limit: float

    def __post_init__(self) -> None:
        """Refuse numbers that are no such line."""
        if reason := _fault(self):
            raise ModelError(f"linear model refused: {reason}; train it again")
        view = self.table.view()
        view.flags.writeable = False
        object.__setattr__(self, "table", view)

    @property
    def feature_count(self) -> int:
        """Return how many columns a row must have."""
        return int(self.table.shape[1])

    def probability(self, rows: np.ndarray, block_rows: int = 0) -> np.ndarray:
        """Return the probability of up for each of the rows (n, features), float64; nan for a row that is not finite.

        Rows are rounded to float32, as in training. Rows do not walk here: `block_rows` changes nothing.
        """
        is_whole, pulls = self._pulls(rows)
        # Column by column: a matrix product sums one row in another order than many.
        scores = np.full(len(pulls), self.bias)
        for column in range(self.feature_count):
            scores += pulls[:, column]
        return np.where(is_whole, self.probability_of(scores), np.nan)

    def probability_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability that each score stands for."""
        return logistic(scores)

    def contributions(self, rows: np.ndarray) -> Contributions:
        """Return what each column adds to the log-odds of each row (n, features); nan for a row that is not finite."""
        is_whole, pulls = self._pulls(rows)
        return Contributions(self.bias, np.where(is_whole[:, None], pulls, np.nan))

    def _pulls(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows are finite, and what each of their columns adds."""
        rows = np.asarray(rows, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.feature_count:
            raise ModelError(f"rows are {rows.shape}, the linear model needs {self.feature_count} features in each")
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = rows.astype(np.float32).astype(np.float64)
        center, scale, weight = self.table
        is_whole = np.asarray(np.isfinite(rounded).all(axis=1))
        distances = (np.where(is_whole[:, None], rounded, center) - center) / scale
        return is_whole, weight * np.clip(distances, -self.limit, self.limit)

    def widened(self, columns: Sequence[int], feature_count: int) -> "Linear":
        """Return the same line for rows of `feature_count` columns, of which it looks at `columns` only."""
        table = np.vstack((np.zeros(feature_count), np.ones(feature_count), np.zeros(feature_count)))
        table[:, list(columns)] = self.table
        return Linear(table, self.bias, self.limit)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that makes this line, for a file."""
        return {"linear": self.table, "line": np.array([self.bias, self.limit])}


def linear_from(arrays: Mapping[str, np.ndarray]) -> Linear:
    """Return the line kept in `arrays`; ModelError names what is missing or cannot be."""
    try:
        table, numbers = arrays["linear"], arrays["line"]
    except KeyError as error:
        raise ModelError(f"linear model refused: array {error} is missing; train it again") from None
    if numbers.shape != (2,) or numbers.dtype != np.float64:
        raise ModelError("linear model refused: its two numbers are missing; train it again")
    bias, limit = numbers.tolist()
    return Linear(table, bias, limit)


def _fault(line: Linear) -> str:
    table = line.table
    if table.dtype != np.float64 or table.ndim != 2 or len(table) != _PARTS:
        return f"its table is {table.dtype} {table.shape}, not float64 with {_PARTS} lines"
    if not 1 <= table.shape[1] <= MAX_FEATURES:
        return f"{table.shape[1]} features, 1 to {MAX_FEATURES} are possible"
    if not (np.isfinite(table).all() and np.isfinite(line.bias) and np.isfinite(line.limit)):
        return "a number is not finite"
    if (table[1] <= 0.0).any() or line.limit <= 0.0:
        return "a scale is not above 0"
    with np.errstate(over="ignore"):  # the largest sum must stay finite, whatever the row
        reach = float((np.abs(table[2]) * line.limit).sum()) + abs(line.bias)
    return "" if np.isfinite(reach) else "its weights are too large"

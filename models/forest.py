"""Trees as one flat array and what is asked of it: what every prediction is served from."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from market.errors import ModelError
from models.forest_kernels import (
    FAULTS,
    LARGE_TREE_ROWS,
    MAX_FEATURES,
    MAX_NODES,
    SMALL_TREE_NODES,
    SMALL_TREE_ROWS,
    STEP_BITS,
    STEP_MASK,
    add_changes,
    add_depths,
    find_fault,
    sum_leaves,
)


@dataclass(frozen=True, slots=True)
class Contributions:
    """What moved the result of each row away from a base that all rows share: base + sum over features = result."""

    base: float
    values: np.ndarray  # (n, features)


@dataclass(frozen=True, slots=True)
class Forest:
    """Many small trees over the same features; their leaf values are summed in the order of the trees.

    probability = sum * weight + bias, through the logistic function when `is_logit`.
    """

    nodes: np.ndarray  # uint32 (nodes, 2)
    starts: np.ndarray  # int64 (trees + 1,): where each tree begins, and the end of the last
    means: (
        np.ndarray
    )  # float32 (inner nodes,): what training rows that come through add on average; explains, never predicts
    feature_count: int
    weight: float
    bias: float
    is_logit: bool
    depths: np.ndarray = field(init=False, repr=False)  # int64 (trees,): steps from the root to the deepest leaf

    def __post_init__(self) -> None:
        """Refuse arrays that could lead a walk astray."""
        if reason := _shape_fault(self):
            raise ModelError(f"forest refused: {reason}; train it again")
        # Arrays that come from a file are read-only; all of one kind means one compiled kernel.
        for name in ("nodes", "starts", "means"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if reason := FAULTS[find_fault(self.nodes, self.starts, self.means.view(np.uint32), self.feature_count)]:
            raise ModelError(f"forest refused: {reason}; train it again")
        object.__setattr__(self, "depths", np.zeros(len(self.starts) - 1, np.int64))
        add_depths(self.nodes, self.starts, self.depths)

    def probability(self, rows: np.ndarray, block_rows: int = 0) -> np.ndarray:
        """Return the probability of up for each of the rows (n, features), float64; nan for a row that is not finite.

        Rows are rounded to float32, as in training. `block_rows` rows walk through a tree side by side; 0 leaves it to
        the size of the trees.
        """
        is_large = len(self.nodes) > SMALL_TREE_NODES * len(self.depths)
        block_rows = block_rows or (LARGE_TREE_ROWS if is_large else SMALL_TREE_ROWS)
        trees = (self.nodes.reshape(-1), self.starts, self.depths)
        return self.probability_of(sum_leaves(self._fitting(rows), *trees, block_rows, self.weight, self.bias))

    def probability_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability that each score stands for."""
        return logistic(scores) if self.is_logit else scores

    def contributions(self, rows: np.ndarray) -> Contributions:
        """Return how each feature moved the score of each row (n, features); nan for a row that is not finite.

        Path attribution after A. Saabas, "Interpreting random forests" (2014): a split hands its feature the change
        from the mean of its node to that of the child the row goes to. The changes of a path end at its leaf.
        """
        rows = self._fitting(rows)
        changes = np.zeros(rows.shape)
        add_changes(rows, self.nodes, self.starts, self.means, self.weight, changes)
        trees, roots = np.arange(len(self.starts) - 1), self.starts[:-1]
        is_leaf = (self.nodes[roots, 1] & STEP_MASK) == 0
        leaves = self.nodes[roots, 0].view(np.float32).astype(np.float64)
        sums = leaves[is_leaf].sum() + self.means[(roots - trees)[~is_leaf] // 2].astype(np.float64).sum()
        return Contributions(float(sums) * self.weight + self.bias, changes)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that makes this forest, for a file."""
        numbers = [float(self.feature_count), self.weight, self.bias, float(self.is_logit)]
        return {"nodes": self.nodes, "starts": self.starts, "means": self.means, "forest": np.array(numbers)}

    def _fitting(self, rows: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(rows, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.feature_count:
            raise ModelError(f"rows are {rows.shape}, the forest needs {self.feature_count} features in each")
        return rows


def forest_from(arrays: Mapping[str, np.ndarray]) -> Forest:
    """Return the forest kept in `arrays`; ModelError names what is missing or cannot be."""
    try:
        nodes, starts, means, numbers = (arrays[name] for name in ("nodes", "starts", "means", "forest"))
    except KeyError as error:
        raise ModelError(f"forest refused: array {error} is missing; train it again") from None
    if numbers.shape != (4,) or numbers.dtype != np.float64 or not np.isfinite(numbers).all():
        raise ModelError("forest refused: its four numbers are not finite; train it again")
    count, weight, bias, is_logit = numbers.tolist()
    return Forest(nodes, starts, means, int(count), weight, bias, bool(is_logit))


def logistic(scores: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e^-score), without overflow at the ends."""
    result: np.ndarray = 0.5 + 0.5 * np.tanh(0.5 * scores)
    return result


def compile_kernels() -> dict[str, float]:
    """Compile the kernels or take them from the disk cache; return the seconds each took."""
    leaf = np.array([[0, 1 << STEP_BITS]], np.uint32)
    start = time.perf_counter()
    forest = Forest(leaf, np.array([0, 1]), np.zeros(0, np.float32), 1, 1.0, 0.0, is_logit=False)
    checked = time.perf_counter()
    forest.probability(np.zeros((1, 1)))
    walked = time.perf_counter()
    forest.contributions(np.zeros((1, 1)))
    explained = time.perf_counter()
    return {"forest_check": checked - start, "forest_walk": walked - checked, "forest_reasons": explained - walked}


def _shape_fault(forest: Forest) -> str:
    nodes, starts, means = forest.nodes, forest.starts, forest.means
    if nodes.dtype != np.uint32 or nodes.ndim != 2 or nodes.shape[1] != 2 or not nodes.flags.c_contiguous:
        return f"nodes are {nodes.dtype} {nodes.shape}, not uint32 pairs"
    if starts.dtype != np.int64 or starts.ndim != 1 or len(starts) < 2 or not starts.flags.c_contiguous:
        return f"starts are {starts.dtype} {starts.shape}, not int64 for at least one tree"
    if means.dtype != np.float32 or means.ndim != 1 or not means.flags.c_contiguous:
        return f"means are {means.dtype} {means.shape}, not float32 for each inner node"
    if not 1 <= forest.feature_count <= MAX_FEATURES:
        return f"{forest.feature_count} features, 1 to {MAX_FEATURES} are possible"
    return f"{len(nodes)} nodes are too many" if len(nodes) >= MAX_NODES else ""

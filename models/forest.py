"""Trees as one flat array and the compiled walk through it: what every prediction is served from."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from market.errors import ModelError

# One node is two 32-bit words. Word 0: threshold of an inner node, value of a leaf (float32).
# Word 1: feature in the upper bits; in the lower ones the step to the left child, whose right neighbour is the right
# child. A leaf has step 0 and the feature one past the last, where every row holds -inf: so it never moves on.
# Steps are unsigned: a child always lies after its parent, and a walk always ends.
STEP_BITS = 22
_STEP_MASK = np.uint32((1 << STEP_BITS) - 1)
_STEP_SHIFT = np.uint32(STEP_BITS)
MAX_FEATURES = (1 << (32 - STEP_BITS)) - 2
MAX_NODES = 1 << 31
BLOCK_ROWS = 256  # a deep tree that many rows walk through stays in the processor's cache until they are done
_FEW_ROWS = 4  # fewer than this go one by one through all trees at once


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

    def __post_init__(self) -> None:
        """Refuse arrays that could lead a walk astray."""
        if reason := _shape_fault(self):
            raise ModelError(f"forest refused: {reason}; train it again")
        # Arrays that come from a file are read-only; all of one kind means one compiled kernel.
        for name in ("nodes", "starts", "means"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if reason := _FAULTS[_find_fault(self.nodes, self.starts, self.means, self.feature_count)]:
            raise ModelError(f"forest refused: {reason}; train it again")

    def probability(self, rows: np.ndarray, block_rows: int = BLOCK_ROWS) -> np.ndarray:
        """Return the probability of up for each of the rows (n, features), float64; nan for a row that is not finite.

        Rows are rounded to float32, as in training. `block_rows` rows walk through a tree side by side.
        """
        scores = _sum_leaves(self._fitting(rows), self.nodes, self.starts, block_rows, self.weight, self.bias)
        return self.probability_of(scores)

    def probability_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability that each score stands for."""
        return logistic(scores) if self.is_logit else scores

    def contributions(self, rows: np.ndarray) -> Contributions:
        """Return how each feature moved the score of each row (n, features); nan for a row that is not finite.

        Path attribution after A. Saabas, "Interpreting random forests" (2014): a split hands its feature the change
        from the mean of its node to that of the child the row goes to. The changes of a path end at its leaf.
        """
        changes = _add_changes(self._fitting(rows), self.nodes, self.starts, self.means, self.weight)
        trees, roots = np.arange(len(self.starts) - 1), self.starts[:-1]
        is_leaf = (self.nodes[roots, 1] & _STEP_MASK) == 0
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


_FAULTS = (
    "",
    "trees do not follow each other",
    "a child lies outside its tree",
    "a feature is out of range",
    "a threshold or leaf is not finite",
    "there is not one mean for each inner node",
    "a mean is not finite",
)
_NO_NUMBER = np.uint32(0x7F800000)  # the bits that infinity and nan have all set


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _find_fault(nodes: np.ndarray, starts: np.ndarray, means: np.ndarray, feature_count: int) -> int:
    """Return the index in `_FAULTS` of the first tree's fault, 0 for none.

    Children must lie breadth first, two for each inner node in turn: then every node has one parent before it, and
    the k-th inner node of a tree is known by where its children are.
    """
    if starts[0] != 0 or starts[-1] != len(nodes):
        return 1
    inner_nodes = 0
    for tree in range(len(starts) - 1):
        start, end = starts[tree], starts[tree + 1]
        if end <= start or end > len(nodes):
            return 1
        children = start + 1
        is_astray = is_foreign = is_wild = False
        for node in range(start, end):  # without a branch: 3x over returning at the first fault
            step = np.int64(nodes[node, 1] & _STEP_MASK)
            feature = np.int64(nodes[node, 1] >> _STEP_SHIFT)
            is_inner = step != 0
            is_astray |= is_inner & (node + step != children)
            children += 2 * is_inner
            is_foreign |= (feature > feature_count) | ((feature == feature_count) == is_inner)
            is_wild |= (nodes[node, 0] & _NO_NUMBER) == _NO_NUMBER
        if is_astray or children != end:
            return 2
        if is_foreign:
            return 3
        if is_wild:
            return 4
        inner_nodes += (end - start) // 2
    if inner_nodes != len(means):
        return 5
    is_wild = False
    for bits in means.view(np.uint32):
        is_wild |= (bits & _NO_NUMBER) == _NO_NUMBER
    return 6 if is_wild else 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sum_leaves(
    rows: np.ndarray, nodes: np.ndarray, starts: np.ndarray, block_rows: int, weight: float, bias: float
) -> np.ndarray:
    """Return for each row the weighted sum of the leaves it falls into; nan for a row that is not finite.

    Many walks go side by side, because one alone only waits for memory: a block of rows through each tree,
    or, when rows are few, one row through all trees.
    """
    values = nodes.view(np.float32)
    count, features = rows.shape
    scores = np.empty(count)
    size = max(1, min(block_rows, count))
    block = np.empty((size, features + 1), np.float32)
    sums = np.empty(size)
    for first in range(0, count, size):
        filled = min(size, count - first)
        for row in range(filled):
            for feature in range(features):
                block[row, feature] = rows[first + row, feature]
            block[row, features] = -np.inf
        if filled < _FEW_ROWS:
            for row in range(filled):
                sums[row] = _walk_trees(block[row], values, nodes, starts)
        else:
            _walk_rows(block[:filled], values, nodes, starts, sums)
        for row in range(filled):
            scores[first + row] = sums[row] * weight + bias
            for feature in range(features):
                if not np.isfinite(block[row, feature]):
                    scores[first + row] = np.nan
    return scores


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk_trees(row: np.ndarray, values: np.ndarray, nodes: np.ndarray, starts: np.ndarray) -> float:
    """Return the sum of the leaves of one row that walks through all trees at once."""
    trees = len(starts) - 1
    at = starts[:-1].astype(np.uint32)
    moved = np.uint32(1)
    while moved:
        moved = np.uint32(0)
        for tree in range(trees):
            node = at[tree]
            link = nodes[node, 1]
            step = link & _STEP_MASK
            at[tree] = node + step + np.uint32(row[link >> _STEP_SHIFT] > values[node, 0])
            moved |= step
    total = 0.0
    for tree in range(trees):
        total += values[at[tree], 0]
    return total


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk_rows(rows: np.ndarray, values: np.ndarray, nodes: np.ndarray, starts: np.ndarray, sums: np.ndarray) -> None:
    """Put into `sums` the sum of the leaves of each row; all rows walk at once, one tree after the other."""
    count = len(rows)
    at = np.empty(count, np.uint32)
    sums[:] = 0.0
    for tree in range(len(starts) - 1):
        at[:] = np.uint32(starts[tree])
        moved = np.uint32(1)
        while moved:
            moved = np.uint32(0)
            for row in range(count):
                node = at[row]
                link = nodes[node, 1]
                step = link & _STEP_MASK
                at[row] = node + step + np.uint32(rows[row, link >> _STEP_SHIFT] > values[node, 0])
                moved |= step
        for row in range(count):
            sums[row] += values[at[row], 0]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_changes(
    rows: np.ndarray, nodes: np.ndarray, starts: np.ndarray, means: np.ndarray, weight: float
) -> np.ndarray:
    """Return (n, features) the weighted changes of the mean along the paths of each row, by the feature that split."""
    values = nodes.view(np.float32)
    count, features = rows.shape
    changes = np.zeros((count, features))
    narrow = np.empty(features, np.float32)
    for row in range(count):
        is_whole = True
        for feature in range(features):
            narrow[feature] = rows[row, feature]
            is_whole &= np.isfinite(narrow[feature])
        if not is_whole:
            changes[row] = np.nan
            continue
        for tree in range(len(starts) - 1):
            start = node = np.int64(starts[tree])
            first_mean = (start - tree) // 2
            step = np.int64(nodes[node, 1] & _STEP_MASK)
            held = np.float64(means[first_mean]) if step else 0.0
            while step:
                splitter = np.int64(nodes[node, 1] >> _STEP_SHIFT)
                node += step + np.int64(narrow[splitter] > values[node, 0])
                step = np.int64(nodes[node, 1] & _STEP_MASK)
                mean = np.float64(means[first_mean + (node + step - start - 1) // 2] if step else values[node, 0])
                changes[row, splitter] += (mean - held) * weight
                held = mean
    return changes

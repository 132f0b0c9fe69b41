"""The same trees with other leaves: cheap news for a forest whose cuts still hold."""

from collections.abc import Iterator

import numpy as np

from models.flattening import STEP_MASK, Tree, forest_of
from models.forest import Forest
from models.forest_kernels import STEP_BITS

KEPT_ROWS = 50.0  # what a leaf said before counts as so many rows: news must outnumber it


def refitted(forest: Forest, rows: np.ndarray, up: np.ndarray) -> Forest:
    """Return the forest with each leaf at the share of `up` among the rows (n, features) that fall into it.

    Every tree sees all rows, where growing it showed it some; a leaf without rows says what it said.
    """
    count = len(forest.nodes)
    seen, risen = np.zeros(count), np.zeros(count)
    for row_index, nodes in _paths(forest, rows):
        seen += np.bincount(nodes, minlength=count)
        risen += np.bincount(nodes, up[row_index], count)
    said = forest.nodes.view(np.float32)[:, 0].astype(np.float64)
    is_leaf = _steps(forest) == 0
    leaves = (risen + KEPT_ROWS * said) / (seen + KEPT_ROWS)
    means = np.divide(risen, seen, out=np.full(count, 0.5), where=seen > 0)
    values = np.where(is_leaf, leaves, means)
    return forest_of(_trees(forest, values), forest.feature_count, forest.weight, forest.bias, forest.is_logit)


def _paths(forest: Forest, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, level by level, pairs of a row's index and the node it comes to, once for each tree it is still under."""
    values, steps, features = forest.nodes.view(np.float32)[:, 0], _steps(forest), _features(forest)
    trees = len(forest.starts) - 1
    row_index = np.repeat(np.arange(len(rows)), trees)
    nodes = np.tile(forest.starts[:-1], len(rows))
    rows = rows.astype(np.float32, copy=False)
    while len(nodes):
        yield row_index, nodes
        is_inner = steps[nodes] > 0
        row_index, nodes = row_index[is_inner], nodes[is_inner]
        nodes = nodes + steps[nodes] + (rows[row_index, features[nodes]] > values[nodes])


def _trees(forest: Forest, values: np.ndarray) -> list[Tree]:
    """Return the trees of a forest as columns, with these values of their nodes."""
    steps, thresholds = _steps(forest), forest.nodes.view(np.float32)[:, 0].astype(np.float64)
    features = _features(forest)
    trees = []
    for start, end in zip(forest.starts[:-1].tolist(), forest.starts[1:].tolist(), strict=True):
        span = slice(start, end)
        left = np.where(steps[span] > 0, np.arange(end - start) + steps[span], -1)
        trees.append(Tree(left, left + 1, features[span], thresholds[span], values[span]))
    return trees


def _steps(forest: Forest) -> np.ndarray:
    return (forest.nodes[:, 1] & STEP_MASK).astype(np.int64)


def _features(forest: Forest) -> np.ndarray:
    return (forest.nodes[:, 1] >> np.uint32(STEP_BITS)).astype(np.int64)

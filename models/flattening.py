"""Lay a trained tree out level by level, thresholds rounded so that no decision changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from market.errors import ModelError
from models.forest import Forest
from models.forest_kernels import MAX_FEATURES, STEP_BITS

STEP_MASK = np.uint32((1 << STEP_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Tree:
    """One binary tree as columns; a row goes left when its feature is <= the threshold, node 0 is the root."""

    left: np.ndarray  # -1 at a leaf
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray  # float64
    value: np.ndarray  # what a leaf adds; at an inner node the mean of what its training rows add


def forest_of(trees: list[Tree], feature_count: int, weight: float, bias: float, is_logit: bool) -> Forest:
    """Return the trees as one forest; ModelError when a tree or its rows are larger than the layout can say."""
    if feature_count > MAX_FEATURES:
        raise ModelError(f"{feature_count} features do not fit the forest layout, at most {MAX_FEATURES} do")
    laid = [_laid_out(tree, feature_count) for tree in trees]
    starts = np.cumsum([0, *(len(nodes) for nodes, _ in laid)], dtype=np.int64)
    nodes, means = (np.concatenate(parts) for parts in zip(*laid, strict=True))
    return Forest(nodes, starts, means, feature_count, weight, bias, is_logit)


def forest_of_shares(trees: list[Any], feature_count: int) -> Forest:
    """Return scikit-learn's trees of two classes as one forest: the mean over trees of the share of up in the leaf."""
    return forest_of([_tree_of_shares(tree) for tree in trees], feature_count, 1.0 / len(trees), 0.0, is_logit=False)


def first_trees(forest: Forest, count: int) -> Forest:
    """Return the forest of the first `count` trees: fewer shares to average, or a boosting that stopped earlier."""
    end = int(forest.starts[count])
    nodes = forest.nodes[:end]
    means = forest.means[: np.count_nonzero(nodes[:, 1] & STEP_MASK)]
    weight = forest.weight * (1.0 if forest.is_logit else (len(forest.starts) - 1) / count)
    return replace(forest, nodes=nodes, starts=forest.starts[: count + 1], means=means, weight=weight)


def widened_forest(forest: Forest, columns: Sequence[int], feature_count: int) -> Forest:
    """Return the same forest for rows of `feature_count` columns, of which it looks at `columns` only."""
    places = np.array([*columns, feature_count], np.uint32)  # the last is that of the leaves
    nodes = forest.nodes.copy()
    links = nodes[:, 1]
    nodes[:, 1] = (places[links >> np.uint32(STEP_BITS)] << np.uint32(STEP_BITS)) | (links & STEP_MASK)
    return replace(forest, nodes=nodes, feature_count=feature_count)


def round_down(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 at or below each threshold: `x <= threshold` stays the same for every float32 x."""
    rounded = thresholds.astype(np.float32)
    is_above = rounded.astype(np.float64) > thresholds
    result: np.ndarray = np.where(is_above, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return result


def _tree_of_shares(tree: Any) -> Tree:
    shares = tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1)
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, shares)


def _laid_out(tree: Tree, feature_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes of one tree, breadth first, brothers side by side, and the means of its inner ones."""
    order, steps = _breadth_first(tree)
    if steps.max() >= 1 << STEP_BITS:
        raise ModelError(f"a tree of {len(order)} nodes does not fit the forest layout; train with fewer leaves")
    is_inner = steps > 0
    thresholds = round_down(np.where(is_inner, tree.threshold[order], 0.0))
    values = tree.value[order].astype(np.float32)
    words = np.where(is_inner, thresholds, values)
    features = np.where(is_inner, tree.feature[order], feature_count)
    nodes = np.empty((len(order), 2), np.uint32)
    nodes[:, 0] = words.astype(np.float32).view(np.uint32)
    nodes[:, 1] = (features.astype(np.uint32) << np.uint32(STEP_BITS)) | steps.astype(np.uint32)
    return nodes, values[is_inner]


def _breadth_first(tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes level by level, and from each the step to its left child (0 at a leaf)."""
    level, first = np.array([0]), 0
    orders, steps = [], []
    while len(level):
        is_inner = tree.left[level] >= 0
        following = first + len(level)
        children = following + 2 * (np.cumsum(is_inner) - 1)
        steps.append(np.where(is_inner, children - np.arange(first, following), 0))
        orders.append(level)
        parents = level[is_inner]
        level, first = np.column_stack((tree.left[parents], tree.right[parents])).ravel(), following
    return np.concatenate(orders), np.concatenate(steps)

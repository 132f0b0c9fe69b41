"""Compiled walks through trees that lie as one flat array of nodes: checking, summing leaves, telling reasons."""

import numpy as np
from numba import njit

# One node is two 32-bit words. Word 0: threshold of an inner node, value of a leaf (float32).
# Word 1: feature in the upper bits; in the lower ones the step to the left child, whose right neighbour is the right
# child. A leaf has step 0 and the feature one past the last, where every row holds -inf: so it never moves on.
# Steps are unsigned: a child always lies after its parent, and a walk always ends.
STEP_BITS = 22
STEP_MASK = np.uint32((1 << STEP_BITS) - 1)
_STEP_SHIFT = np.uint32(STEP_BITS)
MAX_FEATURES = (1 << (32 - STEP_BITS)) - 2
MAX_NODES = 1 << 31
SMALL_TREE_NODES = 2_048  # 16 kB
# Rows that walk side by side: few enough to stay in the processor's nearest cache beside a small tree; a larger tree
# has no place there, and is fetched once for each block.
SMALL_TREE_ROWS, LARGE_TREE_ROWS = 128, 1_024
_FEW_ROWS = 4  # fewer than this go one by one through all trees at once
_SHARED_LEVELS = 16  # so deep all rows go together; below, those that have reached a leaf are left out
FAULTS = (
    "",
    "trees do not follow each other",
    "a child lies outside its tree",
    "a feature is out of range",
    "a threshold or leaf is not finite",
    "there is not one mean for each inner node",
    "a mean is not finite",
)
# Nothing calls these functions from Python: they are part of the machine code of those that do.
INNER = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_NO_NUMBER = np.uint32(0x7F800000)  # the bits that infinity and nan have all set


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def find_fault(nodes: np.ndarray, starts: np.ndarray, means: np.ndarray, feature_count: int) -> int:
    """Return the index in `FAULTS` of the first tree's fault, 0 for none; `means` as the bits of its numbers.

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
            step = np.int64(nodes[node, 1] & STEP_MASK)
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
    for bits in means:
        is_wild |= (bits & _NO_NUMBER) == _NO_NUMBER
    return 6 if is_wild else 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_depths(nodes: np.ndarray, starts: np.ndarray, depths: np.ndarray) -> None:
    """Add the depth of each sound tree: a level ends with the children of the last inner node of the one above."""
    for tree in range(len(depths)):
        first, end = starts[tree], starts[tree] + 1
        while True:
            node = end - 1
            while node >= first and (nodes[node, 1] & STEP_MASK) == 0:
                node -= 1
            if node < first:
                break
            first, end = end, node + np.int64(nodes[node, 1] & STEP_MASK) + 2
            depths[tree] += 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sum_leaves(
    rows: np.ndarray,
    words: np.ndarray,
    starts: np.ndarray,
    depths: np.ndarray,
    block_rows: int,
    weight: float,
    bias: float,
) -> np.ndarray:
    """Return for each row the weighted sum of the leaves it falls into; nan for a row that is not finite.

    `words`: the nodes one after the other. Many walks go side by side, because one alone only waits for memory: a
    block of rows through each tree, or, when rows are few, one row through all trees.
    """
    values = words.view(np.float32)
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
                sums[row] = _walk_trees(block, row, words, values, starts, depths)
        else:
            _walk_rows(block, filled, words, values, starts, depths, sums)
        for row in range(filled):
            scores[first + row] = sums[row] * weight + bias
            for feature in range(features):
                if not np.isfinite(block[row, feature]):
                    scores[first + row] = np.nan
    return scores


@njit(**INNER)  # type: ignore[untyped-decorator]
def _next(node: int, words: np.ndarray, values: np.ndarray, rows: np.ndarray, row: int) -> int:
    """Return the child that a row goes to, or the leaf that it is in.

    `words` are the nodes one after the other, `values` the same as float32. Both spellings count: an array of two
    dimensions costs a multiplication a step, and `row > value` two instructions more than its opposite denied (nan,
    for which they differ, is told apart at the end). Together 1.5x.
    """
    first = np.uint64(node) << np.uint64(1)
    link = words[first + np.uint64(1)]
    child: int = node + (link & STEP_MASK) + np.uint32(not values[first] >= rows[row, link >> _STEP_SHIFT])
    return child


@njit(**INNER)  # type: ignore[untyped-decorator]
def _walk_trees(
    rows: np.ndarray, row: int, words: np.ndarray, values: np.ndarray, starts: np.ndarray, depths: np.ndarray
) -> float:
    """Return the sum of the leaves of one row that walks through all trees at once."""
    at = np.empty(len(depths), np.uint32)
    deepest = 0
    for tree in range(len(at)):
        at[tree] = starts[tree]
        deepest = max(deepest, depths[tree])
    for _ in range(deepest):
        for tree in range(len(at)):
            at[tree] = _next(at[tree], words, values, rows, row)
    total = 0.0
    for node in at:
        total += values[2 * np.uint64(node)]
    return total


@njit(**INNER)  # type: ignore[untyped-decorator]
def _walk_rows(
    rows: np.ndarray,
    count: int,
    words: np.ndarray,
    values: np.ndarray,
    starts: np.ndarray,
    depths: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Put into `sums` the sum of the leaves of the first `count` rows; all walk at once, one tree after the other."""
    at = np.empty(count, np.uint32)
    going = np.empty(count, np.uint32)
    for row in range(count):
        sums[row] = 0.0
    for tree in range(len(depths)):
        for row in range(count):
            at[row] = starts[tree]
        for _ in range(min(depths[tree], _SHARED_LEVELS)):
            for row in range(count):
                at[row] = _next(at[row], words, values, rows, row)
        left = count if depths[tree] > _SHARED_LEVELS else 0
        for row in range(left):
            going[row] = row
        while left:
            kept = 0
            for place in range(left):
                row = going[place]
                node = at[row]
                at[row] = _next(node, words, values, rows, row)
                going[kept] = row
                kept += at[row] != node
            left = kept
        for row in range(count):
            sums[row] += values[2 * np.uint64(at[row])]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_changes(
    rows: np.ndarray, nodes: np.ndarray, starts: np.ndarray, means: np.ndarray, weight: float, changes: np.ndarray
) -> None:
    """Add to `changes` (n, features) those of the mean along each row's paths, weighted, by the feature that split.

    A row that is not finite gets nan.
    """
    values = nodes.view(np.float32)
    count, features = rows.shape
    narrow = np.empty(features, np.float32)
    for row in range(count):
        is_whole = True
        for feature in range(features):
            narrow[feature] = rows[row, feature]
            is_whole &= np.isfinite(narrow[feature])
        if not is_whole:
            for feature in range(features):
                changes[row, feature] = np.nan
            continue
        for tree in range(len(starts) - 1):
            start = node = np.int64(starts[tree])
            first_mean = (start - tree) // 2
            step = np.int64(nodes[node, 1] & STEP_MASK)
            held = np.float64(means[first_mean]) if step else 0.0
            while step:
                splitter = np.int64(nodes[node, 1] >> _STEP_SHIFT)
                node += step + np.int64(narrow[splitter] > values[node, 0])
                step = np.int64(nodes[node, 1] & STEP_MASK)
                mean = np.float64(means[first_mean + (node + step - start - 1) // 2] if step else values[node, 0])
                changes[row, splitter] += (mean - held) * weight
                held = mean

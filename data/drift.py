"""How far what a model sees has moved from what it was trained on: the population stability index of each feature."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from market.errors import ModelError

BINS = 10  # tenths of the training rows
MAX_ROWS = 30_000  # of the training that make the spread, chosen evenly
LEAST_LIMIT = 0.2  # usually read as: the population is another one
_LEAST_OF_A_DAY = 0.5  # of the rows of the usual day, for a day of the training to say how far a day lies from it
_FLOOR = 1e-4  # share of an empty bin, so that the logarithm exists

Spread = dict[str, Any]


def spread_of(rows: np.ndarray, days: np.ndarray) -> Spread:
    """Return how each column of (..., n, F) rows is spread: inner edges of its tenths, the shares in them, limits.

    `days` (n,): the day of each moment. A feature's limit is how far from the whole training any single day of it
    lay, or LEAST_LIMIT: slow features stand elsewhere every day of a market that does not change. Rows with a hole
    are left out. A column of few values has tenths that coincide; the shares say how.
    """
    whole = np.argwhere(np.isfinite(rows).all(axis=-1))
    places = tuple(whole[:: max(1, len(whole) // MAX_ROWS)].T)
    chosen, days = rows[places].astype(np.float64), days[places[-1]]
    if not len(chosen):
        raise ModelError("no whole row to describe the features by")
    edges = np.quantile(chosen, np.arange(1, BINS) / BINS, axis=0).T
    shares = counts_of(chosen, edges) / len(chosen)
    spread = {"rows": len(chosen), "edges": _rounded(edges), "shares": _rounded(shares)}
    of_days = [stability(spread, counts_of(part, edges)) for part in _long_days(chosen, days)]
    return spread | {"limits": _rounded(np.max([*of_days, np.full(len(edges), LEAST_LIMIT)], axis=0)[None])[0]}


def limits_of(spread: Mapping[str, Any]) -> np.ndarray:
    """Return beyond which index each feature has moved, (F,); ModelError when the spread does not tell.

    A spread from before there were limits has the same for all.
    """
    features = len(spread["shares"])
    try:
        limits = np.array(spread.get("limits", [LEAST_LIMIT] * features), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the limits of the features cannot be read: {error}") from error
    if limits.shape != (features,) or not (limits >= LEAST_LIMIT).all():
        raise ModelError(f"there is not one limit of at least {LEAST_LIMIT} for each of {features} features")
    return limits


def edges_of(spread: Mapping[str, Any], features: int) -> np.ndarray:
    """Return the edges (F, BINS - 1) of a spread; ModelError when it is none for so many features."""
    try:
        edges = np.array(spread["edges"], dtype=np.float64)
        shares = np.array(spread["shares"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the spread of the features cannot be read: {error}") from error
    if edges.shape != (features, BINS - 1) or shares.shape != (features, BINS):
        raise ModelError(f"the spread of the features is {edges.shape}, {features} features need others")
    return edges


def counts_of(rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return how many of (n, F) rows fall into each bin: (F, BINS) int64. Rows with a hole are left out."""
    whole = rows[np.isfinite(rows).all(axis=1)]
    features = len(edges)
    places = (whole[:, :, None] > edges[None]).sum(axis=2) + BINS * np.arange(features)
    return np.bincount(places.ravel(), minlength=features * BINS).reshape(features, BINS)


def stability(spread: Mapping[str, Any], counts: np.ndarray) -> np.ndarray:
    """Return the index of each feature: sum of (now - then) ln(now / then) over its bins; 0 is no change at all.

    The usual reading (Siddiqi 2006): below 0.1 nothing, above 0.2 the population is another one.
    """
    then = np.maximum(np.array(spread["shares"], dtype=np.float64), _FLOOR)
    now = np.maximum(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), _FLOOR)
    result: np.ndarray = ((now - then) * np.log(now / then)).sum(axis=1)
    return result


def _long_days(rows: np.ndarray, days: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each day that is not much shorter than the usual one."""
    _, places, counts = np.unique(days, return_inverse=True, return_counts=True)
    return [rows[places == day] for day in np.flatnonzero(counts >= _LEAST_OF_A_DAY * np.median(counts))]


def _rounded(values: np.ndarray) -> list[list[float]]:
    """Return numbers short enough for a manifest."""
    return [[float(f"{value:.6g}") for value in row] for row in values.tolist()]

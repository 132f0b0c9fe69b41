"""How sure an average over many rows is, when rows of one time move together.

Overlapping horizons and a market that moves as one make thousands of rows worth a few dozen. Every
uncertainty here comes from the spread between blocks of time, never from the number of rows.
"""

import numpy as np

MIN_BLOCKS = 4  # fewer say nothing about their own spread


def blocks_of(times: np.ndarray, block_candles: int) -> np.ndarray:
    """Return the number of the block of time each row lies in, 0 for the oldest, without holes."""
    _, blocks = np.unique((times - times.min()) // block_candles, return_inverse=True)
    return np.asarray(blocks, np.int64)


def covariance(design: np.ndarray, errors: np.ndarray, weights: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return the covariance of fitted coefficients that allows for any likeness of rows within a block.

    `design` (n, k), `errors` outcome minus fit, `weights` the curvature of each row. Infinite when blocks are few.
    """
    size = design.shape[1]
    count = int(blocks.max()) + 1
    if count < MIN_BLOCKS:
        return np.full((size, size), np.inf)
    bread = np.linalg.pinv(design.T @ (design * weights[:, None]))
    pulls = np.column_stack([np.bincount(blocks, design[:, k] * errors, count) for k in range(size)])
    # Few blocks underestimate their spread: the factor is that of Student's variance.
    inflation = count / (count - 1) * (count - 1) / (count - 3)
    result: np.ndarray = bread @ (pulls.T @ pulls) @ bread * inflation
    return result


def mean_and_error(values: np.ndarray, blocks: np.ndarray) -> tuple[float, float]:
    """Return the mean of all rows and its standard error; the error is infinite when blocks are few."""
    mean = float(values.mean())
    ones = np.ones((len(values), 1))
    variance = covariance(ones, values - mean, np.ones(len(values)), blocks)
    return mean, float(np.sqrt(variance[0, 0]))


def surely(estimate: float, variance: float) -> float:
    """Return an estimate shrunk by its own uncertainty: 0 when it is no larger than its error."""
    if estimate == 0.0 or not np.isfinite(variance):
        return 0.0
    return estimate * max(0.0, 1.0 - variance / (estimate * estimate))


def towards(prior: float, prior_variance: float, estimate: float, variance: float) -> float:
    """Return the estimate pulled towards what was known before, each by its certainty."""
    if not np.isfinite(variance):
        return prior
    share = prior_variance / (prior_variance + variance)
    return prior + share * (estimate - prior)

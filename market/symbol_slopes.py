"""How one outcome bends the probabilities of its symbol: away from even where they said too little, else towards it.

One calibration serves all symbols of a market, most of which have no edge: it says too little of the one that has. So
each symbol and horizon has two slopes of its own on the log-odds, one for the part near even and one for what lies
beyond. Both begin at 1, and each outcome moves them by one Newton step on its log-loss, from what was told alone: the
slopes need not remember what the model had said. A step is as long as the outcomes so far leave room for, a prior of
PRIOR included, so a symbol without an edge stays as it is. Slopes are kept as logarithms, so that they stay positive.
"""

import numpy as np

KNEE = 1.0  # told log-odds where the near part ends: 73 %
PRIOR = 3.0  # how sure it is beforehand that a slope is 1: variance 1/3 of its logarithm
MEMORY = 1_000.0  # horizons after which an outcome counts 1/e: a symbol may change, and models are trained anew
MOST = 1.4  # a log slope stays within this: a quarter to four times


def bent(probability: np.ndarray, log_slopes: np.ndarray) -> np.ndarray:
    """Return what is told where a model says `probability` (0 to 1, open); `log_slopes` (2, ...): near even, beyond."""
    log_odds = np.log(probability / (1.0 - probability))
    slopes = np.exp(log_slopes)
    near = np.clip(slopes[0] * log_odds, -KNEE, KNEE)
    told: np.ndarray = 1.0 / (1.0 + np.exp(-(near + slopes[1] * (log_odds - near / slopes[0]))))
    return told


def moved(slopes: np.ndarray, told: np.ndarray, is_up: np.ndarray, horizon_candles: float | np.ndarray) -> np.ndarray:
    """Return the slopes after one outcome each of what was told; one row a candle is expected.

    `slopes` (5, ...): logarithms near even and beyond, and what outcomes have told of them so far: the curvature of
    their log-loss, near, crosswise and beyond.
    """
    weight = 1.0 / horizon_candles  # overlapping outcomes are one together
    log_odds = np.log(told / (1.0 - told))
    near = np.clip(log_odds, -KNEE, KNEE)
    parts = np.stack((near, log_odds - near))
    curvature = weight * told * (1.0 - told) * np.stack((near * near, near * parts[1], parts[1] * parts[1]))
    known = (1.0 - weight / MEMORY) * slopes[2:] + curvature
    room_near, cross, room_far = known[0] + PRIOR, known[1], known[2] + PRIOR
    pull = weight * (is_up - told) * parts / (room_near * room_far - cross * cross)
    step = np.stack((room_far * pull[0] - cross * pull[1], room_near * pull[1] - cross * pull[0]))
    return np.concatenate((np.clip(slopes[:2] + step, -MOST, MOST), known))

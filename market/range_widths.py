"""How one outcome moves the width of its symbol's ranges: wider after a miss, narrower after a hit.

A split conformal range holds on average over the symbols and weeks it was learnt on, not for each symbol and not when
the market changes. So each symbol and horizon has a width of its own, a factor on the model's range that takes one step
with each outcome: adaptive conformal inference (Gibbs and Candes, 2021) in the form that follows the quantile itself
(Angelopoulos, Candes and Tibshirani, 2023), here in logarithms, so that a width stays positive. Over n horizons the
share of hits then misses the claim by no more than |change of log width| / (STEP n), whatever the market does.
"""

import numpy as np

# Of the log width, by the outcomes of one whole horizon. An outcome is known one horizon late, which lets steps above
# 0.8 swing; small ones take long: a width that is wrong by half is right after about 2 / STEP horizons.
STEP = 0.3
MOST = 2.0  # the log width stays within this: a market that stood still must not leave ranges of no width behind


def step_of(coverage: float | np.ndarray, is_inside: np.ndarray, horizon_candles: float | np.ndarray) -> np.ndarray:
    """Return by how much each outcome moves the log width; `coverage` is the claim, one row a candle is expected."""
    result: np.ndarray = STEP / horizon_candles * (coverage - is_inside)
    return result

"""Stochastic 14, raw and smoothed by 3 and 3 again: the close between lowest low and highest high, 0 to 100."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 14
SMOOTHING = 3
HIGHS, LOWS = 0, rolling.block_size(LENGTH)
FAST = 2 * rolling.block_size(LENGTH)  # the two last raw values, then the two last smoothed ones


@indicators.add(
    "stochastic",
    state=FAST + 4,
    warmup=LENGTH + 2 * SMOOTHING - 3,
    lines=("stochastic_raw", "stochastic_k", "stochastic_d"),
)
def step(state: Row, k: int, seen: int, high: float, low: float, close: float) -> tuple[float, float, float]:
    """Take in one candle; return the place, raw, smoothed and smoothed twice. state: highs, lows, four last values."""
    top = rolling.highest(state, k + HIGHS, seen, high, LENGTH)
    bottom = rolling.lowest(state, k + LOWS, seen, low, LENGTH)
    if seen < LENGTH - 1:
        return math.nan, math.nan, math.nan
    raw = 100.0 * rolling.ratio(close - bottom, top - bottom, 0.5)
    slow = (state[k + FAST] + state[k + FAST + 1] + raw) * (1.0 / SMOOTHING)
    slower = (state[k + FAST + 2] + state[k + FAST + 3] + slow) * (1.0 / SMOOTHING)
    state[k + FAST], state[k + FAST + 1] = state[k + FAST + 1], raw
    state[k + FAST + 2], state[k + FAST + 3] = state[k + FAST + 3], slow
    if seen < LENGTH + 2 * SMOOTHING - 3:
        return raw, math.nan, math.nan
    return raw, slow, slower

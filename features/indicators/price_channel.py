"""Price channel after Donchian: where the close lies between the extremes of many candles, -1 (lowest) to 1."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add(
    "channel",
    state=lambda length: 2 * rolling.block_size(length),
    warmup=lambda length: length - 1,
    lengths=(48, 192),
)
def step(state: Row, k: int, seen: int, high: float, low: float, close: float, length: int) -> float:
    """Take in one candle; return the place, 0 in a flat market. state: highs, lows."""
    top = rolling.highest(state, k, seen, high, length)
    bottom = rolling.lowest(state, k + length + rolling.SPARE, seen, low, length)
    if seen < length - 1:
        return math.nan
    return rolling.ratio((close - bottom) - (top - close), top - bottom, 0.0)

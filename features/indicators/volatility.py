"""Volatility: standard deviation of the last simple one-candle returns, in basis points."""

import math

from features import indicators, rolling
from features.rolling import Row

BPS = 10_000.0


@indicators.add(
    "volatility",
    state=lambda length: rolling.mean_size(length) + rolling.past_size(length),
    warmup=lambda length: length,
    lengths=(12, 48, 192),
)
def step(state: Row, k: int, seen: int, close: float, last_close: float, length: int) -> float:
    """Take in one candle; return the volatility. state: their mean, the returns."""
    if seen == 0:
        return math.nan
    change_bps = (close - last_close) / last_close * BPS
    mean = rolling.mean(state, k, seen - 1, change_bps, length)
    variance = rolling.variance(state, k + length + 2 * rolling.SPARE, seen - 1, change_bps, mean, length)
    return math.sqrt(variance) if seen >= length else math.nan

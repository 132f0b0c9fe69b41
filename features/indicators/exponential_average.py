"""Exponential moving average of the close, seeded by the plain mean of its first closes."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add("ema", state=1, warmup=lambda length: length - 1, lengths=(12, 26, 50))
def step(state: Row, k: int, seen: int, close: float, length: int) -> float:
    """Take in one candle; return the average. state[k]: the average."""
    average = rolling.smooth(state, k, seen + 1, close, length, 2.0 / (length + 1.0))
    return average if seen >= length - 1 else math.nan

"""Simple moving average of the close."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add("sma", state=rolling.mean_size, warmup=lambda length: length - 1, lengths=(10, 20, 50))
def step(state: Row, k: int, seen: int, close: float, length: int) -> float:
    """Take in one candle; return the mean of the last `length` closes."""
    mean = rolling.mean(state, k, seen, close, length)
    return mean if seen >= length - 1 else math.nan

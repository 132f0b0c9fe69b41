"""Standard deviation of the last closes, in price units (over 20, not 19)."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add("deviation", state=rolling.past_size, warmup=lambda length: length - 1, lengths=(20,))
def step(state: Row, k: int, seen: int, close: float, sma: float, length: int) -> float:
    """Take in one candle; return the deviation. state: the closes."""
    variance = rolling.variance(state, k, seen, close, sma, length)
    return math.sqrt(variance) if seen >= length - 1 else math.nan

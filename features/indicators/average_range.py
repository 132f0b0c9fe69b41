"""Average true range after Wilder: how far a candle usually moves, in price units."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 14


@indicators.add("atr", state=1, warmup=LENGTH)
def step(state: Row, k: int, seen: int, high: float, low: float, last_close: float) -> float:
    """Take in one candle; return the average range. state[k]: the average."""
    if seen == 0:
        return math.nan
    reach = rolling.true_range(high, low, last_close)
    average = rolling.smooth(state, k, seen, reach, LENGTH, 1.0 / LENGTH)
    return average if seen >= LENGTH else math.nan

"""Relative strength index after Wilder: recent gains against recent losses, 0 to 100, 50 where nothing moved."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 14


@indicators.add("rsi", state=2, warmup=LENGTH)
def step(state: Row, k: int, seen: int, close: float, last_close: float) -> float:
    """Take in one candle; return the index. state[k:k+2]: average gain, average loss."""
    if seen == 0:
        return math.nan
    change = close - last_close
    gain = rolling.smooth(state, k, seen, rolling.larger(change, 0.0), LENGTH, 1.0 / LENGTH)
    loss = rolling.smooth(state, k + 1, seen, rolling.larger(-change, 0.0), LENGTH, 1.0 / LENGTH)
    return 100.0 * rolling.ratio(gain, gain + loss, 0.5) if seen >= LENGTH else math.nan

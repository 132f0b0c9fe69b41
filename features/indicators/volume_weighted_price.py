"""Volume-weighted average of the last 20 typical prices; the last typical price where none was traded."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 20
VOLUMES = rolling.block_size(LENGTH)


@indicators.add("vwap", state=2 * VOLUMES, warmup=LENGTH - 1)
def step(state: Row, k: int, seen: int, high: float, low: float, close: float, volume: float) -> float:
    """Take in one candle; return the average. state: turnover, volume."""
    price = rolling.typical(high, low, close)
    turnover = rolling.total(state, k, seen, price * volume, LENGTH)
    traded = rolling.total(state, k + VOLUMES, seen, volume, LENGTH)
    return rolling.ratio(turnover, traded, price) if seen >= LENGTH - 1 else math.nan

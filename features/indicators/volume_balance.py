"""Volume balance: share of the last 20 candles' volume on rising closes less that on falling ones, -1 to 1."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 20
FALLING, ALL = rolling.block_size(LENGTH), 2 * rolling.block_size(LENGTH)


@indicators.add("volume_balance", state=3 * rolling.block_size(LENGTH), warmup=LENGTH)
def step(state: Row, k: int, seen: int, close: float, last_close: float, volume: float) -> float:
    """Take in one candle; return the balance, 0 without volume. state: three windows of volume."""
    if seen == 0:
        return math.nan
    rising = rolling.total(state, k, seen - 1, volume if close > last_close else 0.0, LENGTH)
    falling = rolling.total(state, k + FALLING, seen - 1, volume if close < last_close else 0.0, LENGTH)
    whole = rolling.total(state, k + ALL, seen - 1, volume, LENGTH)
    return rolling.ratio(rising - falling, whole, 0.0) if seen >= LENGTH else math.nan

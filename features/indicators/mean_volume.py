"""Mean volume of the last candles, in base units."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add("mean_volume", state=rolling.block_size, warmup=lambda length: length - 1, lengths=(5, 20, 96))
def step(state: Row, k: int, seen: int, volume: float, length: int) -> float:
    """Take in one candle; return the mean. state: the volumes."""
    volumes = rolling.total(state, k, seen, volume, length)
    return volumes * (1.0 / length) if seen >= length - 1 else math.nan

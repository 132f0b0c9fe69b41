"""Efficiency ratio after Kaufman, signed: the net move over all moves on the way, -1 to 1, 0 where nothing moved."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add(
    "efficiency",
    state=lambda length: rolling.ring_size(length) + rolling.block_size(length),
    warmup=lambda length: length,
    lengths=(10, 48),
)
def step(state: Row, k: int, seen: int, close: float, last_close: float, length: int) -> float:
    """Take in one candle; return the ratio. state: the closes, the sizes of the moves."""
    earlier = rolling.delayed(state, k, seen, close, length)
    if seen == 0:
        return math.nan
    way = rolling.total(state, k + length, seen - 1, abs(close - last_close), length)
    return rolling.ratio(close - earlier, way, 0.0) if seen >= length else math.nan

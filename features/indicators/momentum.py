"""Momentum: how much the close moved in some candles, in price units, and as rate of change in percent."""

import math

from features import indicators, rolling
from features.rolling import Row


@indicators.add(
    "momentum",
    state=rolling.ring_size,
    warmup=lambda length: length,
    lines=("momentum", "roc"),
    lengths=(1, 3, 10, 12, 24, 48),
)
def step(state: Row, k: int, seen: int, close: float, length: int) -> tuple[float, float]:
    """Take in one candle; return the move in both units. state: the closes."""
    earlier = rolling.delayed(state, k, seen, close, length)
    if seen < length:
        return math.nan, math.nan
    return close - earlier, 100.0 * (close - earlier) / earlier

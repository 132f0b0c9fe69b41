"""Chaikin money flow 20: volume weighted by where in its candle the close lies, -1 to 1, 0 without volume."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 20
VOLUMES = rolling.block_size(LENGTH)


@indicators.add("chaikin", state=2 * VOLUMES, warmup=LENGTH - 1)
def step(state: Row, k: int, seen: int, high: float, low: float, close: float, volume: float) -> float:
    """Take in one candle; return the flow. state: weighted volume, volume."""
    place = rolling.ratio((close - low) - (high - close), high - low, 0.0)
    weighted = rolling.total(state, k, seen, place * volume, LENGTH)
    traded = rolling.total(state, k + VOLUMES, seen, volume, LENGTH)
    return rolling.ratio(weighted, traded, 0.0) if seen >= LENGTH - 1 else math.nan

"""Commodity channel index 20: distance of the typical price from its mean, in mean absolute deviations / 0.015."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 20
SCALE = 0.015
MEAN = rolling.mean_size(LENGTH)


@indicators.add("cci", state=MEAN + rolling.past_size(LENGTH), warmup=LENGTH - 1)
def step(state: Row, k: int, seen: int, high: float, low: float, close: float) -> float:
    """Take in one candle; return the index, 0 in a flat market. state: their mean, the typical prices."""
    price = rolling.typical(high, low, close)
    mean = rolling.mean(state, k, seen, price, LENGTH)
    distance = rolling.distance(state, k + MEAN, seen, price, mean, LENGTH)
    return rolling.ratio(price - mean, SCALE * distance, 0.0) if seen >= LENGTH - 1 else math.nan

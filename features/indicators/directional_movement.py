"""Average directional index after Wilder, 0 to 100, and the direction it is the strength of, -100 to 100."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 14
STILL = 1e-7  # moves adding up to less than this share of the price have no direction


@indicators.add("adx", state=5, warmup=2 * LENGTH - 1, lines=("adx", "direction"))
def step(state: Row, k: int, seen: int, high: float, low: float) -> tuple[float, float]:
    """Take in one candle; return index and direction. state[k:k+5]: last high, last low, rise, fall, index."""
    up, down = high - state[k], state[k + 1] - low
    state[k], state[k + 1] = high, low
    if seen == 0:
        return math.nan, math.nan
    # The first LENGTH - 1 moves are summed; from then on a share of the sum makes room for each new move.
    keep = 1.0 if seen < LENGTH else 1.0 - 1.0 / LENGTH
    rise = state[k + 2] * keep + (up if up > down and up > 0.0 else 0.0)
    fall = state[k + 3] * keep + (down if down > up and down > 0.0 else 0.0)
    state[k + 2], state[k + 3] = rise, fall
    if seen < LENGTH:
        return math.nan, math.nan
    direction = 100.0 * (rise - fall) / (rise + fall) if rise + fall > STILL * high else 0.0
    index = rolling.smooth(state, k + 4, seen + 1 - LENGTH, abs(direction), LENGTH, 1.0 / LENGTH)
    if seen < 2 * LENGTH - 1:
        return math.nan, math.nan
    return index, direction

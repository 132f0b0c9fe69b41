"""Money flow index 14: turnover of rising candles against falling ones, 0 to 100, 50 where none was traded."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 14
SAME = 1e-12  # typical prices closer than this share are equal: they only differ by how they were rounded
RISING, FALLING = 1, 1 + rolling.block_size(LENGTH)


@indicators.add("mfi", state=1 + 2 * rolling.block_size(LENGTH), warmup=LENGTH)
def step(state: Row, k: int, seen: int, high: float, low: float, close: float, volume: float) -> float:
    """Take in one candle; return the index. state: last typical price, two windows of turnover."""
    price, last_price = rolling.typical(high, low, close), state[k]
    state[k] = price
    if seen == 0:
        return math.nan
    turnover, change = price * volume, price - last_price
    rising = rolling.total(state, k + RISING, seen, turnover if change > SAME * price else 0.0, LENGTH)
    falling = rolling.total(state, k + FALLING, seen, turnover if -change > SAME * price else 0.0, LENGTH)
    return 100.0 * rolling.ratio(rising, rising + falling, 0.5) if seen >= LENGTH else math.nan

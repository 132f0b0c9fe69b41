"""Wick balance 20: mean of lower less upper shadow as a share of the candle's range, -1 to 1."""

import math

from features import indicators, rolling
from features.rolling import Row

LENGTH = 20


@indicators.add("wick_balance", state=rolling.block_size(LENGTH), warmup=LENGTH - 1)
def step(state: Row, k: int, seen: int, open_: float, high: float, low: float, close: float) -> float:
    """Take in one candle; return the balance; a candle without range counts as 0. state: the balances."""
    lower = rolling.smaller(open_, close) - low
    upper = high - rolling.larger(open_, close)
    balances = rolling.total(state, k, seen, rolling.ratio(lower - upper, high - low, 0.0), LENGTH)
    return balances * (1.0 / LENGTH) if seen >= LENGTH - 1 else math.nan

"""Moving average convergence divergence 12/26/9: a fast less a slow average, its own average, and their difference.

The fast average is seeded at the same candle as the slow one, and the signal by the mean of its first nine values.
"""

import math

from features import indicators, rolling
from features.rolling import Row

FAST, SLOW, SIGNAL = 12, 26, 9
LATE = SLOW - FAST  # candles the fast average waits for


@indicators.add("macd", state=2, warmup=SLOW + SIGNAL - 2, lines=("macd", "macd_signal", "macd_histogram"))
def step(state: Row, k: int, seen: int, close: float, ema_26: float) -> tuple[float, float, float]:
    """Take in one candle; return the three lines. state[k:k+2]: fast average, signal."""
    if seen < LATE:
        return math.nan, math.nan, math.nan
    fast = rolling.smooth(state, k, seen + 1 - LATE, close, FAST, 2.0 / (FAST + 1.0))
    if seen < SLOW - 1:
        return math.nan, math.nan, math.nan
    signal = rolling.smooth(state, k + 1, seen + 2 - SLOW, fast - ema_26, SIGNAL, 2.0 / (SIGNAL + 1.0))
    if seen < SLOW + SIGNAL - 2:
        return math.nan, math.nan, math.nan
    return fast - ema_26, signal, fast - ema_26 - signal

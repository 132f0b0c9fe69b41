"""On-balance volume: volume added when the close rose, taken away when it fell; depends on where it starts."""

from features import indicators
from features.rolling import Row


@indicators.add("obv", state=1, warmup=0)
def step(state: Row, k: int, close: float, last_close: float, volume: float) -> float:
    """Take in one candle; return the running balance. state[k]: the balance."""
    # Without a branch, because which way the price goes cannot be predicted.
    state[k] += (volume if close > last_close else 0.0) - (volume if close < last_close else 0.0)
    return state[k]

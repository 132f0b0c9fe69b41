"""Bollinger bands: the mean of the last closes, and two of their standard deviations above and below it."""

from features import indicators

WIDTH = 2.0  # standard deviations


@indicators.add(
    "bollinger",
    state=0,
    warmup=lambda length: length - 1,
    lines=("bollinger_upper", "bollinger_middle", "bollinger_lower"),
    lengths=(20,),
)
def step(sma: float, deviation: float) -> tuple[float, float, float]:
    """Return upper, middle and lower band."""
    return sma + WIDTH * deviation, sma, sma - WIDTH * deviation

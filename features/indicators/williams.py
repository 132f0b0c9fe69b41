"""Williams %R 14: how far the close lies below the highest high, -100 to 0, -50 in a flat market."""

from features import indicators


@indicators.add("williams", state=0, warmup=13)
def step(stochastic_raw: float) -> float:
    """Return %R, which is the raw stochastic counted from the top."""
    return stochastic_raw - 100.0

"""In which kind of market a prediction was made, told by two of the inputs its model saw: nothing later is known.

How much it moves: the volatility of the last 48 candles against that of the last 192. Where it goes: Kaufman's
efficiency ratio of the last 48, the net move over all moves on the way. On recorded Binance candles, about
three rows in ten are calm and two wild, two in ten fall and two rise.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

FEATURES = ("volatility_trend", "efficiency_48")  # the names of these inputs in the ledger
CALM, WILD = 0.75, 1.25
TREND = 0.15
REGIMES = ("calm", "normal", "wild", "falling", "sideways", "rising")


def regimes_of(inputs: Sequence[float | None]) -> tuple[str, ...]:
    """Return the two regimes a row belongs to; fewer where an input is missing (None or nan)."""
    volatility, efficiency = (None if value is None or value != value else value for value in inputs)
    found = []
    if volatility is not None:
        found.append("calm" if volatility < CALM else "wild" if volatility > WILD else "normal")
    if efficiency is not None:
        found.append("falling" if efficiency < -TREND else "rising" if efficiency > TREND else "sideways")
    return tuple(found)


@lru_cache(maxsize=4_096)
def week_of(time_ms: int) -> str:
    """Return the ISO week, UTC, of a moment: 2025-W47."""
    year, week, _ = datetime.fromtimestamp(time_ms / 1_000, UTC).isocalendar()
    return f"{year}-W{week:02d}"

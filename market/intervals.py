"""Candle intervals and prediction horizons in Binance's spelling, and their length."""

from market.errors import ConfigError

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

INTERVAL_MS: dict[str, int] = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
# 1970-01-01 was a Thursday, and Binance's weeks start on Monday.
_WEEK_SHIFT_MS = 4 * DAY_MS
_UNIT_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


def interval_ms(interval: str) -> int:
    """Return the length of a candle interval such as "5m" in milliseconds; ConfigError when Binance has none such."""
    try:
        return INTERVAL_MS[interval]
    except KeyError:
        raise ConfigError(f"interval {interval!r} is none of {', '.join(INTERVAL_MS)}") from None


def duration_ms(text: str) -> int:
    """Return the length of a span such as "90m", "4h" or "1d" in milliseconds; ConfigError when it is none."""
    unit = _UNIT_MS.get(text[-1:])
    if unit is None or not text[:-1].isascii() or not text[:-1].isdigit() or int(text[:-1]) == 0 or len(text) > 8:
        raise ConfigError(f"{text!r} is not a span of time such as 15m, 4h or 1d")
    return int(text[:-1]) * unit


def floor_to(time_ms: int, length_ms: int) -> int:
    """Return the start of the interval that holds `time_ms`, on Binance's grid (weeks start on Monday)."""
    shift = _WEEK_SHIFT_MS if length_ms == 7 * DAY_MS else 0
    return (time_ms - shift) // length_ms * length_ms + shift

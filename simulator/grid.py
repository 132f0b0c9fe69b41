"""Where candles open, for every interval Binance has, months among them."""

import numpy as np

from market.intervals import DAY_MS, INTERVAL_MS, floor_to

MONTH = "1M"
INTERVALS = (*INTERVAL_MS, MONTH)


def open_of(interval: str, time_ms: int) -> int:
    """Return when the candle that holds `time_ms` opened."""
    if interval == MONTH:
        return _month_start_ms(_month(time_ms))
    return floor_to(time_ms, INTERVAL_MS[interval])


def shifted(interval: str, open_ms: int, count: int) -> int:
    """Return the opening time `count` candles later than `open_ms`; earlier when negative."""
    if interval == MONTH:
        return _month_start_ms(_month(open_ms) + count)
    return open_ms + count * INTERVAL_MS[interval]


def first_open_from(interval: str, time_ms: int) -> int:
    """Return the earliest opening time that is not before `time_ms`."""
    open_ms = open_of(interval, time_ms)
    return open_ms if open_ms == time_ms else shifted(interval, open_ms, 1)


def close_times(interval: str, opens_ms: np.ndarray) -> np.ndarray:
    """Return the last millisecond of each candle."""
    if interval != MONTH:
        return opens_ms + (INTERVAL_MS[interval] - 1)
    months = opens_ms.astype("M8[ms]").astype("M8[M]")
    return (months + 1).astype("M8[ms]").astype(np.int64) - 1


def is_built_from_days(interval: str) -> bool:
    """Return whether a candle of this interval is made of whole days."""
    return interval == MONTH or INTERVAL_MS[interval] >= DAY_MS


def is_servable(base_ms: int, interval: str) -> bool:
    """Return whether candles of `base_ms` can be put together to this interval."""
    if interval == MONTH:
        return DAY_MS % base_ms == 0
    length_ms = INTERVAL_MS[interval]
    # Three-day candles and weeks do not open together, so neither is made from the other.
    return length_ms == base_ms or (length_ms % base_ms == 0 and DAY_MS % base_ms == 0)


def _month(time_ms: int) -> int:
    return int(np.datetime64(time_ms, "ms").astype("M8[M]").astype(np.int64))


def _month_start_ms(month: int) -> int:
    return int(np.datetime64(month, "M").astype("M8[ms]").astype(np.int64))

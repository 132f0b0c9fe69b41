"""Candles: one, or a table of many, and the rules every honest one keeps."""

import math
from dataclasses import dataclass

import numpy as np

from market.intervals import floor_to

PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume")
# One history is one table of this type, oldest first; closing time is open_ms + interval - 1.
CANDLES = np.dtype([("open_ms", "<i8"), *((name, "<f8") for name in COLUMNS)])
LAST_VALID_MS = 4_102_444_800_000  # 2100-01-01: anything later is a time in the wrong unit
MAX_PRICE = 1e15


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed candle of one symbol; prices in quote units, volume in base units."""

    symbol: str
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def values(self) -> tuple[int, float, float, float, float, float]:
        """Return open_ms, open, high, low, close, volume: one row of a `CANDLES` table."""
        return (self.open_ms, self.open, self.high, self.low, self.close, self.volume)


def refusal(
    open_ms: int, open_: float, high: float, low: float, close: float, volume: float, interval_ms: int
) -> str | None:
    """Return why such a candle must not enter the house, in one or two words, or None when it may."""
    if not all(math.isfinite(value) for value in (open_, high, low, close, volume)):
        return "not finite"
    if min(open_, high, low, close) <= 0 or max(open_, high, low, close) > MAX_PRICE:
        return "price out of range"
    if volume < 0:
        return "negative volume"
    if low > min(open_, close) or high < max(open_, close):
        return "low and high do not span open and close"
    if not 0 < open_ms < LAST_VALID_MS:
        return "time out of range"
    if floor_to(open_ms, interval_ms) != open_ms:
        return "time off the grid"
    return None


def candle_table(candles: list[Candle]) -> np.ndarray:
    """Return the candles as one `CANDLES` table, in the order given."""
    return np.array([candle.values for candle in candles], dtype=CANDLES)


def aggregate(candles: np.ndarray, base_ms: int, length_ms: int) -> np.ndarray:
    """Return longer candles made from whole groups of base candles only; a group with a hole is left out.

    `candles`: a `CANDLES` table of interval `base_ms`, sorted by open_ms, without duplicates;
    `length_ms`: a multiple of `base_ms`.
    """
    if length_ms == base_ms or len(candles) == 0:
        return candles
    shift = floor_to(0, length_ms)
    group = (candles["open_ms"] - shift) // length_ms
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    sizes = np.diff(np.r_[starts, len(candles)])
    whole = sizes == length_ms // base_ms
    result = np.empty(len(starts), dtype=CANDLES)
    result["open_ms"] = group[starts] * length_ms + shift
    result["open"] = candles["open"][starts]
    result["high"] = np.maximum.reduceat(candles["high"], starts)
    result["low"] = np.minimum.reduceat(candles["low"], starts)
    result["close"] = candles["close"][starts + sizes - 1]
    result["volume"] = np.add.reduceat(candles["volume"], starts)
    kept: np.ndarray = result[whole]
    return kept

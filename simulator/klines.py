"""Klines: candles with the four figures Binance adds, and how longer ones are made from shorter ones."""

import numpy as np

from market.candles import CANDLES, aggregate
from market.intervals import DAY_MS, INTERVAL_MS
from simulator.grid import MONTH

EXTRAS = ("quote_volume", "trades", "taker_base", "taker_quote")
SUMS = ("volume", *EXTRAS)
# A table of this type is also a `CANDLES` table: it only has more columns.
KLINES = np.dtype(
    [
        *((name, CANDLES[name]) for name in CANDLES.names or ()),
        ("quote_volume", "<f8"),
        ("trades", "<i8"),
        ("taker_base", "<f8"),
        ("taker_quote", "<f8"),
    ]
)
NO_KLINES = np.empty(0, dtype=KLINES)


def lengthened(rows: np.ndarray, base_ms: int, interval: str) -> np.ndarray:
    """Return candles of `interval` made from whole groups of rows; a group with a hole is left out.

    `rows`: klines of length `base_ms`, oldest first, without duplicates.
    """
    if interval == MONTH:
        return _months(rows, base_ms)
    if INTERVAL_MS[interval] == base_ms or len(rows) == 0:
        return rows
    candles = aggregate(rows, base_ms, INTERVAL_MS[interval])
    result = np.zeros(len(candles), dtype=KLINES)
    for name in CANDLES.names or ():
        result[name] = candles[name]
    starts = np.searchsorted(rows["open_ms"], candles["open_ms"])
    sums = _group_sums(rows, starts, INTERVAL_MS[interval] // base_ms)
    for name in EXTRAS:
        result[name] = sums[name]
    return result


def merged(rows: np.ndarray) -> np.ndarray:
    """Return one kline, a table of one row, that spans all of `rows` (at least one, oldest first)."""
    result = rows[:1].copy()
    result["high"] = rows["high"].max()
    result["low"] = rows["low"].min()
    result["close"] = rows["close"][-1]
    for name in SUMS:
        result[name] = rows[name].sum()
    return result


def _group_sums(rows: np.ndarray, starts: np.ndarray, size: int) -> dict[str, np.ndarray]:
    # Every whole group has the same size, so its rows are one line of a matrix.
    lines = starts[:, None] + np.arange(size)
    return {name: rows[name][lines].sum(axis=1) for name in EXTRAS}


def _months(rows: np.ndarray, base_ms: int) -> np.ndarray:
    months = rows["open_ms"].astype("M8[ms]").astype("M8[M]")
    edges = np.flatnonzero(np.r_[True, months[1:] != months[:-1], True])
    found = []
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        days = int((months[first] + 1).astype("M8[D]").astype(int) - months[first].astype("M8[D]").astype(int))
        if last - first == days * DAY_MS // base_ms:
            found.append(merged(rows[first:last]))
    return np.concatenate(found) if found else NO_KLINES

"""Compute the features of a history once, however often and from however many threads they are asked for."""

import hashlib

import numpy as np

from features.feature_engineering import Rows, Table, compute_features, definition_hash
from market.candles import CANDLES
from utils.data_cache import DataCache


class DataProcessor:
    """Feature matrices of candle tables.

    Key: the content of the table (SHA-256), its interval, and the feature definition. How long: `ttl_seconds`; content
    never goes stale, the limit only frees memory. How many: `cache_size`, the one unused longest goes first; a symbol
    with 60 days of 5 m candles takes 7 MB. Who clears it: `clear()`.
    """

    def __init__(self, cache_size: int = 16, ttl_seconds: float = 3_600.0) -> None:
        """Start with an empty cache of so many matrices."""
        self._cache = DataCache(ttl_seconds=ttl_seconds, max_size=cache_size)

    def features(self, candles: Table, interval_ms: int) -> Rows:
        """Return the symbol's own columns, one row a candle (`CANDLES` table, oldest first); read-only, as shared."""
        key = content_hash(candles, interval_ms)
        return self._cache.get_or_compute(key, lambda: _frozen_features(candles, interval_ms))

    def get_stats(self) -> dict[str, float | int | bool]:
        """Return hits, misses, hit rate, entries and evictions."""
        return self._cache.get_stats()

    def clear(self) -> None:
        """Forget every matrix."""
        self._cache.clear()


def content_hash(candles: Table, interval_ms: int) -> str:
    """Return what names the features of these candles: equal content, interval and definition, equal hash."""
    table = np.ascontiguousarray(candles, dtype=CANDLES)
    return f"{definition_hash()}-{interval_ms}-{hashlib.sha256(table.data.cast('B')).hexdigest()}"


def _frozen_features(candles: Table, interval_ms: int) -> Rows:
    rows = compute_features(candles, interval_ms)
    rows.flags.writeable = False
    return rows

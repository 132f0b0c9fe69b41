"""Read longer candles from base candles, piece by piece until there are enough whole ones."""

from dataclasses import dataclass

import numpy as np

from data.candle_store import CandleStore
from market.candles import CANDLES, aggregate
from market.intervals import floor_to

_CHUNK_CANDLES = 20_000  # base candles read at once


def no_candles() -> np.ndarray:
    """Return a table of no candles."""
    return np.empty(0, dtype=CANDLES)


@dataclass(frozen=True, slots=True)
class LongerCandles:
    """How long the base candles are, how long the wanted ones, and how many of those at most."""

    base_ms: int
    length_ms: int
    limit: int

    @property
    def _ratio(self) -> int:
        return self.length_ms // self.base_ms

    @property
    def _chunk(self) -> int:
        wanted = (self.limit + 1) * self._ratio
        return max(min(wanted, _CHUNK_CANDLES), 2 * self._ratio)

    def oldest(self, store: CandleStore, symbol: str, start_ms: int, end_ms: int | None) -> np.ndarray:
        """Return the oldest `limit` whole candles that open in [start, end)."""
        parts, found = [no_candles()], 0
        at_ms, stop_ms = self._ceil(start_ms), None if end_ms is None else self._ceil(end_ms)
        while found < self.limit:
            rows = store.load(symbol, at_ms, stop_ms, self._chunk)
            is_last = len(rows) < self._chunk
            if not is_last:
                at_ms = floor_to(int(rows["open_ms"][-1]), self.length_ms)
                rows = rows[rows["open_ms"] < at_ms]
            parts.append(aggregate(rows, self.base_ms, self.length_ms))
            found += len(parts[-1])
            if is_last:
                break
        return np.concatenate(parts)[: self.limit]

    def newest(self, store: CandleStore, symbol: str, end_ms: int | None) -> np.ndarray:
        """Return the newest `limit` whole candles that open before `end_ms`."""
        parts, found = [no_candles()], 0
        stop_ms = None if end_ms is None else self._ceil(end_ms)
        while found < self.limit:
            rows = store.load(symbol, None, stop_ms, self._chunk)
            is_last = len(rows) < self._chunk
            if not is_last:
                stop_ms = self._ceil(int(rows["open_ms"][0]))
                rows = rows[rows["open_ms"] >= stop_ms]
            parts.insert(0, aggregate(rows, self.base_ms, self.length_ms))
            found += len(parts[0])
            if is_last:
                break
        return np.concatenate(parts)[-self.limit :]

    def _ceil(self, time_ms: int) -> int:
        return floor_to(time_ms + self.length_ms - 1, self.length_ms)

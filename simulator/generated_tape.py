"""The tape of the generated market: minutes made when asked for, the days used last kept."""

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from market.intervals import DAY_MS, INTERVAL_MS, MINUTE_MS, SECOND_MS
from simulator import grid, path
from simulator.coins import EPOCH_MS
from simulator.klines import NO_KLINES, lengthened, merged
from simulator.listings import Listing
from simulator.market_model import Model

_DAYS_KEPT = 600  # of all symbols together, 115 kB each; but three of every symbol
_DAYS_A_PART = 4
_AHEAD_MS = 2 * INTERVAL_MS["1h"]  # before midnight the minutes of the new day are made


class GeneratedTape:
    """The generated market from its epoch on, without an end.

    Minutes: key symbol and day; until `_DAYS_KEPT` others were asked for; nobody needs to clear what never changes.
    Day candles: kept for good, 90 bytes each. Seconds: those of the last minute asked for, of every symbol.
    """

    def __init__(self, models: list[Model]) -> None:
        """Show the market made of these symbols."""
        self.listings: list[Listing] = [model.listing for model in models]
        self._models = {model.listing.symbol: model for model in models}
        self._minutes: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._capacity = max(_DAYS_KEPT, 3 * len(models))
        self._seconds: dict[str, tuple[int, np.ndarray]] = {}
        self._days: dict[str, dict[int, np.ndarray]] = {symbol: {} for symbol in self._models}

    def is_trading(self, symbol: str, now_ms: int) -> bool:
        """Return whether the symbol is traded at that time: always, once the market has begun."""
        return symbol in self._models and now_ms >= EPOCH_MS

    def window(self, symbol: str, interval: str, start_ms: int | None, before_ms: int, limit: int) -> tuple[int, int]:
        """Return the opening times, first inclusive and last exclusive, that hold at most `limit` whole candles."""
        earliest_ms = grid.first_open_from(interval, EPOCH_MS)
        before_ms = grid.first_open_from(interval, before_ms)
        if start_ms is None:
            return max(earliest_ms, grid.shifted(interval, before_ms, -limit)), before_ms
        first_ms = max(earliest_ms, grid.first_open_from(interval, start_ms))
        return first_ms, min(before_ms, grid.shifted(interval, first_ms, limit))

    def candles(self, symbol: str, interval: str, start_ms: int, before_ms: int) -> Iterator[np.ndarray]:
        """Yield the whole candles with start_ms <= open_ms < before_ms, oldest first, in parts cheap to make."""
        start_ms = max(grid.first_open_from(interval, start_ms), grid.first_open_from(interval, EPOCH_MS))
        before_ms = grid.first_open_from(interval, before_ms)
        if start_ms >= before_ms:
            return
        if grid.is_built_from_days(interval):
            yield from self._candles_of_days(symbol, interval, start_ms, before_ms)
            return
        for part_ms in range(start_ms // DAY_MS * DAY_MS, before_ms, _DAYS_A_PART * DAY_MS):
            first_ms, last_ms = max(start_ms, part_ms), min(before_ms, part_ms + _DAYS_A_PART * DAY_MS)
            yield self._part(symbol, interval, first_ms, last_ms)

    def so_far(self, symbol: str, interval: str, now_ms: int) -> np.ndarray | None:
        """Return the candle that is open at that time as it stands, one row."""
        if now_ms < EPOCH_MS:
            return None
        open_ms = grid.open_of(interval, now_ms)
        if interval == "1s":
            second = _between(self._seconds_of(symbol, open_ms), open_ms, open_ms + SECOND_MS)
            return path.partial(second, SECOND_MS, open_ms, self._listing(symbol))
        minute_ms = grid.open_of("1m", now_ms)
        minute = self._minute_rows(symbol, minute_ms, minute_ms + MINUTE_MS)
        now = path.partial(minute, MINUTE_MS, now_ms, self._listing(symbol))
        day_ms = grid.open_of("1d", now_ms)
        days = list(self._candles_of_days(symbol, "1d", max(open_ms, EPOCH_MS), day_ms)) if open_ms < day_ms else []
        return merged(np.concatenate([*days, self._minute_rows(symbol, max(open_ms, day_ms), minute_ms), now]))

    def last_day(self, symbol: str, now_ms: int) -> np.ndarray:
        """Return the minutes of the 24 hours up to that time, the last one as far as it has come."""
        minute_ms = grid.open_of("1m", now_ms)
        rows = self._minute_rows(symbol, max(EPOCH_MS, minute_ms - DAY_MS + MINUTE_MS), minute_ms + MINUTE_MS)
        return np.concatenate([rows[:-1], path.partial(rows[-1:], MINUTE_MS, now_ms, self._listing(symbol))])

    def price(self, symbol: str, now_ms: int) -> float:
        """Return the price last paid."""
        minute_ms = grid.open_of("1m", now_ms)
        minute = self._minute_rows(symbol, minute_ms, minute_ms + MINUTE_MS)
        return float(path.partial(minute, MINUTE_MS, now_ms, self._listing(symbol))["close"][0])

    def prepare(self, now_ms: int) -> bool:
        """Make a day of minutes of one symbol that is or will soon be needed; return whether one was missing."""
        for day in (_day(now_ms), _day(now_ms + _AHEAD_MS)):
            for symbol in self._models:
                if (symbol, day) not in self._minutes:
                    self._load_days(symbol, range(day, day + 1))
                    return True
        return False

    def _listing(self, symbol: str) -> Listing:
        return self._models[symbol].listing

    def _part(self, symbol: str, interval: str, start_ms: int, before_ms: int) -> np.ndarray:
        if interval != "1s":
            return lengthened(self._minute_rows(symbol, start_ms, before_ms), MINUTE_MS, interval)
        minutes = range(start_ms // MINUTE_MS * MINUTE_MS, before_ms, MINUTE_MS)
        if len(minutes) == 1:
            return _between(self._seconds_of(symbol, start_ms), start_ms, before_ms)
        rows = self._minute_rows(symbol, minutes.start, minutes[-1] + MINUTE_MS)
        return _between(path.seconds(rows, self._listing(symbol)), start_ms, before_ms)

    def _seconds_of(self, symbol: str, time_ms: int) -> np.ndarray:
        """Return the sixty seconds of the minute that holds `time_ms`."""
        minute_ms = grid.open_of("1m", time_ms)
        if symbol not in self._seconds or self._seconds[symbol][0] != minute_ms:
            minute = self._minute_rows(symbol, minute_ms, minute_ms + MINUTE_MS)
            self._seconds[symbol] = (minute_ms, path.seconds(minute, self._listing(symbol)))
        return self._seconds[symbol][1]

    def _minute_rows(self, symbol: str, start_ms: int, before_ms: int) -> np.ndarray:
        """Return the minutes between two times on the grid of minutes."""
        if start_ms >= before_ms:
            return NO_KLINES
        days = range(_day(start_ms), _day(before_ms - 1) + 1)
        rows = self._load_days(symbol, days)
        first = (start_ms - EPOCH_MS - days.start * DAY_MS) // MINUTE_MS
        return rows[first : first + (before_ms - start_ms) // MINUTE_MS]

    def _load_days(self, symbol: str, days: range) -> np.ndarray:
        missing = [day for day in days if (symbol, day) not in self._minutes]
        if missing:
            run = range(missing[0], missing[-1] + 1)
            for day, rows in zip(run, self._models[symbol].minutes(run), strict=True):
                self._minutes[symbol, day] = rows
        blocks = [self._minutes[symbol, day] for day in days]
        for day in days:
            self._minutes.move_to_end((symbol, day))
        while len(self._minutes) > self._capacity:
            self._minutes.popitem(last=False)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _candles_of_days(self, symbol: str, interval: str, start_ms: int, before_ms: int) -> Iterator[np.ndarray]:
        parts = []
        for first in range(_day(start_ms), _day(before_ms), _DAYS_A_PART):
            parts.append(self._day_rows(symbol, range(first, min(first + _DAYS_A_PART, _day(before_ms)))))
            yield NO_KLINES
        yield lengthened(np.concatenate(parts), DAY_MS, interval)

    def _day_rows(self, symbol: str, days: range) -> np.ndarray:
        known = self._days[symbol]
        missing = [day for day in days if day not in known]
        if missing:
            run = range(missing[0], missing[-1] + 1)
            for day, rows in zip(run, self._models[symbol].minutes(run), strict=True):
                known[day] = lengthened(rows, MINUTE_MS, "1d")
        return np.concatenate([known[day] for day in days])


def _day(time_ms: int) -> int:
    return (time_ms - EPOCH_MS) // DAY_MS


def _between(rows: np.ndarray, start_ms: int, before_ms: int) -> np.ndarray:
    times = rows["open_ms"]
    return rows[np.searchsorted(times, start_ms) : np.searchsorted(times, before_ms)]

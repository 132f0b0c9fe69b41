"""The tape of recorded candles: exactly what the files hold, holes among it, and nothing after their end."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from market.intervals import DAY_MS, INTERVAL_MS
from simulator import grid, path
from simulator.kline_files import KlineFile
from simulator.klines import NO_KLINES, lengthened, merged
from simulator.listings import Listing

_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "BTC", "ETH", "BNB", "EUR", "TRY")
_MAX_DIGITS = 8
_FUTURE_SHARE = 0.2  # of the newest stretch that is still to come when the clock starts
_LEAST_FUTURE_MS = 2 * DAY_MS
_PAUSE_MS = DAY_MS  # a hole shorter than this is a pause: the symbol is still traded


class ReplayTape:
    """Recorded candles of several symbols; of two files that cover one time the finer holds."""

    def __init__(self, files: list[KlineFile]) -> None:
        """Take the rows of all files together."""
        self._rows = _rows_by_symbol(files)
        self.listings = [_listing(symbol, rows) for symbol, rows in self._rows.items()]
        self._listings = {listing.symbol: listing for listing in self.listings}
        self._spans = {symbol: _spans(rows) for symbol, rows in self._rows.items()}
        self._tables: dict[tuple[str, str], np.ndarray] = {}

    def start_ms(self) -> int:
        """Return where the clock starts: most of the newest stretch is history, its end is still to come."""
        spans = _joined([span for spans in self._spans.values() for span in spans])
        first_ms, end_ms = spans[-1]
        length_ms = end_ms - first_ms
        future_ms = max(_FUTURE_SHARE * length_ms, min(_LEAST_FUTURE_MS, length_ms / 2))
        return int(end_ms - future_ms)

    def first_ms(self) -> int:
        """Return when the first candle of all opened."""
        return min(spans[0][0] for spans in self._spans.values())

    def end_ms(self) -> int:
        """Return when the last candle of all closed."""
        return max(spans[-1][1] for spans in self._spans.values())

    def is_trading(self, symbol: str, now_ms: int) -> bool:
        """Return whether the symbol has candles around that time."""
        return any(first_ms <= now_ms < end_ms for first_ms, end_ms in self._spans[symbol])

    def window(self, symbol: str, interval: str, start_ms: int | None, before_ms: int, limit: int) -> tuple[int, int]:
        """Return the opening times, first inclusive and last exclusive, that hold at most `limit` whole candles."""
        times = self._table(symbol, interval)["open_ms"]
        last = int(np.searchsorted(times, before_ms))
        if start_ms is None:
            first = max(0, last - limit)
        else:
            first = int(np.searchsorted(times, start_ms))
            last = min(last, first + limit)
        return (int(times[first]), int(times[last - 1]) + 1) if first < last else (before_ms, before_ms)

    def candles(self, symbol: str, interval: str, start_ms: int, before_ms: int) -> Iterator[np.ndarray]:
        """Yield the whole candles with start_ms <= open_ms < before_ms, oldest first."""
        yield _between(self._table(symbol, interval), start_ms, before_ms)

    def so_far(self, symbol: str, interval: str, now_ms: int) -> np.ndarray | None:
        """Return the candle that is open at that time as it stands, one row; None where the files have a hole."""
        open_ms = grid.open_of(interval, now_ms)
        for base_ms, rows in self._rows[symbol].items():
            last = _row_at(rows, base_ms, now_ms)
            if last is None or not grid.is_servable(base_ms, interval):
                continue
            closed = _between(rows, open_ms, int(last["open_ms"][0]))
            if len(closed) == (int(last["open_ms"][0]) - open_ms) // base_ms:
                now = path.partial(last, base_ms, now_ms, self._listings[symbol])
                return merged(np.concatenate([closed, now]))
        return None

    def last_day(self, symbol: str, now_ms: int) -> np.ndarray:
        """Return the finest rows of the 24 hours up to that time; none when the symbol is not traded now."""
        for base_ms, rows in self._rows[symbol].items():
            last = _row_at(rows, base_ms, now_ms)
            if last is not None:
                closed = _between(rows, now_ms - DAY_MS, int(last["open_ms"][0]))
                return np.concatenate([closed, path.partial(last, base_ms, now_ms, self._listings[symbol])])
        return NO_KLINES

    def price(self, symbol: str, now_ms: int) -> float:
        """Return the price last paid; 0 when the symbol was never traded yet."""
        day = self.last_day(symbol, now_ms)
        if len(day):
            return float(day["close"][-1])
        lasts = []
        for base_ms, rows in self._rows[symbol].items():
            count = int(np.searchsorted(rows["open_ms"], now_ms - base_ms, side="right"))
            if count:
                lasts.append((int(rows["open_ms"][count - 1]) + base_ms, float(rows["close"][count - 1])))
        return max(lasts)[1] if lasts else 0.0

    def prepare(self, now_ms: int) -> bool:
        """Do nothing: everything was read at the start."""
        return False

    def _table(self, symbol: str, interval: str) -> np.ndarray:
        """Return all whole candles of an interval, made on the first question and kept."""
        if (symbol, interval) not in self._tables:
            found = NO_KLINES
            for base_ms, rows in self._rows[symbol].items():
                if grid.is_servable(base_ms, interval):
                    found = _filled(found, lengthened(rows, base_ms, interval))
            self._tables[symbol, interval] = found
        return self._tables[symbol, interval]


def _rows_by_symbol(files: list[KlineFile]) -> dict[str, dict[int, np.ndarray]]:
    """Return the rows of every symbol by their length, the finest first."""
    found: defaultdict[str, dict[int, np.ndarray]] = defaultdict(dict)
    for file in sorted(files, key=lambda file: (file.symbol, INTERVAL_MS[file.interval])):
        if len(file.rows):
            base_ms = INTERVAL_MS[file.interval]
            found[file.symbol][base_ms] = _filled(found[file.symbol].get(base_ms, NO_KLINES), file.rows)
    return dict(found)


def _filled(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return `rows`, and of `others` what they lack."""
    lacking = others[~np.isin(others["open_ms"], rows["open_ms"])]
    if len(rows) == 0 or len(lacking) == 0:
        return rows if len(rows) else others
    together = np.concatenate([rows, lacking])
    return together[np.argsort(together["open_ms"], kind="stable")]


def _between(rows: np.ndarray, start_ms: int, before_ms: int) -> np.ndarray:
    times = rows["open_ms"]
    return rows[np.searchsorted(times, start_ms) : np.searchsorted(times, before_ms)]


def _row_at(rows: np.ndarray, base_ms: int, now_ms: int) -> np.ndarray | None:
    index = int(np.searchsorted(rows["open_ms"], now_ms, side="right")) - 1
    if index < 0 or now_ms >= rows["open_ms"][index] + base_ms:
        return None
    return rows[index : index + 1]


def _spans(rows_by_length: dict[int, np.ndarray]) -> list[tuple[int, int]]:
    """Return the stretches in which a symbol is traded: first inclusive, end exclusive."""
    found = []
    for base_ms, rows in rows_by_length.items():
        times = rows["open_ms"]
        edges = np.flatnonzero(np.diff(times) - base_ms >= _PAUSE_MS)
        firsts, lasts = times[np.r_[0, edges + 1]], times[np.r_[edges, len(times) - 1]]
        found += [(int(first), int(last) + base_ms) for first, last in zip(firsts, lasts, strict=True)]
    return _joined(found)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for first_ms, end_ms in sorted(spans):
        if result and first_ms - result[-1][1] < _PAUSE_MS:
            result[-1] = (result[-1][0], max(result[-1][1], end_ms))
        else:
            result.append((first_ms, end_ms))
    return result


def _listing(symbol: str, rows_by_length: dict[int, np.ndarray]) -> Listing:
    quote = next((quote for quote in _QUOTES if symbol.endswith(quote) and symbol != quote), symbol[-3:])
    tables = list(rows_by_length.values())
    prices = np.concatenate([rows[name] for rows in tables for name in ("open", "high", "low", "close")])
    volumes = np.concatenate([rows["volume"] for rows in tables])
    return Listing(symbol.removesuffix(quote), quote, _digits(prices), _digits(volumes))


def _digits(values: np.ndarray) -> int:
    """Return how many decimals the most precise of the values has, up to 8."""
    for digits in range(_MAX_DIGITS):
        scaled = values * 10.0**digits
        if np.all(np.abs(scaled - np.rint(scaled)) <= np.maximum(1e-6, scaled * 1e-15)):
            return digits
    return _MAX_DIGITS

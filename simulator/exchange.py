"""The exchange: a tape seen through a clock. It never tells what has not happened yet."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator import grid
from simulator.klines import NO_KLINES, merged
from simulator.listings import Listing
from simulator.market_clock import MarketClock
from simulator.tape import Tape


@dataclass(frozen=True, slots=True)
class Range:
    """Which candles are asked for, by their opening times; both ends inclusive, the newest ones without a start."""

    start_ms: int | None
    end_ms: int | None
    limit: int


class Exchange:
    """What the market's participants can know at this moment."""

    def __init__(self, tape: Tape, clock: MarketClock) -> None:
        """Show `tape` as far as `clock` has run."""
        self.tape = tape
        self.clock = clock
        self.listings: dict[str, Listing] = {listing.symbol: listing for listing in tape.listings}

    def status(self, symbol: str, now_ms: int) -> str:
        """Return TRADING, or BREAK while nobody trades the symbol."""
        return "TRADING" if self.tape.is_trading(symbol, now_ms) else "BREAK"

    def klines(self, symbol: str, interval: str, wanted: Range) -> Iterator[np.ndarray]:
        """Yield the candles of a range in parts, oldest first; the one that is still open among them."""
        now_ms = self.clock.now_ms()
        end_ms = now_ms if wanted.end_ms is None else min(now_ms, wanted.end_ms)
        start_ms, open_ms = wanted.start_ms, grid.open_of(interval, now_ms)
        is_open_wanted = open_ms <= end_ms and (start_ms is None or start_ms <= open_ms)
        unfinished = self.open_candle(symbol, interval, now_ms) if is_open_wanted else None
        room = wanted.limit - (unfinished is not None and start_ms is None)
        count = 0
        if room:
            window = self.tape.window(symbol, interval, start_ms, min(open_ms, end_ms + 1), room)
            for part in self.tape.candles(symbol, interval, *window):
                count += len(part)
                yield part
        if unfinished is not None and count < wanted.limit:
            yield unfinished

    def day(self, symbol: str, now_ms: int) -> np.ndarray | None:
        """Return the last 24 hours as one candle, a table of one row; None when nothing was traded."""
        rows = self.tape.last_day(symbol, now_ms)
        return merged(rows) if len(rows) else None

    def open_candle(self, symbol: str, interval: str, now_ms: int) -> np.ndarray | None:
        """Return the candle that is open now as it stands, a table of one row; None when there is none."""
        if symbol not in self.listings or not self.tape.is_trading(symbol, now_ms):
            return None
        return self.tape.so_far(symbol, interval, now_ms)

    def closed(self, symbol: str, interval: str, close_ms: int) -> np.ndarray | None:
        """Return the candle that ended exactly at `close_ms`, a table of one row; None when there is none."""
        if symbol not in self.listings:
            return None
        open_ms = grid.shifted(interval, close_ms, -1)
        rows = joined(self.tape.candles(symbol, interval, open_ms, close_ms))
        return rows if len(rows) else None


def joined(parts: Iterator[np.ndarray]) -> np.ndarray:
    """Return all parts as one table."""
    found = [part for part in parts if len(part)]
    return np.concatenate(found) if found else NO_KLINES

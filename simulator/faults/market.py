"""An exchange that lacks candles, halts symbols or loses them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator import grid
from simulator.exchange import Exchange
from simulator.listings import Listing
from simulator.market_clock import MarketClock
from simulator.tape import Tape


@dataclass(frozen=True, slots=True)
class Absence:
    """Time in which a symbol was not traded: no candle that holds any of [from_ms, to_ms) exists, now or later."""

    symbol: str
    from_ms: int
    to_ms: int


class HoledTape:
    """A tape with absences, which may be added while it runs."""

    def __init__(self, tape: Tape) -> None:
        """Start without any hole in `tape`."""
        self.listings: list[Listing] = tape.listings
        self.absences: list[Absence] = []
        self._tape = tape

    def is_trading(self, symbol: str, now_ms: int) -> bool:
        """Return whether the symbol is traded at that time."""
        return self._tape.is_trading(symbol, now_ms) and not self._is_absent(symbol, now_ms, now_ms + 1)

    def window(self, symbol: str, interval: str, start_ms: int | None, before_ms: int, limit: int) -> tuple[int, int]:
        """Return opening times around `limit` candles; those that are absent count."""
        return self._tape.window(symbol, interval, start_ms, before_ms, limit)

    def candles(self, symbol: str, interval: str, start_ms: int, before_ms: int) -> Iterator[np.ndarray]:
        """Yield the candles that are there, as the tape below does."""
        for part in self._tape.candles(symbol, interval, start_ms, before_ms):
            yield self._without_absent(symbol, interval, part) if len(part) else part

    def so_far(self, symbol: str, interval: str, now_ms: int) -> np.ndarray | None:
        """Return the candle that is open, None when some of it is absent."""
        is_whole = not self._is_absent(symbol, grid.open_of(interval, now_ms), now_ms + 1)
        return self._tape.so_far(symbol, interval, now_ms) if is_whole else None

    def last_day(self, symbol: str, now_ms: int) -> np.ndarray:
        """Return the last 24 hours as if nothing were absent."""
        return self._tape.last_day(symbol, now_ms)

    def price(self, symbol: str, now_ms: int) -> float:
        """Return the price as if nothing were absent."""
        return self._tape.price(symbol, now_ms)

    def prepare(self, now_ms: int) -> bool:
        """Do a little work in advance."""
        return self._tape.prepare(now_ms)

    def is_open_market(self, symbol: str, now_ms: int) -> bool:
        """Return whether the symbol is traded, absences or not."""
        return self._tape.is_trading(symbol, now_ms)

    def _is_absent(self, symbol: str, from_ms: int, to_ms: int) -> bool:
        return any(one.symbol == symbol and one.from_ms < to_ms and from_ms < one.to_ms for one in self.absences)

    def _without_absent(self, symbol: str, interval: str, rows: np.ndarray) -> np.ndarray:
        opens, ends = rows["open_ms"], grid.close_times(interval, rows["open_ms"]) + 1
        is_there = np.ones(len(rows), dtype=bool)
        for one in self.absences:
            if one.symbol == symbol:
                is_there &= (ends <= one.from_ms) | (opens >= one.to_ms)
        return rows[is_there]


class UnreliableExchange(Exchange):
    """An exchange whose market has holes and whose symbols come and go."""

    def __init__(self, tape: Tape, clock: MarketClock) -> None:
        """Show `tape` as far as `clock` has run; nothing is wrong yet."""
        self.holes = HoledTape(tape)
        super().__init__(self.holes, clock)
        self.words: dict[str, str] = {}  # the status of a symbol, while it is another than usual

    def status(self, symbol: str, now_ms: int) -> str:
        """Return what the exchange says of a symbol, true or not."""
        usual = "TRADING" if self.holes.is_open_market(symbol, now_ms) else "BREAK"
        return self.words.get(symbol, usual)

    def withhold(self, symbol: str, seconds: float) -> None:
        """Let the minutes that open from now on, for so many wall seconds, never have existed; at least one."""
        now_ms = self.clock.now_ms()
        from_ms = grid.first_open_from("1m", now_ms)
        to_ms = grid.first_open_from("1m", now_ms + int(seconds * 1_000 * self.clock.speed))
        self.holes.absences.append(Absence(symbol, from_ms, max(to_ms, grid.shifted("1m", from_ms, 1))))

"""Push candles and tickers at their time: a closed candle the moment it closes, open states once a second."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from market.intervals import MINUTE_MS, SECOND_MS
from simulator import grid, messages
from simulator.exchange import Exchange
from simulator.hub import Hub
from simulator.messages import Build, Message

TICK_SECONDS = 1.0  # of the wall clock, between two states of an open candle
_LOOK_AHEAD_SECONDS = 0.5
_STREAMS_A_BREATH = 16  # computed before the clock is looked at again
T = TypeVar("T")


class Pump:
    """One task that follows the market's clock."""

    def __init__(self, exchange: Exchange, hub: Hub) -> None:
        """Push what happens at `exchange` to who listens at `hub`."""
        self._exchange = exchange
        self._hub = hub
        self._clock = exchange.clock
        self._pushed_ms = grid.open_of("1s", self._clock.now_ms())  # up to here every closed candle was pushed
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look again at what is listened to: the next candle may close sooner than it was thought."""
        self._changed.set()

    async def run(self) -> None:
        """Push until cancelled."""
        loop = asyncio.get_running_loop()
        next_tick = loop.time() + self._seconds_to_first_tick()
        while True:
            await self._rest(min(self._clock.seconds_until(self._next_boundary()), next_tick - loop.time()))
            await self._push_closed()
            if loop.time() >= next_tick:
                await self._push_states()
                next_tick = max(next_tick + TICK_SECONDS, loop.time())

    async def look_ahead(self) -> None:
        """Do what midnight will ask for before it comes, in small pieces, until cancelled."""
        while True:
            while self._exchange.tape.prepare(self._clock.now_ms()):
                await asyncio.sleep(0)
            await asyncio.sleep(_LOOK_AHEAD_SECONDS)

    def _seconds_to_first_tick(self) -> float:
        # Half way between two minutes: at 60 times the speed of time every minute is then shown open once.
        middle_ms = grid.open_of("1m", self._clock.now_ms()) + MINUTE_MS + MINUTE_MS // 2
        return self._clock.seconds_until(middle_ms) % TICK_SECONDS

    async def _rest(self, seconds: float) -> None:
        self._changed.clear()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def _next_boundary(self) -> int:
        step_ms = SECOND_MS if self._hub.kline_streams("1s") else MINUTE_MS
        return (self._pushed_ms // step_ms + 1) * step_ms

    async def _push_closed(self) -> None:
        """Push every candle that has closed by now, in the order of their ends."""
        while (boundary_ms := self._next_boundary()) <= (now_ms := self._clock.now_ms()):
            for interval in self._hub.kline_intervals():
                if grid.open_of(interval, boundary_ms) == boundary_ms:
                    await self._push_closed_of(interval, boundary_ms)
            self._pushed_ms = boundary_ms
            await asyncio.sleep(0)
        # Who asks for one-second candles from now on does not get those of the minute so far.
        self._pushed_ms = max(self._pushed_ms, grid.open_of("1s", now_ms))

    async def _push_closed_of(self, interval: str, boundary_ms: int) -> None:
        for streams in _batches(self._hub.kline_streams(interval)):
            for stream, symbol in streams:
                row = self._exchange.closed(symbol, interval, boundary_ms)
                if row is not None:
                    now_ms = self._clock.now_ms()
                    self._hub.publish(messages.kline(stream, symbol, interval, now_ms, row, is_final=True))
            self._hub.flush()
            await asyncio.sleep(0)

    async def _push_states(self) -> None:
        """Push how things stand; what closes meanwhile goes first."""
        klines = [(name, symbol, i) for i in self._hub.kline_intervals() for name, symbol in self._hub.kline_streams(i)]
        for streams in _batches(klines):
            await self._push_closed()
            now_ms = self._clock.now_ms()
            for stream, symbol, interval in streams:
                row = self._exchange.open_candle(symbol, interval, now_ms)
                if row is not None:
                    self._hub.publish(messages.kline(stream, symbol, interval, now_ms, row, is_final=False))
            self._hub.flush()
        for others in _batches(self._hub.other_streams()):
            await self._push_closed()
            for stream, symbol, kind in others:
                await self._push_other(stream, symbol, kind)
            self._hub.flush()

    async def _push_other(self, stream: str, symbol: str, kind: str) -> None:
        if kind == "arr":
            await self._push_array(stream, symbol)
            return
        build = self._build(symbol, kind, self._clock.now_ms())
        if build is not None:
            self._hub.publish(Message(stream, build))

    async def _push_array(self, stream: str, name: str) -> None:
        kind = {"!MINITICKER": "miniTicker", "!TICKER": "ticker", "!BOOKTICKER": "bookTicker"}.get(name)
        if kind is None:
            return
        builds: list[Build] = []
        for symbols in _batches(self._exchange.listings):
            now_ms = self._clock.now_ms()
            builds += [build for symbol in symbols if (build := self._build(symbol, kind, now_ms))]
            await self._push_closed()
        if builds:
            self._hub.publish(Message(stream, lambda units: f"[{','.join(build(units) for build in builds)}]"))

    def _build(self, symbol: str, kind: str, now_ms: int) -> Build | None:
        """Return the newest event of a symbol; None when it is not traded or has no such stream."""
        if symbol not in self._exchange.listings or not self._exchange.tape.is_trading(symbol, now_ms):
            return None
        if kind == "bookTicker":
            return messages.book_ticker(self._exchange, symbol, now_ms)
        if kind == "aggTrade":
            return messages.aggregate_trade(self._exchange, symbol, now_ms)
        if kind not in ("miniTicker", "ticker"):
            return None
        day = self._exchange.day(symbol, now_ms)
        if day is None:
            return None
        if kind == "ticker":
            return messages.ticker(self._exchange, symbol, now_ms, day)
        return messages.mini_ticker(symbol, now_ms, day)


def _batches(items: Iterable[T]) -> Iterable[list[T]]:
    iterator = iter(list(items))
    while batch := list(islice(iterator, _STREAMS_A_BREATH)):
        yield batch

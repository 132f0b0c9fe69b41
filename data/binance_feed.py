"""Bring every closed candle of the chosen symbols, in order and without holes, for as long as the process lives."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from data.binance_rest import BinanceRest
from data.candle_flow import CandleFlow
from data.exchange_watch import ExchangeWatch, Questions
from data.feed_repair import RepairCrew
from data.feed_status import FeedState, Line, Moment, feed_state, is_silent, symbol_rows
from data.slots import Slot, SlotQueue
from data.stream_connection import MAX_STREAMS, StreamConnection
from data.stream_door import StreamDoor
from market.gaps import Gap
from market.intervals import interval_ms

logger = logging.getLogger(__name__)

DATA_STREAM = "wss://data-stream.binance.vision"  # market data only, no key
_TICK_SECONDS = 0.25
_STOP_SECONDS = 5.0


class BinanceFeed:
    """The streams of many symbols, supervised: cut, silent or refused, they come back and what was missed is fetched.

    Only the newest state of an open candle is kept; closed candles wait in `slots` until they are taken. When nobody
    takes them for so long that there is no room, those that close then are fetched later.
    """

    def __init__(
        self, stream_url: str, rest: BinanceRest, symbols: list[str], interval: str, warm_candles: int = 0
    ) -> None:
        """Connect nothing yet. A hole among the newest `warm_candles` of a symbol makes it "gapped"."""
        self._rest = rest
        self._clock = rest.clock
        self._warm_candles = warm_candles
        self._flows = {symbol: CandleFlow(symbol, interval_ms(interval)) for symbol in symbols}
        self._slots = SlotQueue()
        self._crew = RepairCrew(rest, interval, self._on_repair, self._slots.close)
        self._watch = ExchangeWatch(rest, self._questions())
        self._doors: list[StreamDoor] = []
        self._connections = self._connections_to(stream_url, interval)
        self._gaps_found = self._gaps_repaired = 0
        self._mended: dict[str, int] = {}  # candles by symbol, until the log has told it
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._is_up = threading.Event()
        self._is_stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, last_known: dict[str, int], holes: dict[str, int] | None = None) -> None:
        """Connect, and hand out what follows the newest known candle of each symbol (by its open time).

        `holes`: the newest candle known to be missing for ever, where there is one.
        """
        for symbol, flow in self._flows.items():
            flow.last_ms = last_known.get(symbol)
            flow.hole_ms = (holes or {}).get(symbol)
        self._thread.start()
        self._is_up.wait()
        self._crew.start()
        self._watch.start()

    def stop(self) -> None:
        """Close all connections and end `slots`; what was not taken is fetched again at the next start."""
        self._slots.close()
        self._watch.stop()
        self._crew.stop()
        self._in_loop(self._is_stopping.set)
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def slots(self, idle_seconds: float = 0.5) -> Iterator[Slot]:
        """Yield closed candles, those of one opening time together, until `stop`; an empty slot when none come."""
        return self._slots.slots(idle_seconds)

    def open_state(self) -> dict[str, float]:
        """Return the newest price of each symbol that has one."""
        return {symbol: flow.price for symbol, flow in self._flows.items() if flow.price is not None}

    def status(self) -> dict[str, Any]:
        """Return how the feed and each symbol are, as /api/v1/status tells it; times are monotonic seconds."""
        now = Moment(time.monotonic(), self._clock.now_ms(), self._clock.speed)
        state = self._state()
        refused = self._rest.refusals.by_reason()
        return {
            "state": str(state),
            "last_message_mono_s": self._line().message_seconds,
            "lag_s": self._lag_seconds(now.seconds),
            "conflated": sum(door.conflated for door in self._doors),
            "reconnects": sum(connection.breaks for connection in self._connections),
            "renewals": sum(connection.renewals for connection in self._connections),
            "gaps_found": self._gaps_found,
            "gaps_repaired": self._gaps_repaired,
            "rejected_rows": sum(refused.values()),
            "rejected_by_reason": refused,
            "weight_used_1m": self._rest.budget.used,
            "weight_limit_1m": self._rest.budget.limit,
            "symbols": symbol_rows(self._flows.values(), state, now, self._warm_candles),
        }

    def _lag_seconds(self, now: float) -> float | None:
        lags = [seconds for door in self._doors if (seconds := door.lag.seconds(now)) is not None]
        return round(max(lags), 3) if lags else None

    def _state(self) -> FeedState:
        return feed_state(self._line(), time.monotonic())

    def _line(self) -> Line:
        heard = [one.message_seconds for one in self._connections if one.message_seconds is not None]
        return Line(
            message_seconds=max(heard, default=None),
            is_connected=all(connection.is_connected for connection in self._connections),
            is_stream_refused=any(connection.is_refused for connection in self._connections),
            is_rest_refused=self._rest.is_refused,
        )

    def _connections_to(self, stream_url: str, interval: str) -> list[StreamConnection]:
        flows = list(self._flows.values())
        size = MAX_STREAMS // 2
        return [self._connection(stream_url, flows[at : at + size], interval) for at in range(0, len(flows), size)]

    def _connection(self, stream_url: str, flows: list[CandleFlow], interval: str) -> StreamConnection:
        by_stream = {f"{flow.symbol.lower()}@kline_{interval}": flow for flow in flows}
        by_stream |= {f"{flow.symbol.lower()}@miniTicker": flow for flow in flows}

        def on_change() -> None:
            for flow in flows:
                flow.is_unsure = True

        door = StreamDoor(
            by_stream,
            self._clock,
            self._rest.refusals,
            self._slots.put,
            on_shutdown=lambda: connection.renew(),
            has_room=lambda: self._slots.has_room,
        )
        self._doors.append(door)
        connection = StreamConnection(
            stream_url,
            list(by_stream),
            on_message=door.take,
            on_change=on_change,
            is_traffic_expected=lambda: any(not flow.is_closed for flow in flows),
        )
        return connection

    def _questions(self) -> Questions:
        return Questions(
            is_live=lambda: self._state() is FeedState.LIVE,
            has_silent_symbols=lambda: any(is_silent(flow, time.monotonic()) for flow in self._flows.values()),
            on_trading=lambda names: self._in_loop(lambda: self._take_trading(names)),
            on_prices=lambda prices: self._in_loop(lambda: self._take_prices(prices)),
            on_failure=self._slots.close,
        )

    def _in_loop(self, action: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody needs it any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action)

    def _on_repair(self, symbol: str, table: np.ndarray | None, refused: int) -> None:
        self._in_loop(lambda: self._take_repair(self._flows[symbol], table, refused))

    # What follows runs on the feed's own thread; nothing else touches the flows.

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._slots.close(error)
            raise

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_up.set()
        works = [
            *(connection.run() for connection in self._connections),
            self._keep_ticking(),
            self._is_stopping.wait(),
        ]
        tasks = [asyncio.ensure_future(work) for work in works]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _keep_ticking(self) -> None:
        while True:
            self._tick(time.monotonic())
            await asyncio.sleep(_TICK_SECONDS)

    def _tick(self, now: float) -> None:
        market_ms, stated_ms, speed = self._clock.now_ms(), self._clock.stated_ms, self._clock.speed
        is_hearing = all(connection.is_hearing for connection in self._connections)
        # With nothing there to answer, questions would only pile up; the watch finds out when there is.
        is_answered = (is_hearing or not self._rest.is_refused) and self._slots.has_room
        flowing = 0
        for flow in self._flows.values():
            if flow.is_unsure and is_hearing:
                flow.resume(stated_ms, now)
            if is_answered and flow.last_ms is not None and flow.is_due(now, market_ms, speed):
                flow.is_repairing = True
                self._count_gap(flow, flow.is_missing, flow.last_ms + flow.interval_ms)
                self._crew.ask(flow.symbol, flow.last_ms + flow.interval_ms)
            flowing += not (flow.is_closed or flow.is_late(market_ms, speed))
        self._slots.expect(flowing)
        if self._mended:
            logger.warning("gaps repaired symbols=%d candles=%d", len(self._mended), sum(self._mended.values()))
            self._mended.clear()

    def _count_gap(self, flow: CandleFlow, is_gap: bool, first_ms: int) -> None:
        if is_gap and flow.has_caught_up and flow.gap_since is None:
            flow.gap_since = first_ms, self._clock.now_ms()
            self._gaps_found += 1

    def _take_repair(self, flow: CandleFlow, table: np.ndarray | None, refused: int) -> None:
        flow.is_repairing, now = False, time.monotonic()
        if table is None or flow.last_ms is None:
            flow.postpone(now)
            return
        hole_ms, next_ms = flow.hole_ms, flow.last_ms + flow.interval_ms
        ready = flow.take_repair(table, now, refused)
        self._slots.put(ready)
        self._count_gap(flow, any(is_repair for _, is_repair in ready), next_ms)
        if flow.is_missing:
            return
        if flow.gap_since is not None:
            self._end_gap(flow, *flow.gap_since, is_repaired=flow.hole_ms == hole_ms)
            self._mended[flow.symbol] = len(ready)
        flow.has_caught_up = True

    def _end_gap(self, flow: CandleFlow, from_ms: int, found_ms: int, *, is_repaired: bool) -> None:
        flow.gap_since = None
        self._gaps_repaired += is_repaired
        to_ms = max(flow.repaired_ms or 0, from_ms) + flow.interval_ms
        self._slots.note(Gap(flow.symbol, from_ms, to_ms, found_ms, self._clock.now_ms(), is_repaired))

    def _take_trading(self, names: set[str]) -> None:
        for flow in self._flows.values():
            flow.is_closed = flow.symbol not in names

    def _take_prices(self, prices: dict[str, float]) -> None:
        now = time.monotonic()
        for flow in self._flows.values():
            if flow.symbol in prices and is_silent(flow, now):
                flow.price = prices[flow.symbol]
                flow.replaced_seconds = now

"""The door stream events come in by: the newest of each stream is decoded, checked, and put to its symbol.

A closing event is taken at once. Of everything else a newer state replaces the one that still waits unread: with
little traffic each is read as soon as the socket is empty, with much of it reading takes a twentieth of the time.
"""

import asyncio
import time
from collections.abc import Callable

from data.candle_door import to_ms
from data.candle_flow import LATE_SECONDS, CandleFlow
from data.frames import ACCEPTED, SHUTDOWN, Event, Kline, decode_frame, kind_of
from data.refusals import Refusals
from data.stream_lag import StreamLag
from data.unreadable import UNREADABLE
from market.candles import LAST_VALID_MS, MAX_PRICE, Candle, refusal
from utils.clock import MarketClock

_HEAD = b'{"stream":"'
_NOT_FINAL = b'"x":f'
_LONG_READING_SECONDS = 0.001  # longer than this is a crowd: others get their turn before the next one
_REST = 20.0  # times the length of a long reading, until the next one begins

# A closing event may be stamped this much before the end of its candle.
_EARLY_MS = 1_000
_LEAST_PRICE = 1 / MAX_PRICE  # so that the ratio of two prices is a number


class StreamDoor:
    """Takes whole messages of the streams of some symbols; what is ready goes to `on_ready`, oldest first."""

    def __init__(
        self,
        flows: dict[str, CandleFlow],
        clock: MarketClock,
        refusals: Refusals,
        on_ready: Callable[[list[tuple[Candle, bool]]], None],
        on_shutdown: Callable[[], None],
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """Serve the streams that are the keys of `flows`, in the running loop.

        A candle that closes while there is no room is left to be fetched later.
        """
        self._flows = flows
        self._clock = clock
        self._refusals = refusals
        self._on_ready = on_ready
        self._on_shutdown = on_shutdown
        self._has_room = has_room
        # A message that begins so may wait; one of a candle only if it says that the candle is still open.
        self._is_always_open = {_HEAD + name.encode(): "@kline_" not in name for name in flows}
        self._waiting: dict[bytes, bytes] = {}
        self._taken = 0  # states that were put to wait since the last reading
        self.conflated = 0  # states that a newer one replaced unread
        self.lag = StreamLag(clock)
        self._is_called = False
        self._rest_until = 0.0
        self._newest_ms = 0  # event time the clock has not been told of

    def take(self, message: bytes) -> None:
        """Take in one message; whatever it holds, it raises nothing."""
        # 2x over decoding each message, see feed_benchmarks.py::feed_messages
        stream = message[: message.find(b'"', len(_HEAD))]
        is_open = self._is_always_open.get(stream)
        if is_open or (is_open is not None and message.rfind(_NOT_FINAL) > 0):
            self._waiting[stream] = message
            self._taken += 1
            if not self._is_called:
                self._call()
            return
        self._waiting.pop(stream, None)
        self._read(message)
        self._tell_clock()

    def _call(self) -> None:
        self._is_called = True
        loop = asyncio.get_running_loop()
        wait_seconds = self._rest_until - time.monotonic()
        if wait_seconds > 0:
            loop.call_later(wait_seconds, self._read_waiting)
        else:
            loop.call_soon(self._read_waiting)  # after everything that lies in the socket now

    def _read_waiting(self) -> None:
        self._is_called = False
        started = time.monotonic()
        waiting, self._waiting = self._waiting, {}
        self.conflated += self._taken - len(waiting)
        self._taken = 0
        for message in waiting.values():
            self._read(message)
        self._tell_clock()
        ended = time.monotonic()
        if ended - started > _LONG_READING_SECONDS:
            self._rest_until = ended + _REST * (ended - started)

    def _read(self, message: bytes) -> None:
        try:
            frame = decode_frame(message)
        except UNREADABLE:
            self._refusals.add("event of unknown shape")
            return
        flow, event = self._flows.get(frame.stream), frame.data
        if flow is None or event is None:
            self._take_other(message)
            return
        now = flow.message_seconds = time.monotonic()
        event_ms = to_ms(event.E)
        if self._newest_ms < event_ms < LAST_VALID_MS:
            self._newest_ms = event_ms
        if event.k is None:
            self._take_ticker(flow, event)
        elif event.k.x:
            self._take_closed(flow, event.k, event_ms, now)
        else:
            self._take_open(flow, event.k, now)

    def _tell_clock(self) -> None:
        if self._newest_ms:
            self._clock.observe_event(self._newest_ms)
            self.lag.note(self._newest_ms, time.monotonic())
            self._newest_ms = 0

    def _take_other(self, message: bytes) -> None:
        kind = kind_of(message)
        if kind == SHUTDOWN:
            self._on_shutdown()
        elif kind != ACCEPTED:
            self._refusals.add(kind)

    def _take_ticker(self, flow: CandleFlow, event: Event) -> None:
        if not (_is_price(event.c) and _is_price(event.o)):
            self._refusals.add("price out of range")
            return
        flow.price = event.c
        flow.change_24h_percent = (event.c / event.o - 1.0) * 100.0

    def _take_open(self, flow: CandleFlow, kline: Kline, now: float) -> None:
        if not _is_price(kline.c):
            self._refusals.add("price out of range")
            return
        flow.price = kline.c
        open_ms = to_ms(kline.t)
        if flow.is_news(open_ms) and self._is_now(flow, open_ms):
            flow.prove(open_ms, now)

    def _take_closed(self, flow: CandleFlow, kline: Kline, event_ms: int, now: float) -> None:
        open_ms = to_ms(kline.t)
        reason = refusal(open_ms, kline.o, kline.h, kline.l, kline.c, kline.v, flow.interval_ms)
        close_ms = open_ms + flow.interval_ms
        if kline.s != flow.symbol or to_ms(kline.T) != close_ms - 1:
            reason = "not of its stream"
        if reason is None and (close_ms > event_ms + _EARLY_MS or not self._is_now(flow, close_ms)):
            reason = "closed before its end"
        if reason is not None:
            # The candle itself is fetched from REST, as any that does not come.
            self._refusals.add(reason)
            return
        flow.price = kline.c
        if not self._has_room():
            flow.prove(close_ms, now)
            return
        candle = Candle(flow.symbol, open_ms, kline.o, kline.h, kline.l, kline.c, kline.v)
        ready = flow.take_closed(candle, now)
        if ready:
            self._on_ready(ready)

    def _is_now(self, flow: CandleFlow, time_ms: int) -> bool:
        """Return whether such a moment has come, and the candle that opens at it lies on the grid."""
        if (time_ms - (flow.last_ms or time_ms)) % flow.interval_ms:
            return False
        self._tell_clock()
        return time_ms <= self._clock.now_ms() + LATE_SECONDS * 1_000 * self._clock.speed


def _is_price(value: float) -> bool:
    return _LEAST_PRICE <= value <= MAX_PRICE

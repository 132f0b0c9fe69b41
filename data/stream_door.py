"""The door stream events come in by: each is decoded once, checked, and put to its symbol."""

import time
from collections.abc import Callable

from data.candle_door import to_ms
from data.candle_flow import LATE_SECONDS, CandleFlow
from data.frames import ACCEPTED, SHUTDOWN, Event, Kline, decode_frame, kind_of
from data.refusals import Refusals
from data.unreadable import UNREADABLE
from market.candles import LAST_VALID_MS, MAX_PRICE, Candle, refusal
from utils.clock import MarketClock

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
    ) -> None:
        """Serve the streams that are the keys of `flows`."""
        self._flows = flows
        self._clock = clock
        self._refusals = refusals
        self._on_ready = on_ready
        self._on_shutdown = on_shutdown

    def take(self, message: bytes | memoryview) -> None:
        """Take in one message; whatever it holds, it raises nothing."""
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
        if 0 < event_ms < LAST_VALID_MS:
            self._clock.observe_event(event_ms)
        if event.k is None:
            self._take_ticker(flow, event)
        elif event.k.x:
            self._take_closed(flow, event.k, event_ms, now)
        else:
            self._take_open(flow, event.k, now)

    def _take_other(self, message: bytes | memoryview) -> None:
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
        if reason is None and (close_ms > event_ms + _EARLY_MS or not self._is_now(flow, close_ms)):
            reason = "closed before its end"
        if reason is not None:
            # The candle itself is fetched from REST, as any that does not come.
            self._refusals.add(reason)
            return
        flow.price = kline.c
        candle = Candle(flow.symbol, open_ms, kline.o, kline.h, kline.l, kline.c, kline.v)
        ready = flow.take_closed(candle, now)
        if ready:
            self._on_ready(ready)

    def _is_now(self, flow: CandleFlow, time_ms: int) -> bool:
        """Return whether such a moment has come, and the candle that opens at it lies on the grid."""
        if (time_ms - (flow.last_ms or time_ms)) % flow.interval_ms:
            return False
        return time_ms <= self._clock.now_ms() + LATE_SECONDS * 1_000 * self._clock.speed


def _is_price(value: float) -> bool:
    return _LEAST_PRICE <= value <= MAX_PRICE

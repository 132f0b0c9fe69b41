import asyncio

import pytest

from data.candle_flow import CandleFlow
from data.refusals import Refusals
from data.stream_door import StreamDoor
from tests.data.conftest import HandClock
from tests.data.loopback_exchange import START, STEP, candle, kline_frame, ticker_frame


class Doorway:
    """A door of one symbol whose messages all lie in the socket at once."""

    def __init__(self):
        self.flow = CandleFlow("BTCUSDT", STEP, last_ms=START - STEP)
        self.refusals, self.ready, self.market_ms = Refusals(), [], START + STEP
        flows = {"btcusdt@kline_1m": self.flow, "btcusdt@miniTicker": self.flow}
        self.has_room = True
        self.door = StreamDoor(
            flows, HandClock(self), self.refusals, self.ready.extend, lambda: None, lambda: self.has_room
        )

    def take(self, *frames):
        async def arrive():
            for frame in frames:
                self.door.take(frame.encode(errors="surrogateescape"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        asyncio.run(arrive())


def test_of_many_waiting_states_only_the_newest_is_read():
    doorway = Doorway()
    stale = ticker_frame("BTCUSDT", START, close=-1.0)

    doorway.take(stale, stale, ticker_frame("BTCUSDT", START, close=110.0))

    assert doorway.flow.price == 110.0
    assert doorway.door.conflated == 2
    assert doorway.refusals.total == 0


def test_a_closing_event_never_waits_nor_gives_way():
    doorway = Doorway()
    late = kline_frame(candle(0, close=100.5), is_closed=False)

    doorway.take(
        kline_frame(candle(0, close=99.5), is_closed=False),
        kline_frame(candle(0), is_closed=True),
        *[ticker_frame("BTCUSDT", START + STEP)] * 3,
    )
    doorway.take(late)

    assert [one for one, _ in doorway.ready] == [candle(0)]
    assert doorway.door.conflated == 3  # the open state before the close, and two of the three tickers


def test_a_candle_that_closes_while_there_is_no_room_is_missing_until_it_is_fetched():
    doorway = Doorway()
    doorway.has_room = False

    doorway.take(kline_frame(candle(0), is_closed=True))

    assert doorway.ready == []
    assert doorway.flow.is_missing


def test_states_that_waited_are_checked_like_all_others():
    doorway = Doorway()

    doorway.take(ticker_frame("BTCUSDT", START, close=-5.0))

    assert doorway.flow.price is None
    assert doorway.refusals.by_reason() == {"price out of range": 1}


@pytest.mark.parametrize("message", ['{"stream":"\udcff"}', '{"stream":"x","data":{"why":' + "[" * 9_999])
def test_bytes_that_no_decoder_reads_are_an_event_of_unknown_shape(message):
    doorway = Doorway()

    doorway.take(message)

    assert doorway.refusals.by_reason() == {"event of unknown shape": 1}


@pytest.mark.parametrize(("close", "open_"), [(1e308, 5e-324), (1e16, 1.0), (1.0, 1e-300), ("inf", 1.0), ("nan", 1.0)])
def test_a_price_that_cannot_be_one_is_refused(close, open_):
    doorway = Doorway()

    doorway.take(ticker_frame("BTCUSDT", START, close, open_))

    assert doorway.refusals.by_reason() == {"price out of range": 1}
    assert (doorway.flow.price, doorway.flow.change_24h_percent) == (None, None)

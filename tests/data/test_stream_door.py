import pytest

from data.candle_flow import CandleFlow
from data.refusals import Refusals
from data.stream_door import StreamDoor
from tests.data.loopback_exchange import START, STEP, ticker_frame
from utils.clock import MarketClock


@pytest.mark.parametrize("message", [b'{"stream":"\xff"}', b'{"stream":"x","data":{"why":' + b"[" * 9_999])
def test_bytes_that_no_decoder_reads_are_an_event_of_unknown_shape(message):
    refusals = Refusals()
    door = StreamDoor({}, MarketClock(), refusals, on_ready=lambda _: None, on_shutdown=lambda: None)

    door.take(message)

    assert refusals.by_reason() == {"event of unknown shape": 1}


@pytest.mark.parametrize(("close", "open_"), [(1e308, 5e-324), (1e16, 1.0), (1.0, 1e-300), ("inf", 1.0), ("nan", 1.0)])
def test_a_price_that_cannot_be_one_is_refused(close, open_):
    refusals, flow = Refusals(), CandleFlow("BTCUSDT", STEP)
    streams = {"btcusdt@miniTicker": flow}
    door = StreamDoor(streams, MarketClock(), refusals, on_ready=lambda _: None, on_shutdown=lambda: None)

    door.take(ticker_frame("BTCUSDT", START, close, open_).encode())

    assert refusals.by_reason() == {"price out of range": 1}
    assert (flow.price, flow.change_24h_percent) == (None, None)

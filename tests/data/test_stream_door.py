import pytest

from data.refusals import Refusals
from data.stream_door import StreamDoor
from utils.clock import MarketClock


@pytest.mark.parametrize("message", [b'{"stream":"\xff"}', b'{"stream":"x","data":{"why":' + b"[" * 9_999])
def test_bytes_that_no_decoder_reads_are_an_event_of_unknown_shape(message):
    refusals = Refusals()
    door = StreamDoor({}, MarketClock(), refusals, on_ready=lambda _: None, on_shutdown=lambda: None)

    door.take(message)

    assert refusals.by_reason() == {"event of unknown shape": 1}

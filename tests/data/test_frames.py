import gzip
import json

import pytest

from data.frames import ACCEPTED, COMMAND_REFUSED, SHUTDOWN, UNKNOWN, decode_frame, kind_of


@pytest.mark.parametrize("name", ["ws-frames-binance-2021", "ws-frames-binanceUS-2021"])
def test_reads_the_real_frames_as_json_does(shared_data, name):
    lines = gzip.decompress((shared_data / "recorded" / f"{name}.txt.gz").read_bytes()).decode().splitlines()[1:]
    frames = [line.split(": ", 1)[1] for line in lines if '"e":"kline"' in line]

    for text in frames:
        frame, truth = decode_frame(text.encode()), json.loads(text)
        kline, true_kline = frame.data.k, truth["data"]["k"]
        assert frame.stream == truth["stream"]
        assert truth["data"]["E"] == frame.data.E
        assert (kline.t, kline.x) == (true_kline["t"], true_kline["x"])
        assert [kline.o, kline.h, kline.l, kline.c, kline.v] == [float(true_kline[key]) for key in "ohlcv"]
    assert frames


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"result":null,"id":3}', ACCEPTED),
        ('{"error":{"code":2,"msg":"Invalid request"},"id":3}', COMMAND_REFUSED),
        ('{"code":2,"msg":"Invalid request"}', COMMAND_REFUSED),
        ('{"e":"serverShutdown","E":1770123456789}', SHUTDOWN),
        ('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}', SHUTDOWN),
        ('{"stream":"btcusdt@trade","data":{"e":"trade"}}', UNKNOWN),
        ('[{"e":"24hrMiniTicker"}]', UNKNOWN),
        ("{}", UNKNOWN),
        ("<html>", UNKNOWN),
    ],
)
def test_tells_what_other_messages_are(text, kind):
    assert kind_of(text.encode()) == kind

import json
import time

import pytest

from data.binance_feed import BinanceFeed
from data.binance_rest import BinanceRest
from tests.data.loopback_exchange import START, STEP, candle, kline_frame, ticker_frame

BOTH = ("BTCUSDT", "ETHUSDT")


def close(exchange, number, symbols=BOTH, is_sent=True):
    """Close candle `number` in REST, and tell it to the streams; then the next one opens."""
    exchange.close_candle(number, symbols)
    if is_sent:
        exchange.send(*(kline_frame(candle(number, symbol), is_closed=True) for symbol in symbols))


def open_next(exchange, number, symbols=BOTH):
    event_ms = candle(number).open_ms + 2_000
    exchange.send(*(kline_frame(candle(number, symbol), is_closed=False, event_ms=event_ms) for symbol in symbols))


def connected(exchange, count=1):
    exchange.wait_for(lambda: len(exchange.streams) >= count)


def numbers(candles):
    return [(one.open_ms - START) // STEP for one in candles]


def test_hands_out_closed_candles_of_one_time_together(exchange, run_feed):
    close(exchange, 0, is_sent=False)
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    open_next(exchange, 1)

    close(exchange, 1)

    harvest.wait_for(lambda: len(harvest.candles) == 2)
    assert harvest.candles == [candle(1, "BTCUSDT"), candle(1, "ETHUSDT")]
    assert not harvest.repaired
    assert feed.status()["state"] == "live"


def test_says_how_far_the_newest_events_are_behind(exchange, run_feed):
    feed, harvest = run_feed()
    connected(exchange)
    assert feed.status()["lag_s"] is None
    exchange.market_ms = START + 10_000

    exchange.send(ticker_frame("BTCUSDT", START + 6_800))

    harvest.wait_for(lambda: 0 < (feed.status()["lag_s"] or 0) <= 3.2)
    assert feed.status()["renewals"] == 0


def test_subscribes_in_one_url(exchange, run_feed):
    run_feed()
    connected(exchange)

    assert set(exchange.streams[0].split("/")) == {
        f"{name.lower()}@{stream}" for name in BOTH for stream in ("kline_1m", "miniTicker")
    }
    assert exchange.said == []


def test_tells_newest_price_and_change(exchange, run_feed):
    feed, harvest = run_feed()
    connected(exchange)
    close(exchange, 0)

    exchange.send(ticker_frame("BTCUSDT", START + STEP, close=110.0, open_=100.0))

    harvest.wait_for(lambda: feed.open_state().get("BTCUSDT") == 110.0)
    row = feed.status()["symbols"][0]
    assert row["change_24h_percent"] == pytest.approx(10.0)
    assert row["last_candle_open_ms"] == START


def test_fetches_what_closed_before_the_first_connection(exchange, run_feed):
    for number in range(5):
        close(exchange, number, is_sent=False)
    feed, harvest = run_feed(last_number=1)
    connected(exchange)
    open_next(exchange, 5)

    harvest.wait_for(lambda: len(harvest.candles) == 6)

    assert numbers(harvest.of("BTCUSDT")) == [2, 3, 4]
    assert harvest.repaired == {(symbol, candle(number).open_ms) for symbol in BOTH for number in (2, 3, 4)}
    assert feed.status()["gaps_found"] == 0


def test_comes_back_after_a_cut_and_fills_the_gap_in_order(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)
    harvest.wait_for(lambda: len(harvest.candles) == 2)

    exchange.cut()
    for number in (2, 3):
        close(exchange, number, is_sent=False)
    connected(exchange, 2)
    close(exchange, 4)

    harvest.wait_for(lambda: len(harvest.candles) == 8)
    assert numbers(harvest.of("BTCUSDT")) == [1, 2, 3, 4]
    assert numbers(harvest.of("ETHUSDT")) == [1, 2, 3, 4]
    assert ("BTCUSDT", candle(4).open_ms) not in harvest.repaired
    harvest.wait_for(lambda: feed.status()["gaps_repaired"] == 2)
    harvest.wait_for(lambda: feed.status()["reconnects"] == 1)
    assert feed.status()["gaps_found"] == 2
    harvest.wait_for(lambda: len(harvest.gaps) == 2)
    spans = {(gap.symbol, gap.from_ms, gap.to_ms, gap.is_repaired) for gap in harvest.gaps}
    assert spans == {(symbol, candle(2).open_ms, candle(4).open_ms, True) for symbol in BOTH}


def test_a_cut_within_one_candle_is_no_gap(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)
    open_next(exchange, 2)
    harvest.wait_for(lambda: len(harvest.candles) == 2)

    exchange.cut()
    connected(exchange, 2)
    open_next(exchange, 2)
    close(exchange, 2)

    harvest.wait_for(lambda: len(harvest.candles) == 4)
    assert not harvest.repaired
    assert feed.status()["gaps_found"] == 0


def test_a_candle_that_closed_while_the_line_was_cut_is_fetched_at_once(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)
    harvest.wait_for(lambda: len(harvest.candles) == 2)

    exchange.cut()
    close(exchange, 2, is_sent=False)
    connected(exchange, 2)
    exchange.send(ticker_frame("BTCUSDT", exchange.market_ms + 500))

    harvest.wait_for(lambda: len(harvest.candles) == 4)
    assert harvest.repaired == {(symbol, candle(2).open_ms) for symbol in BOTH}
    harvest.wait_for(lambda: feed.status()["gaps_repaired"] == 2)


def test_a_lost_closing_event_is_replaced_by_rest(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)

    close(exchange, 2, symbols=["ETHUSDT"])
    exchange.close_candle(2, ["BTCUSDT"])
    open_next(exchange, 3)

    harvest.wait_for(lambda: len(harvest.candles) == 4)
    assert harvest.repaired == {("BTCUSDT", candle(2).open_ms)}
    harvest.wait_for(lambda: feed.status()["gaps_repaired"] == 1)


def test_newer_candles_wait_for_the_repair_and_others_do_not(exchange, run_feed):
    _, harvest = run_feed(last_number=0)
    connected(exchange)
    exchange.answers["klines"].extend([(502, b"<html>", {})] * 2)
    exchange.close_candle(1, BOTH)

    close(exchange, 1, symbols=["ETHUSDT"])
    close(exchange, 2)

    harvest.wait_for(lambda: len(harvest.candles) == 4)
    assert numbers(harvest.of("BTCUSDT")) == [1, 2]
    assert numbers(harvest.of("ETHUSDT")) == [1, 2]
    assert harvest.candles.index(candle(2, "ETHUSDT")) < harvest.candles.index(candle(2, "BTCUSDT"))


def test_a_candle_the_exchange_never_had_does_not_stop_the_flow(exchange, run_feed):
    feed, harvest = run_feed(last_number=0, warm_candles=10)
    connected(exchange)
    close(exchange, 1)

    close(exchange, 3)

    harvest.wait_for(lambda: len(harvest.candles) == 4)
    assert numbers(harvest.of("BTCUSDT")) == [1, 3]
    status = feed.status()
    assert (status["gaps_found"], status["gaps_repaired"]) == (2, 0)
    harvest.wait_for(lambda: len(harvest.gaps) == 2)
    assert [(gap.from_ms, gap.to_ms, gap.is_repaired) for gap in harvest.gaps] == [
        (candle(2).open_ms, candle(3).open_ms, False)
    ] * 2

    def states():
        exchange.send(ticker_frame("BTCUSDT", exchange.market_ms))
        return [row["state"] for row in feed.status()["symbols"]]

    harvest.wait_for(lambda: states() == ["gapped", "gapped"])


@pytest.mark.parametrize(
    "frame",
    [
        "<html>",
        '{"stream":"btcusdt@kline_1m","data":{"e":"kline","k":{"t":"soon"}}}',
        '{"stream":"btcusdt@kline_1m","data":[]}',
        '{"stream":"nobody@trade","data":{"e":"trade"}}',
        '{"e":"fromTomorrow"}',
        "[]",
        "",
        kline_frame(candle(1, close=1e9), is_closed=True),
        kline_frame(candle(50), is_closed=True, event_ms=START + STEP + 2_000),
        kline_frame(candle(1), is_closed=True, event_ms=START + STEP),
        kline_frame(candle(1), is_closed=True).replace('"s":"BTCUSDT"', '"s":"ETHUSDT"'),
        kline_frame(candle(1), is_closed=True).replace(f'"T":{START + 2 * STEP - 1}', f'"T":{START + 5 * STEP - 1}'),
        kline_frame(candle(2), is_closed=False).replace('"c":"', '"c":"-'),
    ],
)
def test_odd_frames_are_counted_and_move_nothing(exchange, run_feed, frame):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    open_next(exchange, 1)

    exchange.send(frame)
    harvest.wait_for(lambda: feed.status()["rejected_rows"] == 1)
    close(exchange, 1)

    harvest.wait_for(lambda: len(harvest.candles) == 2)
    assert harvest.candles == [candle(1, "BTCUSDT"), candle(1, "ETHUSDT")]
    assert feed.status()["rejected_rows"] == 1


def test_repeated_and_late_candles_are_ignored(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)
    close(exchange, 2)

    close(exchange, 1)
    exchange.send(kline_frame(candle(2, close=99.5), is_closed=True))
    close(exchange, 3)

    harvest.wait_for(lambda: numbers(harvest.of("ETHUSDT")) == [1, 2, 3])
    harvest.wait_for(lambda: len(harvest.candles) == 6)
    assert harvest.of("BTCUSDT") == [candle(1), candle(2), candle(3)]
    assert feed.status()["gaps_found"] == 0


def test_puts_fragments_together_and_answers_pings(exchange, run_feed):
    _, harvest = run_feed(last_number=0)
    connected(exchange)
    whole = kline_frame(candle(1), is_closed=True)
    exchange.close_candle(1)

    exchange.send_fragments([whole[:10], whole[10:200], whole[200:]])
    exchange.ping(b"1700000000")
    exchange.send(kline_frame(candle(1, "ETHUSDT"), is_closed=True))

    harvest.wait_for(lambda: len(harvest.candles) == 2)
    exchange.wait_for(lambda: b"1700000000" in exchange.said)


def test_a_silent_stream_is_dropped_and_replaced(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)
    started = time.monotonic()

    connected(exchange, 2)

    assert 4.0 < time.monotonic() - started < 20
    harvest.wait_for(lambda: feed.status()["reconnects"] == 1)


def test_a_shutdown_notice_brings_a_new_connection_at_once(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)

    exchange.send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1700000000000}}')

    connected(exchange, 2)
    close(exchange, 2)
    harvest.wait_for(lambda: len(harvest.candles) == 4)
    exchange.wait_for(lambda: len(exchange.open_sockets()) == 1)
    close(exchange, 3)
    harvest.wait_for(lambda: len(harvest.candles) == 6)
    status = feed.status()
    assert (status["rejected_rows"], status["gaps_found"], status["reconnects"]) == (0, 0, 0)
    assert status["state"] == "live"


def test_frames_written_with_spaces_are_understood(exchange, run_feed):
    _, harvest = run_feed(last_number=0)
    connected(exchange)

    exchange.close_candle(1)
    frames = [kline_frame(candle(1, symbol), is_closed=True) for symbol in BOTH]
    exchange.send(*(json.dumps(json.loads(frame)) for frame in frames))

    harvest.wait_for(lambda: len(harvest.candles) == 2)
    assert not harvest.repaired


# Cut off within a handshake, as the end of this test may do it, picows leaves the socket to the end of its loop.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*(StreamTransport|socket.socket)")
def test_a_stream_that_is_sent_elsewhere_is_tried_no_more_often_than_allowed(exchange, run_feed):
    exchange.stream_location = "/stream"
    started = time.monotonic()
    run_feed()

    exchange.wait_for(lambda: exchange.stream_attempts >= 3)

    assert time.monotonic() - started >= 3.0


def test_many_streams_are_subscribed_in_few_messages(exchange, run_feed):
    names = [f"COIN{number:03}USDT" for number in range(300)]
    exchange.symbols = dict.fromkeys(names, "TRADING")
    exchange.candles = {name: {} for name in names}
    run_feed()

    exchange.wait_for(lambda: len(exchange.said) == 3)

    commands = [json.loads(text) for text in exchange.said]
    asked = exchange.streams[0].split("/") + [name for command in commands for name in command["params"]]
    assert sorted(asked) == sorted(f"{name.lower()}@{kind}" for name in names for kind in ("kline_1m", "miniTicker"))
    assert all(len(command["params"]) <= 200 for command in commands)


def test_waits_for_an_exchange_that_is_not_there_yet(exchange, run_feed):
    exchange.shut()
    feed, harvest = run_feed()
    harvest.wait_for(lambda: feed.status()["state"] == "down")

    exchange.open()

    connected(exchange)
    close(exchange, 0)
    harvest.wait_for(lambda: len(harvest.candles) == 2)
    assert feed.status()["state"] == "live"


# A client let in while the test's own server shuts its door leaves a socket behind on the server's side.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*(_SelectorTransport|socket.socket)")
def test_says_stale_and_then_down_when_the_exchange_goes_away(exchange, run_feed):
    feed, harvest = run_feed(last_number=0)
    connected(exchange)
    close(exchange, 1)
    harvest.wait_for(lambda: feed.status()["state"] == "live")

    exchange.is_refusing_streams = True
    exchange.cut()
    harvest.wait_for(lambda: feed.status()["state"] == "stale")  # REST still answers
    exchange.shut()
    harvest.wait_for(lambda: feed.status()["state"] == "down")

    assert {row["state"] for row in feed.status()["symbols"]} == {"stale"}
    exchange.is_refusing_streams = False
    exchange.open()
    exchange.wait_for(lambda: exchange.streams)
    connected(exchange, 2)
    open_next(exchange, 2)
    harvest.wait_for(lambda: feed.status()["state"] == "live")


def test_rest_replaces_streams_that_are_refused(exchange, run_feed):
    exchange.is_refusing_streams = True
    _, harvest = run_feed(last_number=0)
    for number in (1, 2):
        exchange.close_candle(number)
    exchange.market_ms += 11_000

    harvest.wait_for(lambda: len(harvest.candles) == 4)

    assert numbers(harvest.of("BTCUSDT")) == [1, 2]


def test_a_symbol_that_does_not_trade_is_closed(exchange, run_feed):
    exchange.symbols["ETHUSDT"] = "HALT"
    feed, harvest = run_feed(last_number=0)
    connected(exchange)

    close(exchange, 1, symbols=["BTCUSDT"])

    harvest.wait_for(lambda: feed.status()["symbols"][1]["state"] == "closed")
    harvest.wait_for(lambda: numbers(harvest.of("BTCUSDT")) == [1])
    assert harvest.of("ETHUSDT") == []


def test_idle_slots_keep_the_loop_beating(exchange, run_feed):
    _, harvest = run_feed()

    harvest.wait_for(lambda: harvest.idle_slots > 3)


def test_a_feed_that_never_started_stops():
    rest = BinanceRest("http://127.0.0.1:1")
    feed = BinanceFeed("ws://127.0.0.1:1", rest, ["BTCUSDT"], "1m")

    feed.stop()

    assert list(feed.slots()) == []
    assert feed.status()["state"] == "connecting"

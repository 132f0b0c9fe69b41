"""The WebSocket side: subscriptions, commands, candles as they close, and connections that end."""

import asyncio
import json
import socket
from itertools import pairwise

import aiohttp
import numpy as np
import pytest

from simulator.coins import EPOCH_MS
from simulator.exchange import Exchange
from simulator.generated_tape import GeneratedTape
from simulator.kline_files import KlineFile
from simulator.klines import KLINES
from simulator.market_clock import MarketClock
from simulator.market_model import market_model
from simulator.messages import text_frame
from simulator.replay_tape import ReplayTape
from simulator.server import Place, running
from simulator.sockets import Patience

START_MS = EPOCH_MS + 900 * 86_400_000 + 43_200_000 + 17_000
DEADLINE_SECONDS = 20.0
FAST, FASTEST = 600, 3_600
BEFORE_MS = START_MS - 20 * 60_000  # two seconds before the first candle of a replay, at FAST


class Visit:
    """One running exchange and one client."""

    def __init__(self, served, session, exchange):
        self.served, self.session, self.exchange = served, session, exchange

    def connect(self, path, **options):
        return self.session.ws_connect(f"{self.served.stream_url}{path}", **options)

    async def get(self, path, **parameters):
        async with self.session.get(f"{self.served.rest_url}/api/v3/{path}", params=parameters) as answer:
            return await answer.json()


def visit(scene, *, speed=60.0, patience=None, tape=None, start_ms=START_MS):
    """Run `scene(visit)` against a running exchange, within the deadline."""

    async def run():
        exchange = Exchange(tape or GeneratedTape(market_model(seed=1, count=4)), MarketClock(start_ms, speed))
        place = Place(patience=patience or Patience())
        async with running(exchange, place) as served, aiohttp.ClientSession() as session:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await scene(Visit(served, session, exchange))

    return asyncio.run(run())


async def received(stream, count, wanted=lambda message: True):
    found = []
    while len(found) < count:
        message = await stream.receive_json()
        if wanted(message):
            found.append(message)
    return found


async def asked(stream, command):
    await stream.send_str(command if isinstance(command, str) else json.dumps(command))
    return (await received(stream, 1, lambda message: "stream" not in message and "e" not in message))[0]


def is_final(message):
    return message.get("data", message).get("k", {}).get("x", False)


def test_bare_streams_in_the_path():
    async def scene(visit):
        async with visit.connect("/ws/btcusdt@kline_1m/ethusdt@kline_1m") as stream:
            return await received(stream, 6)

    events = visit(scene)

    assert {event["s"] for event in events} == {"BTCUSDT", "ETHUSDT"}
    assert all(event["e"] == "kline" and event["k"]["i"] == "1m" for event in events)
    assert list(events[0]["k"]) == list("tTsifLochlvnxqVQB")


def test_combined_streams_are_wrapped():
    async def scene(visit):
        async with visit.connect("/stream?streams=btcusdt@kline_1m/!miniTicker@arr") as stream:
            return await received(stream, 8)

    messages = visit(scene)

    assert all(set(message) == {"stream", "data"} for message in messages)
    assert {message["stream"] for message in messages} == {"btcusdt@kline_1m", "!miniTicker@arr"}


@pytest.mark.parametrize("interval", ["1s", "1m", "3m", "5m", "15m"])
def test_every_closed_candle_is_pushed_once_in_order_and_equals_rest(interval):
    count = 40 if interval == "1s" else 8

    async def scene(visit):
        async with visit.connect(f"/ws/btcusdt@kline_{interval}") as stream:
            finals = await received(stream, count, is_final)
        opens = [event["k"]["t"] for event in finals]
        rows = await visit.get(
            "klines", symbol="BTCUSDT", interval=interval, startTime=opens[0], endTime=opens[-1], limit=1_000
        )
        return finals, rows

    finals, rows = visit(scene, speed=FASTEST if interval.endswith("5m") or interval == "3m" else FAST)

    assert [as_row(event["k"]) for event in finals] == rows
    assert all(event["E"] - event["k"]["T"] - 1 >= 0 for event in finals)


def as_row(candle):
    return [candle[key] for key in "tohlcvTqnVQB"]


def replayed(holes, count=30):
    """Return a market of one symbol, minutes from START_MS's minute on, some of them missing."""
    rows = np.zeros(count, dtype=KLINES)
    rows["open_ms"] = START_MS // 60_000 * 60_000 + np.arange(count) * 60_000
    for name, value in (("open", 10.0), ("high", 12.5), ("low", 9.5), ("close", 11.0), ("volume", 3.0)):
        rows[name] = value
    return ReplayTape([KlineFile("made here", "BTCUSDT", "1m", np.delete(rows, holes))])


def test_a_hole_in_a_replay_sends_no_candle():
    first_ms = START_MS // 60_000 * 60_000

    async def scene(visit):
        async with visit.connect("/ws/btcusdt@kline_1m") as stream:
            finals = await received(stream, 10, is_final)
        return [(event["k"]["t"] - first_ms) // 60_000 for event in finals]

    assert visit(scene, speed=FAST, tape=replayed(holes=[4, 5]), start_ms=BEFORE_MS) == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]


def test_when_the_data_end_the_market_halts_and_the_last_candle_was_pushed():
    async def scene(visit):
        async with visit.connect("/stream?streams=btcusdt@kline_1m/btcusdt@miniTicker") as stream:
            finals = await received(stream, 30, is_final)
            status = await visit.get("exchangeInfo", symbol="BTCUSDT")
            rows = await visit.get("klines", symbol="BTCUSDT", interval="1m")
            late = await asked(stream, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
        return finals, status["symbols"][0]["status"], rows, late

    finals, status, rows, late = visit(scene, speed=FAST, tape=replayed(holes=[]), start_ms=BEFORE_MS)

    assert [as_row(event["data"]["k"]) for event in finals] == rows
    assert (status, len(late["result"])) == ("BREAK", 2)


def test_an_open_candle_is_shown_between_two_closes_and_never_after_its_close():
    async def scene(visit):
        async with visit.connect("/ws/btcusdt@kline_1m") as stream:
            return await received(stream, 10)

    events = visit(scene)

    opens = [event["k"]["t"] for event in events]
    assert opens == sorted(opens)
    for earlier, later in pairwise(events):
        assert is_final(earlier) == (later["k"]["t"] > earlier["k"]["t"])
    assert any(not is_final(event) for event in events)


def test_tickers_quotes_and_trades_have_binances_fields():
    streams = ("btcusdt@miniTicker", "btcusdt@ticker", "btcusdt@bookTicker", "btcusdt@aggTrade")

    async def scene(visit):
        async with visit.connect(f"/stream?streams={'/'.join(streams)}") as stream:
            return {message["stream"]: message["data"] for message in await received(stream, 8)}

    events = visit(scene)

    assert set(events) == set(streams)
    assert "".join(events["btcusdt@miniTicker"]) == "eEscohlvq"
    assert "".join(events["btcusdt@ticker"]) == "eEspPwxcQbBaAohlvqOCFLn"
    assert "".join(events["btcusdt@bookTicker"]) == "usbBaA"
    assert "".join(events["btcusdt@aggTrade"]) == "eEsapqflTmM"


def test_a_client_may_subscribe_and_unsubscribe_and_ask():
    async def scene(visit):
        async with visit.connect("/ws") as stream:
            answers = [await asked(stream, {"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 7})]
            events = await received(stream, 1)
            answers.append(await asked(stream, {"method": "LIST_SUBSCRIPTIONS", "id": 8}))
            answers.append(await asked(stream, {"method": "UNSUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": "x"}))
            answers.append(await asked(stream, {"method": "LIST_SUBSCRIPTIONS", "id": None}))
        return answers, events

    answers, events = visit(scene)

    assert answers == [
        {"result": None, "id": 7},
        {"result": ["btcusdt@kline_1m"], "id": 8},
        {"result": None, "id": "x"},
        {"result": [], "id": None},
    ]
    assert events[0]["s"] == "BTCUSDT"


def test_the_envelope_is_a_property():
    async def scene(visit):
        async with visit.connect("/ws/btcusdt@kline_1m") as stream:
            before = await asked(stream, {"method": "GET_PROPERTY", "params": ["combined"], "id": 1})
            done = await asked(stream, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 2})
            wrapped = await received(stream, 1, lambda message: "stream" in message)
        return before, done, wrapped

    before, done, wrapped = visit(scene)

    assert (before["result"], done["result"]) == (False, None)
    assert wrapped[0]["stream"] == "btcusdt@kline_1m"


@pytest.mark.parametrize(
    ("command", "code", "identity"),
    [
        ("{not json", 3, None),
        ("[]", 2, None),
        ("[" * 9_999, 3, None),
        ({"id": 1}, 2, 1),
        ({"method": "DANCE", "id": 2}, 2, 2),
        ({"method": "SUBSCRIBE", "id": 3}, 2, 3),
        ({"method": "SUBSCRIBE", "params": ["no stream"], "id": 4}, 2, 4),
        ({"method": "SUBSCRIBE", "params": [5], "id": 5}, 2, 5),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 1.5}, 2, None),
        ({"method": "SUBSCRIBE", "params": [f"s{n}@kline_1m" for n in range(1_025)], "id": 6}, 2, 6),
        ({"method": "SET_PROPERTY", "params": ["colour", True], "id": 7}, 0, 7),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 8}, 1, 8),
    ],
)
def test_what_cannot_be_done_is_answered_by_an_error(command, code, identity):
    async def scene(visit):
        async with visit.connect("/ws") as stream:
            return await asked(stream, command)

    answer = visit(scene)

    assert answer["error"]["code"] == code and answer["error"]["msg"]
    assert answer.get("id") == identity


@pytest.mark.parametrize("silent", ["nosuchusdt@kline_1m", "BTCUSDT@kline_1m", "BTCUSDT@bookTicker"])
def test_a_stream_that_does_not_exist_is_accepted_and_silent(silent):
    async def scene(visit):
        async with visit.connect(f"/stream?streams={silent}/btcusdt@kline_1m") as stream:
            return await received(stream, 3)

    assert {message["stream"] for message in visit(scene)} == {"btcusdt@kline_1m"}


def test_times_can_be_microseconds():
    async def scene(visit):
        async with visit.connect("/stream?streams=btcusdt@kline_1m&timeUnit=MICROSECOND") as stream:
            return (await received(stream, 1))[0]["data"]

    event = visit(scene)

    assert event["E"] > 10**15 and event["k"]["T"] - event["k"]["t"] == 59_999_999


def test_five_messages_a_second_pass_and_the_sixth_ends_the_connection():
    async def scene(visit):
        async with visit.connect("/ws") as stream:
            for number in range(6):
                await stream.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            answers = 0
            while (message := await stream.receive()).type is aiohttp.WSMsgType.TEXT:
                answers += 1
            return answers, message.data

    assert visit(scene) == (5, 1008)


def test_more_than_1024_streams_in_the_address_are_refused():
    async def scene(visit):
        async with visit.connect(f"/ws/{'/'.join(f'{n}@t' for n in range(1_025))}") as stream:
            return (await stream.receive()).data

    assert visit(scene) == 1008


def test_the_server_pings_and_keeps_who_answers():
    async def scene(visit):
        async with visit.connect("/ws", autoping=False) as stream:
            for number in range(12):
                ping = await stream.receive()
                assert ping.type is aiohttp.WSMsgType.PING and ping.data
                if number % 4 == 3:  # a pong answers the pings before it too, and counts as a message
                    await stream.pong(ping.data)
            return stream.closed

    assert visit(scene, patience=Patience(ping_seconds=0.1, pong_seconds=0.9)) is False


def test_who_does_not_answer_pings_is_cut():
    async def scene(visit):
        async with visit.connect("/ws", autoping=False) as stream:
            kinds = set()
            while not stream.closed:
                kinds.add((await stream.receive()).type)
            return kinds

    assert aiohttp.WSMsgType.PING in visit(scene, patience=Patience(ping_seconds=0.1, pong_seconds=0.3))


def test_pings_of_the_client_are_answered():
    async def scene(visit):
        async with visit.connect("/ws", autoping=False) as stream:
            await stream.ping(b"hello")
            return await stream.receive()

    answer = visit(scene)

    assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"hello")


def test_a_connection_ends_at_its_age():
    async def scene(visit):
        async with visit.connect("/ws/btcusdt@kline_1m") as stream:
            async for _ in stream:
                pass
            return stream.close_code

    assert visit(scene, patience=Patience(connection_seconds=0.5)) == 1001


def test_a_reader_that_takes_nothing_does_not_hold_up_the_others():
    async def scene(visit):
        stalled = await raw_subscriber(visit, "/stream?streams=" + "/".join(f"{s}@kline_1s" for s in SYMBOLS))
        async with visit.connect("/ws/btcusdt@kline_1m") as stream:
            finals = await received(stream, 20, is_final)
        stalled.close()
        return [event["k"]["t"] for event in finals]

    opens = visit(scene, speed=FASTEST)

    assert np.diff(opens).tolist() == [60_000] * 19


SYMBOLS = ("btcusdt", "ethusdt", "walkusdt", "edgeusdt")


async def raw_subscriber(visit, path):
    """Return a socket that has asked for streams and never reads."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, (visit.served.host, visit.served.port))
    request = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await loop.sock_sendall(plain, request.encode())
    return plain


@pytest.mark.parametrize(("size", "header"), [(5, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_frames_have_the_header_of_their_length(size, header):
    frame = text_frame("x" * size)

    assert frame[0] == 0x81 and len(frame) == header + size

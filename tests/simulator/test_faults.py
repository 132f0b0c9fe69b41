"""Faults on demand: each does what it says for as long as it was asked to, and leaves the exchange as it was."""

import asyncio
import json
import time

import aiohttp
import pytest

from market.errors import ConfigError
from market.intervals import MINUTE_MS
from simulator.coins import EPOCH_MS
from simulator.faults.catalogue import KINDS, read_orders, read_scenario
from simulator.faults.market import UnreliableExchange
from simulator.generated_tape import GeneratedTape
from simulator.market_clock import MarketClock
from simulator.market_model import market_model
from simulator.server import Place, running
from tests.simulator.test_main import command
from tests.simulator_process import CHECKOUT, SimulatorProcess

START_MS = EPOCH_MS + 900 * 86_400_000 + 43_200_000
DEADLINE_SECONDS = 30.0
STREAMS = "/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m"


class Visit:
    """A running exchange that takes orders, and one client."""

    def __init__(self, served, session):
        self.served, self.session = served, session

    async def order(self, *faults):
        async with self.session.post(f"{self.served.rest_url}/_faults", json=list(faults)) as answer:
            return answer.status, await answer.json()

    async def told(self):
        async with self.session.get(f"{self.served.rest_url}/_faults") as answer:
            return await answer.json()

    async def ended(self, kind):
        while True:
            past = [fault for fault in (await self.told())["past"] if fault["fault"] == kind]
            if past:
                return past[0]
            await asyncio.sleep(0.02)

    async def get(self, path, **parameters):
        async with self.session.get(f"{self.served.rest_url}/api/v3/{path}", params=parameters) as answer:
            return answer.status, answer.headers, await answer.text()

    def connect(self):
        return self.session.ws_connect(f"{self.served.stream_url}{STREAMS}")


def visit(scene, speed=600, scenario=()):
    async def run():
        exchange = UnreliableExchange(GeneratedTape(market_model(seed=1, count=4)), MarketClock(START_MS, speed))
        place = Place(scenario=tuple(scenario), is_controlled=True)
        async with running(exchange, place) as served, aiohttp.ClientSession() as session:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await scene(Visit(served, session))

    return asyncio.run(run())


async def events(stream, count):
    """Return so many events, those of a fault and of the market alike."""
    found = []
    while len(found) < count:
        message = await stream.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return found, message
        found.append(message.data)
    return found, None


async def closes(stream, count):
    found = []
    while len(found) < count:
        event = json.loads(await stream.receive_str())["data"]["k"]
        found += [event] if event["x"] else []
    return found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_ends_and_leaves_a_whole_exchange(kind):
    async def scene(visit):
        async with visit.connect():
            status, said = await visit.order({"fault": kind, "for_seconds": 0.2})
            assert (status, said) == (200, {"ordered": 1})
            await asyncio.sleep(0.25)  # the port may be shut for that long
            await visit.ended(kind)
        async with visit.connect() as stream:
            closed = await closes(stream, 4)
        answers = [await visit.get(path) for path in ("time", "exchangeInfo", "ticker/price")]
        return closed, answers

    closed, answers = visit(scene)

    assert {event["s"] for event in closed} == {"BTCUSDT", "ETHUSDT"}
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert "BTCUSDT" in answers[1][2] and "PHASE_OF_THE_MOON" not in answers[1][2]


@pytest.mark.parametrize(
    ("order", "status", "is_json"),
    [
        ({"fault": "server_error", "status": 503, "body": "json"}, 503, True),
        ({"fault": "server_error", "status": 502}, 502, False),
        ({"fault": "too_many_requests", "retry_after": 7}, 429, True),
        ({"fault": "banned", "retry_after": 7}, 418, True),
        ({"fault": "page"}, 200, False),
        ({"fault": "truncated"}, 200, False),
        ({"fault": "strange_body", "body": "null"}, 200, True),
    ],
)
def test_answers_are_spoiled_on_the_path_it_names(order, status, is_json):
    async def scene(visit):
        await visit.order({**order, "path": "time", "for_seconds": 20})
        return await visit.get("time"), await visit.get("ping")

    spoiled, other = visit(scene)

    assert spoiled[0] == status
    assert other[0] == 200 and other[2] == "{}"
    if "retry_after" in order:
        assert spoiled[1]["Retry-After"] == "7"
    assert is_readable(spoiled[2]) is is_json


def is_readable(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_who_does_not_wait_as_long_as_he_was_told_is_counted():
    async def scene(visit):
        await visit.order({"fault": "banned", "retry_after": 20, "for_seconds": 0.2})
        await visit.get("time")
        await asyncio.sleep(0.7)  # what may have been on its way does not count
        await visit.get("time")
        return await visit.told()

    assert visit(scene)["disobeyed"] == 1


def test_the_time_jumps_in_rest_and_comes_back():
    async def scene(visit):
        before = json.loads((await visit.get("time"))[2])["serverTime"]
        await visit.order({"fault": "clock_skew", "seconds": -3_600, "for_seconds": 0.3})
        during = json.loads((await visit.get("time"))[2])["serverTime"]
        await visit.ended("clock_skew")
        return before, during, json.loads((await visit.get("time"))[2])["serverTime"]

    before, during, after = visit(scene, speed=1)

    assert during < before <= after


@pytest.mark.parametrize("how", ["nan", "infinity", "negative", "zero", "crossed", "off_grid", "null"])
def test_a_bad_candle_is_bad_in_rest_and_in_the_stream(how):
    async def scene(visit):
        rows = json.loads((await visit.get("klines", symbol="BTCUSDT", interval="1m", limit=3))[2])
        async with visit.connect() as stream:
            await visit.order({"fault": "bad_candles", "how": how, "for_seconds": 20})
            bad = json.loads((await visit.get("klines", symbol="BTCUSDT", interval="1m", limit=3))[2])
            return rows, bad, await closes(stream, 1)

    rows, bad, (event,) = visit(scene)

    assert is_honest(*rows[0][:5]) and not is_honest(*bad[0][:5])
    assert not is_honest(*(event[key] for key in "tohlc"))


def is_honest(open_ms, open_, high, low, close):
    if close is None or open_ms % MINUTE_MS:
        return False
    values = [float(text) for text in (open_, high, low, close)]
    return all(0 < value < 1e15 for value in values) and values[2] == min(values) and values[1] == max(values)


def test_missing_candles_are_missing_for_ever_and_everywhere():
    async def scene(visit):
        async with visit.connect() as stream:
            await visit.order({"fault": "missing", "symbol": "BTCUSDT", "for_seconds": 0.5})
            closed = await closes(stream, 30)
        (span,) = (await visit.told())["missing"]
        rows = json.loads((await visit.get("klines", symbol="BTCUSDT", interval="1m", limit=100))[2])
        return closed, span, rows

    closed, span, rows = visit(scene)

    def is_gone(open_ms):
        return span["from_ms"] <= open_ms < span["to_ms"]

    assert span["symbol"] == "BTCUSDT" and span["to_ms"] - span["from_ms"] >= MINUTE_MS
    assert not any(is_gone(event["t"]) for event in closed if event["s"] == "BTCUSDT")
    assert any(is_gone(event["t"]) for event in closed if event["s"] == "ETHUSDT")
    assert not any(is_gone(row[0]) for row in rows) and rows[-1][0] >= span["to_ms"] - MINUTE_MS


def test_a_halted_symbol_has_the_word_and_no_candles():
    async def scene(visit):
        await visit.order({"fault": "halt", "symbol": "ETHUSDT", "status": "LUNCH", "for_seconds": 1})
        during = json.loads((await visit.get("exchangeInfo", symbol="ETHUSDT"))[2])
        await visit.ended("halt")
        return during, json.loads((await visit.get("exchangeInfo", symbol="ETHUSDT"))[2]), await visit.told()

    during, after, told = visit(scene)

    assert [info["symbols"][0]["status"] for info in (during, after)] == ["LUNCH", "TRADING"]
    assert told["missing"][0]["symbol"] == "ETHUSDT"


def test_a_delisted_symbol_is_unknown_and_listed_again():
    async def scene(visit):
        await visit.order({"fault": "delist", "symbol": "ETHUSDT", "for_seconds": 0.5})
        during = await visit.get("klines", symbol="ETHUSDT", interval="1m")
        await visit.ended("delist")
        return during, await visit.get("klines", symbol="ETHUSDT", interval="1m")

    during, after = visit(scene)

    assert during[0] == 400 and "-1121" in during[2]
    assert after[0] == 200


@pytest.mark.parametrize(("order", "code"), [({"fault": "reset"}, None), ({"fault": "close", "code": 1000}, 1000)])
def test_streams_end_as_ordered(order, code):
    async def scene(visit):
        async with visit.connect() as stream:
            await visit.order(order)
            _, last = await events(stream, 10_000)
            return last, stream.close_code

    last, seen = visit(scene)

    assert last.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert seen == code if code else seen != 1000


def test_a_half_open_stream_is_silent_for_ever_and_the_next_one_is_not():
    async def scene(visit):
        async with visit.connect() as deaf:
            await visit.order({"fault": "half_open"})
            await visit.ended("half_open")
            async with visit.connect() as other:
                await closes(other, 10)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:  # what was on its way arrives
                        await deaf.receive()
            return not deaf.closed

    assert visit(scene)


def test_a_refused_port_is_shut_and_opens_again():
    async def scene(visit):
        await visit.order({"fault": "refused", "for_seconds": 0.6})
        await asyncio.sleep(0.1)
        async with aiohttp.ClientSession() as stranger:
            with pytest.raises(aiohttp.ClientConnectorError):
                await stranger.get(f"{visit.served.rest_url}/api/v3/ping")
        await asyncio.sleep(0.6)
        return await visit.get("ping")

    assert visit(scene)[0] == 200


def test_one_side_alone_can_be_refused():
    async def scene(visit):
        await visit.order({"fault": "refused", "side": "stream", "for_seconds": 20})
        with pytest.raises(aiohttp.ClientError):
            await visit.connect()
        return await visit.get("ping")

    assert visit(scene)[0] == 200


def test_a_shutdown_is_announced_before_the_cut():
    async def scene(visit):
        async with visit.connect() as stream:
            await visit.order({"fault": "shutdown", "notice_seconds": 0.3})
            found, last = await events(stream, 10_000)
            return [text for text in found if "serverShutdown" in text], last

    notices, last = visit(scene)

    assert len(notices) == 1 and last is not None


def test_events_come_twice_out_of_order_or_marked_closed():
    async def scene(visit):
        found = {}
        for kind in ("duplicate", "disorder", "closed_early"):
            async with visit.connect() as stream:
                await visit.order({"fault": kind, "for_seconds": 1.5, "symbol": "BTCUSDT"})
                texts, _ = await events(stream, 60)
                found[kind] = [event for event in (json.loads(text)["data"] for text in texts) if event["s"][0] == "B"]
        return found

    found = visit(scene)

    finals = [event["k"]["t"] for event in found["duplicate"] if event["k"]["x"]]
    assert len(finals) > len(set(finals))
    stamps = [event["E"] for event in found["disorder"]]
    assert stamps != sorted(stamps)
    assert any(event["k"]["x"] and event["E"] < event["k"]["T"] - 2_000 for event in found["closed_early"])


def test_a_scenario_plays_at_market_time():
    faults = read_orders(json.dumps({"fault": "banned", "at": "2025-06-19T12:20:00Z", "for_seconds": 20}))
    assert faults[0].at_ms == START_MS + 20 * MINUTE_MS

    async def scene(visit):
        before = (await visit.get("ping"))[0]
        while (after := (await visit.get("ping"))[0]) == before:
            await asyncio.sleep(0.05)
        return before, after

    assert visit(scene, scenario=faults) == (200, 418)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ("[1]", "1 is no fault"),
        ("{", "not JSON"),
        ('{"fault": "locusts"}', "'locusts'"),
        ('{"fault": "latency", "seconds": "long"}', "seconds='long'"),
        ('{"fault": "latency", "seconds": 1e9}', "0 to 120"),
        ('{"fault": "latency", "colour": 1}', "'colour'"),
        ('{"fault": "latency", "for_seconds": true}', "for_seconds=True"),
        ('{"fault": "bad_candles", "how": "ugly"}', "how='ugly'"),
        ('{"fault": "halt", "symbol": 7}', "symbol=7"),
        ('{"fault": "reset", "at": "noon"}', "'noon'"),
        ('{"fault": "reset", "at": "2026-01-01", "after_seconds": 1}', "'after_seconds'"),
    ],
)
def test_a_wrong_order_is_one_sentence(order, named, tmp_path):
    with pytest.raises(ConfigError) as raised:
        read_orders(order)

    assert named in str(raised.value) and len(str(raised.value).splitlines()) == 1
    scenario = tmp_path / "scenario.jsonl"
    scenario.write_text(f'{{"fault": "reset"}}\n\n{order}\n')
    with pytest.raises(ConfigError, match="line 3"):
        read_scenario(scenario)


def test_a_wrong_order_is_answered_with_its_sentence():
    async def scene(visit):
        return await visit.order({"fault": "locusts"})

    status, said = visit(scene)

    assert status == 400 and "locusts" in said["error"]


def test_a_plain_exchange_takes_no_orders():
    with SimulatorProcess(symbols=2) as simulator, pytest.raises(OSError, match="404"):
        simulator.told()


def test_the_command_plays_a_scenario_and_takes_orders(tmp_path):
    scenario = tmp_path / "scenario.jsonl"
    scenario.write_text('{"fault": "nonsense"}\n{"fault": "reset", "after_seconds": 600}\n')
    with SimulatorProcess(symbols=2, scenario=scenario, faults=True) as simulator:
        simulator.order({"fault": "page"})
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len((told := simulator.told())["past"]) < 2:
            assert time.monotonic() < deadline

    assert {fault["fault"] for fault in told["past"]} == {"nonsense", "page"}
    assert told["waiting"] == 1


def test_a_scenario_that_cannot_be_read_ends_the_start(tmp_path):
    scenario = tmp_path / "scenario.jsonl"
    scenario.write_text('{"fault": "locusts"}\n')

    results = [command("--port", "0", "--scenario", str(file)) for file in (scenario, tmp_path / "none")]

    assert [result.returncode for result in results] == [2, 2]
    assert "line 1" in results[0].stderr and "none" in results[1].stderr


def test_every_kind_and_its_options_are_documented():
    page = (CHECKOUT / "docs" / "simulator.md").read_text("utf-8")
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}

    assert set(KINDS) <= set(lines)
    assert [
        name for name, kind in KINDS.items() if any(f"`{option}`" not in lines[name] for option in kind.options)
    ] == []

"""What the feed promises of single faults, on a simulated exchange that has them.

No timing gates here: a test fails only beyond what the busiest machine adds.
"""

import time

import pytest

from data.binance_feed import BinanceFeed
from data.binance_rest import BinanceRest
from market.intervals import MINUTE_MS
from tests.simulator_process import SimulatorProcess

SYMBOLS = ["BTCUSDT", "ETHUSDT", "WALKUSDT"]


class Reader:
    """A feed on a simulator, read as the engine reads it."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.rest = BinanceRest(simulator.rest_url)
        self.feed = BinanceFeed(simulator.stream_url, self.rest, SYMBOLS, "1m")
        self.candles = {symbol: [] for symbol in SYMBOLS}
        self.arrived = {}
        now_ms = self.rest.server_time_ms()
        self.feed.start(dict.fromkeys(SYMBOLS, now_ms // MINUTE_MS * MINUTE_MS - 2 * MINUTE_MS))
        self._slots = self.feed.slots(idle_seconds=0.02)
        self.until(lambda: all(self.candles.values()) and self.state() == "live")

    def until(self, condition, seconds=60.0):
        """Read until `condition()` holds; return how many seconds that took."""
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, self.feed.status()
            for candle in next(self._slots).candles:
                self.candles[candle.symbol].append(candle)
                self.arrived[candle.symbol, candle.open_ms] = time.monotonic()
        return time.monotonic() - started

    def follow(self, candles):
        wanted = {symbol: len(found) + candles for symbol, found in self.candles.items()}
        self.until(lambda: all(len(self.candles[symbol]) >= count for symbol, count in wanted.items()))

    def state(self):
        return self.feed.status()["state"]

    def last_message(self):
        return self.feed.status()["last_message_mono_s"]

    def assert_true(self):
        """Assert that what came is what the exchange has, in order and without a hole."""
        self.rest.server_time_ms()
        for symbol, found in self.candles.items():
            table, _ = self.rest.klines(symbol, "1m", found[0].open_ms, found[-1].open_ms + MINUTE_MS)
            assert [candle.values for candle in found] == table.tolist()

    def close(self):
        self.feed.stop()
        self.rest.close()


@pytest.fixture
def reader_at():
    """Return a function that gives a reader of an exchange of some speed."""
    opened = []

    def start(speed):
        simulator = SimulatorProcess(seed=3, speed=speed, symbols=4, faults=True)
        simulator.__enter__()
        opened.append(simulator)
        opened.append(reader := Reader(simulator))
        return reader

    yield start
    for one in reversed(opened):
        one.close() if isinstance(one, Reader) else one.__exit__(None, None, None)


def test_a_half_open_stream_is_noticed_within_five_seconds(reader_at):
    reader = reader_at(60)

    breaks = reader.feed.status()["reconnects"]
    ordered = time.monotonic()
    reader.simulator.order({"fault": "half_open"})
    reader.until(lambda: reader.feed.status()["reconnects"] > breaks)
    noticed = time.monotonic() - ordered
    reader.follow(3)

    assert 3.5 < noticed < 20
    reader.assert_true()


def test_after_a_cut_the_first_message_comes_at_once(reader_at):
    reader = reader_at(60)
    reader.follow(3)

    breaks = reader.feed.status()["reconnects"]
    cut = time.monotonic()
    reader.simulator.order({"fault": "reset"})
    reader.until(lambda: reader.feed.status()["reconnects"] > breaks)
    reconnected = time.monotonic() - cut
    reader.until(lambda: reader.state() == "live" and reader.last_message() > cut + reconnected)
    reader.follow(3)

    assert reconnected < 6
    reader.assert_true()


@pytest.mark.slow
def test_after_a_long_outage_it_is_back_at_once_and_whole_soon(reader_at):
    reader = reader_at(60)

    reader.simulator.order({"fault": "refused", "for_seconds": 90})
    reader.until(lambda: reader.state() == "down", seconds=60)
    reader.until(lambda: _answers(reader), seconds=150)
    back = reader.until(lambda: reader.state() == "live")
    repaired = reader.until(lambda: reader.feed.status()["gaps_repaired"] >= len(SYMBOLS))

    assert back < 10
    assert repaired < 20
    reader.assert_true()


def _answers(reader):
    try:
        return reader.simulator.told()
    except OSError:
        return False


@pytest.mark.parametrize("fault", ["banned", "too_many_requests"])
def test_nothing_is_asked_before_the_retry_after_is_over(reader_at, fault):
    reader = reader_at(60)

    reader.simulator.order(
        {"fault": fault, "retry_after": 6, "for_seconds": 4}, {"fault": "lost_closes", "for_seconds": 3}
    )
    reader.until(lambda: not reader.simulator.told()["on"])
    reader.follow(12)

    told = reader.simulator.told()
    assert next(one for one in told["past"] if one["fault"] == fault)["hits"] > 0
    assert told["disobeyed"] == 0
    reader.assert_true()


def test_setting_the_wall_clock_changes_nothing(reader_at, monkeypatch):
    reader = reader_at(60)
    true_time = time.time

    for jump_seconds in (3_600.0, -86_400.0):
        monkeypatch.setattr(time, "time", lambda jump=jump_seconds: true_time() + jump)
        reader.follow(3)

    assert reader.state() == "live"
    assert reader.feed.status()["gaps_found"] == 0
    reader.assert_true()


def test_no_late_or_contradicting_event_changes_a_closed_candle(reader_at):
    reader = reader_at(60)

    reader.simulator.order(
        *({"fault": kind, "for_seconds": 5} for kind in ("late_state", "contradiction", "duplicate"))
    )
    reader.until(lambda: len(reader.simulator.told()["past"]) == 3)
    reader.follow(2)

    reader.assert_true()


def test_a_lost_closing_event_is_repaired_within_one_candle(reader_at):
    reader = reader_at(6)  # a candle lasts ten seconds

    reader.simulator.order({"fault": "lost_closes", "symbol": "BTCUSDT", "for_seconds": 12})
    reader.until(lambda: not reader.simulator.told()["on"])
    reader.follow(2)

    late = [reader.arrived["BTCUSDT", one.open_ms] - reader.arrived["ETHUSDT", one.open_ms] for one in _shared(reader)]
    assert 0.5 < max(late) < 30
    reader.assert_true()


def _shared(reader):
    return [one for one in reader.candles["ETHUSDT"] if ("BTCUSDT", one.open_ms) in reader.arrived]

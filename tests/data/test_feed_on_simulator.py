"""The whole way of the data against the simulated exchange in a process of its own."""

import signal
import time

import pytest

from data.binance_feed import BinanceFeed
from data.binance_rest import BinanceRest
from data.candle_store import CandleStore
from data.data_fetcher import back_fill
from data.database import open_database
from data.symbol_choice import select_symbols
from market.intervals import MINUTE_MS
from tests.simulator_process import SimulatorProcess

HISTORY_MS = 600 * MINUTE_MS


@pytest.fixture
def simulator(free_port, tmp_path):
    with SimulatorProcess(port=free_port, speed=60, symbols=8, state=tmp_path / "market.json") as simulator:
        yield simulator


class Desk:
    """What the engine does with the data: back-fill, then keep every slot."""

    def __init__(self, simulator, folder):
        self.rest = BinanceRest(simulator.rest_url)
        self.symbols = [symbol.name for symbol in select_symbols(self.rest, "top:6")]
        self.store = CandleStore(open_database(folder / "market.db"), "1m")
        self.start_ms = self.rest.server_time_ms() - HISTORY_MS
        back_fill(self.rest, self.store, self.symbols, "1m", self.start_ms, self.rest.clock.stated_ms)
        self.feed = BinanceFeed(simulator.stream_url, self.rest, self.symbols, "1m")
        self.feed.start(self.store.newest())
        self.slots = self.feed.slots(idle_seconds=0.1)

    def keep_until(self, condition, seconds=40.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.feed.status()
            slot = next(self.slots)
            self.store.append(slot.candles)
            settled = self.store.settle()
            assert (settled.new, settled.contradicting) == (len(slot.candles), 0)

    def newest_ms(self):
        return min(self.store.newest()[symbol] for symbol in self.symbols)

    def follow(self, candles):
        until_ms = self.newest_ms() + candles * MINUTE_MS
        self.keep_until(lambda: self.newest_ms() >= until_ms)

    def assert_true(self):
        """Assert that the store holds what the exchange says, candle for candle, without a hole."""
        end_ms = self.newest_ms() + MINUTE_MS
        self.rest.server_time_ms()
        for symbol in self.symbols:
            assert self.store.holes(symbol, self.start_ms, end_ms) == []
            truth, _ = self.rest.klines(symbol, "1m", self.start_ms, end_ms)
            assert self.store.load(symbol, self.start_ms, end_ms).tolist() == truth.tolist()

    def state(self):
        return self.feed.status()["state"]

    def close(self):
        self.feed.stop()
        self.rest.close()


@pytest.fixture
def desk(simulator, tmp_path):
    desk = Desk(simulator, tmp_path)
    yield desk
    desk.close()


def test_history_and_stream_meet_without_a_hole(desk):
    desk.follow(candles=5)

    desk.assert_true()
    status = desk.feed.status()
    assert status["state"] == "live"
    assert {row["state"] for row in status["symbols"]} == {"live"}
    assert (status["gaps_found"], status["rejected_rows"], status["reconnects"]) == (0, 0, 0)
    assert desk.rest.clock.speed == pytest.approx(60.0, rel=0.03)


@pytest.mark.slow
def test_a_killed_exchange_leaves_no_hole(simulator, desk):
    desk.follow(candles=3)

    simulator.kill()
    desk.keep_until(lambda: desk.state() == "down")
    simulator.start()
    restarted = time.monotonic()
    desk.keep_until(lambda: desk.state() == "live")
    desk.follow(candles=3)

    desk.assert_true()
    status = desk.feed.status()
    assert status["gaps_found"] == status["gaps_repaired"] > 0
    assert time.monotonic() - restarted < 60


@pytest.mark.slow
def test_a_frozen_exchange_is_noticed_and_caught_up_with(simulator, desk):
    desk.follow(candles=3)

    simulator.process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    desk.keep_until(lambda: desk.state() != "live")
    noticed = time.monotonic() - frozen
    simulator.process.send_signal(signal.SIGCONT)
    desk.keep_until(lambda: desk.state() == "live")
    desk.follow(candles=10)

    assert noticed < 20
    desk.assert_true()

"""Rows of a symbol that has left the list get their outcome from the exchange, and nobody else's rows wait for them."""

import threading

import pytest

from data.binance_rest import BinanceRest
from data.candle_store import CandleStore
from data.database import open_database
from data.foreign_store import ForeignStore
from data.prediction_store import PredictionStore
from data.signal_file import Signal
from engine.late_scoring import LateScoring
from engine.patience import Patience
from market.intervals import HOUR_MS
from market.predictions import Verdict
from market.symbols import Symbol
from tests.data.conftest import HandClock
from tests.data.loopback_exchange import INTERVAL, STEP, LoopbackExchange, candle
from tests.data.test_prediction_store import prediction

FOLLOWED = [Symbol("BTCUSDT", "BTC", "USDT", "TRADING")]
HOUR = HOUR_MS // STEP


class Bench:
    """A ledger, and an exchange that closes candles of both symbols while only the first is followed."""

    def __init__(self, folder):
        """Keep the first candles of both."""
        self.exchange = LoopbackExchange(("BTCUSDT", "LEFTUSDT"))
        self.rest = BinanceRest(self.exchange.rest_url, clock=HandClock(self.exchange))
        self.engine = open_database(folder / "binance.db")
        self.candles = CandleStore(self.engine, INTERVAL)
        self.ledger = PredictionStore(self.engine, "binance", INTERVAL)
        self.foreign = ForeignStore(self.engine, "binance", INTERVAL)
        is_over = threading.Event()
        self.late = LateScoring(self.engine, "binance", INTERVAL, self.rest, Patience(is_over), is_over)
        self.candles.append([candle(0, name) for name in self.exchange.symbols])
        self.candles.settle()

    def publish(self, number):
        """Write a row of the symbol that left, made of that candle and due an hour later."""
        made_ms = candle(number).open_ms + STEP
        about = {"symbol": "LEFTUSDT", "interval": INTERVAL, "candle_open_ms": candle(number).open_ms}
        self.ledger.publish([prediction(**about, price=100.5, made_ms=made_ms, due_ms=made_ms + HOUR_MS)])
        self.ledger.settle()

    def close(self, first, end, symbols=None):
        """Let the exchange close candles `first` to `end` - 1."""
        for number in range(first, end):
            self.exchange.close_candle(number, symbols)

    def tend(self):
        """Look after the rows as the loop does, and once more when the exchange has answered."""
        for _ in range(2):
            self.late.tend(self.exchange.market_ms, FOLLOWED, list)
            for thread in threading.enumerate():
                if thread.name == "left":
                    thread.join(30)

    def states(self):
        """Return what became of the rows, oldest first."""
        return [row["state"] for row in reversed(self.ledger.ledger()[0])]

    def asked(self):
        """Return which candles the exchange was asked for: symbol, number of the first."""
        start = candle(0).open_ms
        queries = [query for path, query in self.exchange.requests if path == "klines"]
        return [(query["symbol"], (int(query["startTime"]) - start) // STEP) for query in queries]


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.rest.close()
    bench.engine.dispose()
    bench.exchange.stop()


def test_a_row_whose_symbol_has_left_is_scored_by_what_the_exchange_has(bench):
    bench.publish(0)
    bench.close(1, 5 * HOUR)

    bench.tend()

    (row,) = bench.ledger.ledger()[0]
    assert row["state"] == "scored"
    assert row["outcome_return_bps"] == pytest.approx((candle(HOUR).close / 100.5 - 1) * 10_000)
    assert bench.asked() == [("LEFTUSDT", HOUR)]


def test_rows_that_become_due_later_are_scored_within_an_hour(bench):
    for number in (0, HOUR // 2):
        bench.publish(number)
    bench.close(1, HOUR + 2)
    bench.tend()
    before = bench.states()

    bench.close(HOUR + 2, 2 * HOUR + 2)
    bench.tend()

    assert (before, bench.states()) == (["scored", "open"], ["scored", "scored"])


def test_rows_of_a_symbol_that_trades_no_more_become_void(bench):
    bench.publish(0)
    bench.exchange.symbols["LEFTUSDT"] = "BREAK"
    bench.close(1, 5 * HOUR, ["BTCUSDT"])

    bench.tend()

    assert bench.ledger.ledger()[0][0]["void_reason"] == "the symbol stopped trading"


def test_an_empty_answer_about_a_symbol_that_trades_voids_nothing(bench):
    bench.publish(0)
    bench.close(1, 5 * HOUR)
    bench.exchange.answers["klines"].append((200, b"[]", {}))
    bench.tend()
    before = bench.states()

    bench.exchange.market_ms += HOUR_MS
    bench.tend()

    assert (before, bench.states()) == (["open"], ["scored"])


def test_a_candle_the_exchange_never_had_leaves_a_void_row(bench):
    bench.publish(0)
    bench.close(1, 5 * HOUR)
    del bench.exchange.candles["LEFTUSDT"][candle(HOUR).open_ms]

    bench.tend()

    assert bench.ledger.ledger()[0][0]["void_reason"] == "no candle closes at due_at"


def test_an_exchange_that_does_not_answer_is_asked_again_later(bench):
    bench.publish(0)
    bench.close(1, 5 * HOUR)
    bench.exchange.answers["time"].append((503, b"", {}))
    bench.tend()
    before = bench.states()

    bench.exchange.market_ms += HOUR_MS
    bench.tend()

    assert (before, bench.states()) == (["open"], ["scored"])


def test_an_imported_signal_about_a_symbol_that_has_left_is_scored(bench):
    said = Signal(2, "friend", "LEFTUSDT", "1h", candle(0).open_ms, Verdict.UP, None, None, None, None, None)
    bench.foreign.keep([said], cost_bps=24.0)
    bench.close(1, 5 * HOUR)

    bench.tend()

    assert bench.foreign.ledger()[0][0]["state"] == "scored"


def test_nothing_is_asked_where_nothing_waits(bench):
    bench.close(1, 5 * HOUR)

    bench.tend()

    assert bench.exchange.requests == []

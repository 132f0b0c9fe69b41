"""How far back the house looks, and a fetching that the disk stops for a while."""

import threading

import pytest
from sqlalchemy import event

from config import Config
from data.binance_rest import BinanceRest
from data.candle_store import CandleStore
from data.database import open_database
from engine.history import fetch_history, history_start_ms, training_span
from engine.patience import Patience
from market.intervals import DAY_MS, HOUR_MS, floor_to
from tests.data.loopback_exchange import START, STEP, LoopbackExchange
from tests.engine.test_patience import until

CONFIG = Config(INTERVAL="1m", HORIZONS="15m", HISTORY_DAYS=1)
MINUTES = 1_440


@pytest.fixture
def exchange():
    exchange = LoopbackExchange()
    for number in range(MINUTES):
        exchange.close_candle(number)
    yield exchange
    exchange.stop()


@pytest.mark.parametrize("interval", ["1m", "4h", "1d", "3d", "1w"])
def test_the_history_begins_with_a_candle_whatever_the_days(interval):
    config = Config(INTERVAL=interval, HORIZONS=interval, HISTORY_DAYS=100)
    length_ms = config.interval_ms

    for market_ms in range(START, START + 21 * DAY_MS, 7 * HOUR_MS):
        span, from_ms = training_span(config, market_ms), history_start_ms(config, market_ms)
        assert all(floor_to(at_ms, length_ms) == at_ms for at_ms in (span.start_ms, span.cut_ms, from_ms))
        assert 0 <= span.cut_ms - span.start_ms - 100 * DAY_MS < length_ms


def test_a_full_disk_is_waited_for_and_nothing_is_fetched_twice(exchange, tmp_path):
    engine = open_database(tmp_path / "market.db")
    store, rest, patience = CandleStore(engine, "1m"), BinanceRest(exchange.rest_url), Patience(threading.Event())
    pages_at_most = [1]
    event.listen(engine, "begin", lambda one: one.exec_driver_sql(f"PRAGMA max_page_count = {pages_at_most[0]}"))
    asked = [CONFIG, rest, store, list(exchange.symbols), START + MINUTES * STEP, lambda *_: None]
    fetching = threading.Thread(target=fetch_history, args=asked, kwargs={"patience": patience})

    fetching.start()
    until(lambda: patience.fault or not fetching.is_alive())
    words = patience.fault.text
    pages_at_most[0] = 1_000_000
    fetching.join(20)

    klines = [query["symbol"] + query["startTime"] for path, query in exchange.requests if path == "klines"]
    assert words == "the disk is full"
    assert [len(store.load(symbol)) for symbol in exchange.symbols] == [MINUTES, MINUTES]
    assert len(klines) == len(set(klines))
    rest.close()
    engine.dispose()

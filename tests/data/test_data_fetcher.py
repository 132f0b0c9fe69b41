import json
import threading

import psutil
import pytest

from data.candle_store import CandleStore
from data.data_fetcher import back_fill
from data.database import open_database
from data.weight_budget import WeightBudget
from market.errors import RateLimited, SourceUnavailable
from tests.data.loopback_exchange import START, STEP, candle, kline_row

BOTH = ["BTCUSDT", "ETHUSDT"]


@pytest.fixture
def store(tmp_path):
    return CandleStore(open_database(tmp_path / "market.db"), "1m")


@pytest.fixture
def history(exchange):
    """2,500 closed candles of both symbols: three pages each."""
    for number in range(2_500):
        exchange.close_candle(number)
    return START, START + 2_500 * STEP


def fill(rest, store, span, **options):
    return back_fill(rest, store, BOTH, "1m", *span, **options)


def asked(exchange):
    return sum(path == "klines" for path, _ in exchange.requests)


def test_fetches_every_closed_candle(exchange, rest, store, history):
    seen = []

    filled = fill(rest, store, history, on_progress=lambda done, total: seen.append((done, total)))

    assert (filled.candles, filled.pages) == (5_000, 6)
    assert store.load("ETHUSDT").tolist() == [candle(number, "ETHUSDT").values for number in range(2_500)]
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)


def test_a_second_run_asks_for_nothing(exchange, rest, store, history):
    fill(rest, store, history)
    before = len(exchange.requests)

    filled = fill(rest, store, history)

    assert filled.candles == 0
    assert len(exchange.requests) == before


def test_fills_holes_and_nothing_else(exchange, rest, store, history):
    store.append([candle(number, symbol) for symbol in BOTH for number in range(2_500) if not 700 <= number < 710])

    filled = fill(rest, store, history)

    assert filled.candles == 20
    assert asked(exchange) == 2
    assert store.holes("BTCUSDT", *history) == []


def test_goes_on_where_a_cancelled_one_stopped(exchange, rest, store, history):
    cancelled = threading.Event()

    first = fill(rest, store, history, workers=1, cancelled=cancelled, on_progress=lambda *_: cancelled.set())
    second = fill(rest, store, history)

    assert 0 < first.candles < 5_000
    assert first.candles + second.candles == 5_000


def test_a_candle_that_is_still_open_is_left_out(exchange, rest, store, history):
    filled = fill(rest, store, (history[0], history[1] + 5 * STEP))

    assert filled.candles == 5_000
    assert max(store.newest().values()) == candle(2_499).open_ms


def test_survives_answers_that_are_unusable(exchange, rest, store, history):
    exchange.answers["klines"].extend([(200, b"<html>", {}), (502, b"", {}), (200, b"[[17000", {})])

    filled = fill(rest, store, history)

    assert filled.candles == 5_000
    assert rest.refusals.by_reason() == {"body of unknown shape": 2}


def test_waits_as_long_as_a_limit_says_and_goes_on(exchange, rest, store, history):
    slept = []
    rest.budget = WeightBudget(sleep=lambda seconds: slept.append(seconds) or threading.Event().wait(0.01))
    exchange.answers["klines"].append((429, b"{}", {"Retry-After": "1"}))

    filled = fill(rest, store, history, workers=1)

    assert filled.candles == 5_000
    assert sum(1 for seconds in slept if 0 < seconds <= 1) == len(slept) > 0


def test_a_long_ban_ends_it(exchange, rest, store, history):
    exchange.answers["klines"].append((418, b"{}", {"Retry-After": "86400"}))

    with pytest.raises(RateLimited, match="86400 s"):
        fill(rest, store, history, workers=1)


def test_keeps_what_came_before_the_exchange_went_away(exchange, rest, store, history):
    exchange.answers["klines"].extend([None, *[(503, b"", {})] * 5])

    with pytest.raises(SourceUnavailable, match="HTTP 503"):
        fill(rest, store, history, workers=1)

    assert 0 < len(store.load("BTCUSDT")) < 2_500


def test_a_back_fill_that_fails_leaves_no_connection_behind_it(exchange, rest, store, history):
    exchange.answers["klines"].extend([(503, b"", {})] * 30)

    with pytest.raises(SourceUnavailable):
        fill(rest, store, history)

    for thread in threading.enumerate():
        if thread.name == "back-fill":
            thread.join(20)

    connections = psutil.Process().net_connections("tcp")
    assert sum(1 for one in connections if one.raddr and one.raddr.port == exchange.port) == 1  # this thread's own


def test_an_unknown_symbol_does_not_stop_the_others(exchange, rest, store, history):
    exchange.answers["klines"].append((400, b'{"code":-1121,"msg":"Invalid symbol."}', {}))

    filled = fill(rest, store, (history[0], history[0] + 900 * STEP), workers=1)

    assert filled.unknown_symbols == {"BTCUSDT"}
    assert len(store.load("ETHUSDT")) == 900


def test_a_row_that_is_garbled_once_leaves_no_hole(exchange, rest, store, history):
    rows = [kline_row(candle(number)) for number in range(900)]
    rows[150][3] = "garbage"
    exchange.answers["klines"].append((200, json.dumps(rows).encode(), {}))

    filled = fill(rest, store, (history[0], history[0] + 900 * STEP), workers=1)

    assert (filled.candles, filled.pages) == (1_800, 2)
    assert store.holes("BTCUSDT", history[0], history[0] + 900 * STEP) == []


def test_counts_what_it_refused(exchange, rest, store, history):
    exchange.answers["klines"].extend([(200, b'[[1700000040000,"1","0.5","2","1","1",0]]', {})] * 5)

    filled = fill(rest, store, (history[0], history[0] + 900 * STEP), workers=1)

    assert filled.refused == {"low and high do not span open and close": 1}
    assert store.newest().keys() == {"ETHUSDT"}

import itertools
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.candle_store import Appended, CandleStore
from data.database import open_database
from market.candles import Candle, candle_table

STEP = 300_000
START = 1_700_000_100_000


def candle(number, symbol="BTCUSDT", close=100.0):
    return Candle(symbol, START + number * STEP, 100.0, 101.0, 99.0, close, 5.0)


@pytest.fixture
def store(tmp_path):
    return CandleStore(open_database(tmp_path / "market.db"), "5m")


def test_keeps_candles_and_returns_them_oldest_first(store):
    store.append([candle(2), candle(0), candle(1)])

    before = store.load("BTCUSDT").tolist()
    settled = store.settle()

    assert settled == Appended(new=3, contradicting=0)
    assert before == store.load("BTCUSDT").tolist() == [candle(number).values for number in range(3)]


def test_the_first_word_on_a_candle_is_the_last(store, caplog):
    store.append([candle(0), candle(1)])

    store.settle()
    store.append([candle(0), candle(1, close=100.5), candle(2)])

    waiting = store.load("BTCUSDT")["close"].tolist()
    with caplog.at_level(logging.WARNING):
        settled = store.settle()

    assert settled == Appended(new=1, contradicting=1)
    assert waiting == store.load("BTCUSDT")["close"].tolist() == [100.0, 100.0, 100.0]
    assert "candles contradict the kept ones symbol=BTCUSDT count=1" in caplog.text


@pytest.mark.parametrize(
    ("span", "numbers"),
    [
        ({}, range(10)),
        ({"limit": 3}, [7, 8, 9]),
        ({"start_ms": START + 2 * STEP, "limit": 3}, [2, 3, 4]),
        ({"end_ms": START + 4 * STEP, "limit": 2}, [2, 3]),
        ({"start_ms": START + 2 * STEP, "end_ms": START + 4 * STEP}, [2, 3]),
        ({"start_ms": START + 2 * STEP + 1, "end_ms": START + 4 * STEP + 1}, [3, 4]),
        ({"start_ms": START + 10 * STEP}, []),
    ],
)
@pytest.mark.parametrize("settled", [0, 5, 10])
def test_start_is_inclusive_and_end_exclusive(store, span, numbers, settled):
    store.append([candle(number) for number in range(settled)])
    store.settle()
    store.append([candle(number) for number in range(settled, 10)])

    loaded = store.load("BTCUSDT", **span)

    assert loaded["open_ms"].tolist() == [START + number * STEP for number in numbers]


def test_intervals_and_symbols_are_kept_apart(tmp_path):
    engine = open_database(tmp_path / "market.db")
    five, one = CandleStore(engine, "5m"), CandleStore(engine, "1m")

    five.append([candle(0), candle(3), candle(1, "ETHUSDT")])
    one.append([candle(0, close=99.5)])

    assert five.newest() == {"BTCUSDT": START + 3 * STEP, "ETHUSDT": START + STEP}
    assert one.newest() == {"BTCUSDT": START}
    assert five.load("BTCUSDT")["close"].tolist() == [100.0, 100.0]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.sets(st.integers(0, 30)), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_holes_are_what_is_missing(tmp_path_factory, present, first, last, settled):
    store = CandleStore(open_database(tmp_path_factory.mktemp("holes") / "market.db"), "5m")
    store.append_tables([("BTCUSDT", candle_table([candle(number) for number in sorted(present) if number < settled]))])
    store.append([candle(number) for number in sorted(present) if number >= settled])

    holes = store.holes("BTCUSDT", START + first * STEP, START + last * STEP)

    missing = [open_ms for from_ms, to_ms in holes for open_ms in range(from_ms, to_ms, STEP)]
    assert missing == [START + number * STEP for number in range(first, last) if number not in present]
    assert all(one[1] < two[0] for one, two in itertools.pairwise(holes))


def test_holes_of_a_span_off_the_grid_start_and_end_on_it(store):
    assert store.holes("BTCUSDT", START - 1, START + STEP + 1) == [(START, START + 2 * STEP)]
    assert store.holes("BTCUSDT", START + 1, START + STEP) == []


def test_weekly_holes_lie_on_mondays(tmp_path):
    monday, week = 1_699_833_600_000, 7 * 86_400_000
    store = CandleStore(open_database(tmp_path / "market.db"), "1w")

    assert store.holes("BTCUSDT", monday - 5, monday + week) == [(monday, monday + week)]


def test_closes_answers_only_what_is_kept(store):
    store.append([candle(0), candle(1, close=100.5), candle(0, "ETHUSDT")])

    closes = store.closes([("BTCUSDT", START + STEP), ("ETHUSDT", START), ("ETHUSDT", START + STEP)])

    assert closes == {("BTCUSDT", START + STEP): 100.5, ("ETHUSDT", START): 100.0}


def test_a_bulk_load_is_one_transaction(store):
    table = candle_table([candle(number) for number in range(2_000)])

    appended = store.append_tables([("BTCUSDT", table), ("ETHUSDT", table[:500])])

    assert appended == Appended(new=2_500)
    assert np.array_equal(store.load("BTCUSDT"), table)


def test_a_reader_follows_the_writer(tmp_path):
    path = tmp_path / "market.db"
    writer = CandleStore(open_database(path), "5m")
    reader = CandleStore(open_database(path, is_read_only=True), "5m")
    assert len(reader.load("BTCUSDT")) == 0

    writer.append([candle(0)])
    waiting = reader.load("BTCUSDT")
    writer.settle()

    assert waiting.tolist() == reader.load("BTCUSDT").tolist() == [candle(0).values]


def test_what_waits_survives_a_new_start(tmp_path):
    path = tmp_path / "market.db"
    CandleStore(open_database(path), "5m").append([candle(0), candle(0, "ETHUSDT")])

    again = CandleStore(open_database(path), "5m")

    assert again.newest() == {"BTCUSDT": START, "ETHUSDT": START}
    assert again.settle() == Appended(new=2)
    assert again.settle() == Appended()


def test_an_entry_that_was_damaged_is_missing_and_not_wrong(tmp_path, caplog):
    engine = open_database(tmp_path / "market.db")
    store = CandleStore(engine, "5m")
    store.append([candle(0)])
    store.append([candle(1)])
    with engine.begin() as connection:
        spoil = "UPDATE candle_journal SET body = CAST(replace(body, 'BTC', 'ETH') AS BLOB) WHERE number = 1"
        connection.exec_driver_sql(spoil)

    holes = store.holes("BTCUSDT", START, START + 2 * STEP)

    assert holes == [(START, START + STEP)]
    assert store.settle() == Appended(new=1)
    assert "noted candles damaged on the disk left out entry=1" in caplog.text


def test_names_that_are_no_plain_letters_are_kept(store):
    store.append([candle(0, "币安人生USDT")])

    assert store.newest() == {"币安人生USDT": START}

"""Any window of the generated market is the same one, whoever asks, in whatever order, at whatever interval."""

import numpy as np
import pytest

from market.intervals import INTERVAL_MS
from simulator import grid, path
from simulator.coins import EPOCH_MS
from simulator.exchange import joined
from simulator.generated_tape import GeneratedTape
from simulator.klines import SUMS, lengthened
from simulator.market_model import market_model

DAY_MS = 86_400_000
NOON_MS = EPOCH_MS + 900 * DAY_MS + DAY_MS // 2
NOW_MS = NOON_MS + 1_234_567
SYMBOLS = ("BTCUSDT", "WALKUSDT", "EDGEUSDT")
LONG = ("3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")


@pytest.fixture(scope="module")
def tape():
    return GeneratedTape(market_model(seed=1, count=3))


def fetched(tape, symbol, interval, start_ms, before_ms):
    return joined(tape.candles(symbol, interval, start_ms, before_ms))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_window_does_not_depend_on_what_was_asked_before(tape, symbol):
    whole = fetched(tape, symbol, "1m", NOON_MS - 5 * DAY_MS, NOON_MS)
    fresh = GeneratedTape(market_model(seed=1, count=3))
    fetched(fresh, symbol, "5m", NOON_MS + 400 * DAY_MS, NOON_MS + 401 * DAY_MS)

    piece = fetched(fresh, symbol, "1m", NOON_MS - DAY_MS, NOON_MS)

    assert (whole[-1_440:] == piece).all()


@pytest.mark.parametrize("interval", LONG)
def test_longer_candles_are_the_minutes_put_together(tape, interval):
    start_ms = grid.open_of(interval, NOON_MS) - 2 * INTERVAL_MS[interval]
    before_ms = start_ms + 4 * INTERVAL_MS[interval]
    minutes = fetched(tape, "BTCUSDT", "1m", start_ms, before_ms)

    candles = fetched(tape, "BTCUSDT", interval, start_ms, before_ms)

    groups = minutes.reshape(4, -1)
    assert candles["open_ms"].tolist() == groups["open_ms"][:, 0].tolist()
    assert candles["open"].tolist() == groups["open"][:, 0].tolist()
    assert candles["high"].tolist() == groups["high"].max(axis=1).tolist()
    assert candles["low"].tolist() == groups["low"].min(axis=1).tolist()
    assert candles["close"].tolist() == groups["close"][:, -1].tolist()
    for name in SUMS:
        assert candles[name] == pytest.approx(groups[name].sum(axis=1), rel=1e-12)


def test_months_begin_on_the_first(tape):
    opens = fetched(tape, "BTCUSDT", "1M", EPOCH_MS, EPOCH_MS + 59 * DAY_MS)["open_ms"].astype("M8[ms]")

    assert [str(moment)[:10] for moment in opens] == ["2023-01-01", "2023-02-01"]


def test_seconds_put_together_are_the_minute(tape):
    minutes = fetched(tape, "BTCUSDT", "1m", NOON_MS, NOON_MS + 300_000)
    seconds = fetched(tape, "BTCUSDT", "1s", NOON_MS, NOON_MS + 300_000)

    rebuilt = lengthened(seconds, 1_000, "1m")

    for name in ("open_ms", "open", "high", "low", "close", "trades"):
        assert rebuilt[name].tolist() == minutes[name].tolist()
    assert rebuilt["volume"] == pytest.approx(minutes["volume"], rel=1e-12)


def test_the_newest_candles_end_where_they_should(tape):
    before_ms = grid.open_of("5m", NOW_MS)

    candles = fetched(tape, "BTCUSDT", "5m", *tape.window("BTCUSDT", "5m", None, before_ms, 7))

    assert len(candles) == 7
    assert candles["open_ms"][-1] == before_ms - 300_000


def test_the_oldest_candles_begin_on_the_grid_after_the_start(tape):
    window = tape.window("BTCUSDT", "5m", NOON_MS + 1, NOON_MS + DAY_MS, 7)

    candles = fetched(tape, "BTCUSDT", "5m", *window)

    assert candles["open_ms"].tolist() == [NOON_MS + 300_000 * count for count in range(1, 8)]


def test_nothing_was_traded_before_the_epoch(tape):
    window = tape.window("BTCUSDT", "1d", 0, NOON_MS, 3)

    assert fetched(tape, "BTCUSDT", "1d", *window)["open_ms"][0] == EPOCH_MS
    assert not tape.is_trading("BTCUSDT", EPOCH_MS - 1)


@pytest.mark.parametrize("interval", grid.INTERVALS)
def test_an_open_candle_starts_with_its_open_and_grows_into_the_closed_one(tape, interval):
    open_ms = grid.open_of(interval, NOW_MS)
    close_ms = grid.shifted(interval, open_ms, 1)
    final = fetched(tape, "BTCUSDT", interval, open_ms, close_ms)[0]
    moments = np.linspace(open_ms, close_ms - 1, 9).astype(int).tolist()

    states = [tape.so_far("BTCUSDT", interval, moment)[0] for moment in moments]

    assert all(state["open_ms"] == open_ms and state["open"] == final["open"] for state in states)
    for name in ("high", "volume", "trades"):
        values = [state[name] for state in states]
        assert values == sorted(values) and values[-1] <= final[name] * (1 + 1e-12)
    lows = [state["low"] for state in states]
    assert lows == sorted(lows, reverse=True) and lows[-1] >= final["low"]


def test_the_path_inside_a_row_touches_all_four_prices(tape):
    rows = fetched(tape, "BTCUSDT", "1m", NOON_MS, NOON_MS + 3_600_000)
    listing = next(listing for listing in tape.listings if listing.symbol == "BTCUSDT")

    prices = path.prices(rows, listing)

    assert prices[:, 0].tolist() == rows["open"].tolist()
    assert prices[:, -1].tolist() == rows["close"].tolist()
    assert prices.max(axis=1).tolist() == rows["high"].tolist()
    assert prices.min(axis=1).tolist() == rows["low"].tolist()


def test_the_last_day_ends_at_this_moment(tape):
    rows = tape.last_day("BTCUSDT", NOW_MS)

    assert len(rows) == 1_440
    assert rows["close"][-1] == tape.price("BTCUSDT", NOW_MS)


def test_memory_stays_bounded_while_all_of_history_is_asked_for(tape):
    for day in range(0, 890, 5):
        fetched(tape, "BTCUSDT", "1m", EPOCH_MS + day * DAY_MS, EPOCH_MS + (day + 5) * DAY_MS)

    assert len(tape._minutes) <= 600


def test_preparing_ends_when_today_and_soon_tomorrow_are_made():
    tape = GeneratedTape(market_model(seed=1, count=3))
    before_midnight_ms = NOON_MS + DAY_MS // 2 - 60_000

    pieces = sum(1 for _ in iter(lambda: tape.prepare(before_midnight_ms), False))

    assert pieces == 6

import pytest

from data.database import open_database
from data.gap_store import GapStore
from data.prediction_store import PredictionStore
from market.errors import DataError
from market.gaps import Gap
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Verdict

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP * STEP


@pytest.fixture
def engine(tmp_path):
    engine = open_database(tmp_path / "market.db")
    yield engine
    engine.dispose()


def made(number):
    made_ms = START + (number + 1) * STEP
    times = {"candle_open_ms": made_ms - STEP, "made_ms": made_ms, "due_ms": made_ms + HOUR_MS}
    return Prediction(
        "BTCUSDT", "5m", "1h", **times, price=1.0, cost_bps=24.0, verdict=Verdict.UP, reason=None, origin=Origin.LIVE
    )


def gap(found, from_number, to_number, is_repaired=True, symbol="BTCUSDT"):
    spans = START + from_number * STEP, START + to_number * STEP
    return Gap(symbol, *spans, START + found * STEP, START + found * STEP + 700, is_repaired)


def test_tells_what_a_gap_touched(engine):
    ledger = PredictionStore(engine, "binance", "5m")
    ledger.publish([made(0), made(1), made(14)])
    ledger.settle()
    store = GapStore(engine, "5m")

    store.keep([gap(16, 12, 15)])

    (row,), cursor = store.newest(["1h"])
    assert (row["symbol"], row["candles"], row["is_repaired"]) == ("BTCUSDT", 3, True)
    assert row["missed_predictions"] == 2  # of candles 12, 13 and 14 only the last was predicted in time
    assert row["late_outcomes"] == 2  # those made at the end of candles 0 and 1 end an hour later, in the gap
    assert cursor is None


def test_tells_the_newest_first_and_keeps_each_once(engine):
    store = GapStore(engine, "5m")

    store.keep([gap(1, 0, 1), gap(5, 3, 4, is_repaired=False)])
    store.keep([gap(5, 3, 4)])

    rows, _ = store.newest(["1h"])
    assert [row["is_repaired"] for row in rows] == [False, True]


def test_pages_of_gaps_found_at_once_follow_each_other(engine):
    store = GapStore(engine, "5m")
    store.keep([gap(5, 3, 4, symbol=symbol) for symbol in ("ADAUSDT", "BTCUSDT", "ETHUSDT")] + [gap(1, 0, 1)])

    first, cursor = store.newest([], limit=2)
    second, end = store.newest([], limit=2, cursor=cursor)

    assert [row["symbol"] for row in first + second] == ["ETHUSDT", "BTCUSDT", "ADAUSDT", "BTCUSDT"]
    assert end is None
    assert [row["symbol"] for row in store.newest([], symbol="ADAUSDT")[0]] == ["ADAUSDT"]


def test_a_cursor_of_another_list_is_refused(engine):
    with pytest.raises(DataError, match="none of this list"):
        GapStore(engine, "5m").newest([], cursor="p-12")

"""What is said in the shadow is scored by the ledger's outcomes, and never seen in the ledger."""

import numpy as np
import pytest

from data.candle_store import CandleStore
from data.database import open_database
from data.prediction_store import PredictionStore
from data.shadow_store import ShadowRow, ShadowStore
from market.candles import Candle
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Reason, Verdict

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // HOUR_MS * HOUR_MS
SYMBOLS = ("AUSDT", "BUSDT", "CUSDT")


@pytest.fixture
def database(tmp_path):
    engine = open_database(tmp_path / "test.db")
    yield engine
    engine.dispose()


def publish(database, open_ms, symbols=SYMBOLS):
    rows = [
        Prediction(
            symbol, "5m", "1h", open_ms, open_ms + STEP, open_ms + STEP + HOUR_MS, 100.0, 24.0,
            Verdict.ABSTAIN, Reason.COST, Origin.LIVE, "champion", 0.5,
        )
        for symbol in symbols
    ]  # fmt: skip
    store = PredictionStore(database, "simulated", "5m", ["rsi"])
    store.publish(rows)
    store.settle()


def close(database, open_ms, prices):
    candles = [Candle(symbol, open_ms, price, price, price, price, 1.0) for symbol, price in prices.items()]
    store = CandleStore(database, "5m")
    store.append(candles)
    store.settle()


def score(database, market_ms):
    PredictionStore(database, "simulated", "5m").score(market_ms)


def row(open_ms, model=0.9, champion=0.5, name="challenger"):
    said = np.array([[model] * len(SYMBOLS), [champion] * len(SYMBOLS)])
    return ShadowRow("1h", open_ms, name, "champion", SYMBOLS, said)


def test_both_models_are_scored_by_the_outcomes_of_the_ledger(database):
    store = ShadowStore(database, "5m")
    publish(database, START)
    store.keep([row(START)])
    close(database, START + HOUR_MS, {"AUSDT": 101.0, "BUSDT": 102.0, "CUSDT": 99.0})
    due_ms = START + STEP + HOUR_MS
    score(database, due_ms)

    assert store.settle(due_ms)

    compared = store.compared("1h", "challenger", "champion")
    expected = 1 - ((0.1**2 + 0.1**2 + 0.9**2) / 3) / 0.25
    assert compared.n == 3
    assert np.isclose(compared.difference, expected)
    assert not store.settle(due_ms + HOUR_MS)


def test_rows_wait_for_their_outcome_and_are_given_up_when_it_never_comes(database):
    store = ShadowStore(database, "5m")
    publish(database, START)
    store.keep([row(START)])
    due_ms = START + STEP + HOUR_MS

    assert not store.settle(due_ms)
    assert store.settle(due_ms + 3 * HOUR_MS)
    assert store.compared("1h", "challenger", "champion").n == 0


def test_a_symbol_without_a_ledger_row_is_left_out(database):
    store = ShadowStore(database, "5m")
    publish(database, START, SYMBOLS[:1])
    store.keep([row(START)])
    close(database, START + HOUR_MS, {"AUSDT": 101.0})
    score(database, START + STEP + HOUR_MS)

    store.settle(START + STEP + HOUR_MS)

    assert store.compared("1h", "challenger", "champion").n == 1


def test_the_ledger_shows_one_row_for_each_candle_whoever_is_in_the_shadow(database):
    publish(database, START)

    ShadowStore(database, "5m").keep([row(START), row(START, name="predecessor"), row(START)])

    rows, _ = PredictionStore(database, "simulated", "5m").ledger()
    assert [entry["model"] for entry in rows] == ["champion"] * len(SYMBOLS)


def test_comparisons_of_different_champions_are_not_mixed(database):
    store = ShadowStore(database, "5m")

    assert store.compared("1h", "challenger", "another champion").n == 0

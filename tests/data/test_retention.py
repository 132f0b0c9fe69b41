import numpy as np
import pytest

from data.candle_store import CandleStore
from data.database import open_database
from data.ledger_inputs import Inputs
from data.prediction_store import PredictionStore
from data.retention import let_go
from market.candles import Candle
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Verdict

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP * STEP


@pytest.fixture
def engine(tmp_path):
    engine = open_database(tmp_path / "simulated-1.db")
    yield engine
    engine.dispose()


def predicted(number):
    made_ms = START + (number + 1) * STEP
    times = {"candle_open_ms": made_ms - STEP, "made_ms": made_ms, "due_ms": made_ms + HOUR_MS}
    chance = {"probability_up": 0.6, "model": "m"}
    return Prediction(
        "BTCUSDT",
        "5m",
        "1h",
        **times,
        price=1.0,
        cost_bps=24.0,
        verdict=Verdict.UP,
        reason=None,
        origin=Origin.LIVE,
        **chance,
    )


def test_old_rows_go_and_what_skill_is_made_of_stays(engine):
    candles, ledger = CandleStore(engine, "5m"), PredictionStore(engine, "simulated", "5m", ["rsi"])
    candles.append([Candle("BTCUSDT", START + at * STEP, 1.0, 1.1, 0.9, 1.0, 5.0) for at in range(40)])
    candles.settle()
    inputs = [Inputs("BTCUSDT", START + at * STEP, np.ones(1)) for at in range(40)]
    ledger.publish([predicted(at) for at in range(40)], inputs)
    ledger.score(START + 40 * STEP)
    skill = engine.connect().exec_driver_sql("SELECT sum(n) FROM skill_blocks").scalar()

    gone = let_go(engine, "5m", ["BTCUSDT"], START + 21 * STEP)

    rows, _ = ledger.ledger(limit=100)
    assert gone == 21 + 20
    assert candles.load("BTCUSDT")["open_ms"][0] == START + 21 * STEP
    assert len(rows) == 20
    assert ledger.row(rows[-1]["id"])["inputs"] == {"rsi": 1.0}
    assert engine.connect().exec_driver_sql("SELECT sum(n) FROM skill_blocks").scalar() == skill > 20


def test_rows_without_an_outcome_stay(engine):
    ledger = PredictionStore(engine, "simulated", "5m", ["rsi"])
    ledger.publish([predicted(0)])
    ledger.settle()

    assert let_go(engine, "5m", ["BTCUSDT"], START + 100 * STEP) == 0
    assert len(ledger.ledger(limit=10)[0]) == 1

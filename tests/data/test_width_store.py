"""The widths of ranges: moved by outcomes, in their commit, and the same live as walked through at once."""

import numpy as np
import pytest
from msgspec import structs

from data.candle_store import CandleStore
from data.database import open_database
from data.prediction_store import PredictionStore
from data.width_store import WidthStore
from market.candles import Candle, candle_table
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Reason, Verdict
from market.range_widths import MOST, STEP
from models.adaptation import Widths, widened
from models.scores import Scores

STEP_MS = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP_MS * STEP_MS
HORIZON = 12
HALF_BPS = 30.0


@pytest.fixture
def engine(tmp_path):
    engine = open_database(tmp_path / "simulated-1.db")
    yield engine
    engine.dispose()


def row(index, price, low=-HALF_BPS, high=HALF_BPS):
    made = START + (index + 1) * STEP_MS
    return Prediction(
        symbol="BTCUSDT",
        interval="5m",
        horizon="1h",
        candle_open_ms=START + index * STEP_MS,
        made_ms=made,
        due_ms=made + HOUR_MS,
        price=price,
        cost_bps=24.0,
        verdict=Verdict.ABSTAIN,
        reason=Reason.COST,
        origin=Origin.LIVE,
        model="m-1",
        probability_up=0.5,
        expected_return_bps=0.0,
        low_bps=low,
        high_bps=high,
        coverage=0.8,
        edge_bps=-24.0,
    )


def close(engine, index, price):
    candle = Candle("BTCUSDT", START + index * STEP_MS, price, price, price, price, 1.0)
    CandleStore(engine, "5m").append_table("BTCUSDT", candle_table([candle]))


def test_live_ranges_are_those_of_a_walk_through_the_same_candles(engine):
    count = 400
    prices = 100.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.003, count)))
    ledger, store = PredictionStore(engine, "simulated", "5m"), WidthStore(engine, "5m")
    model = Scores(np.full(1, 0.5), np.zeros(1), np.full(1, -HALF_BPS), np.full(1, HALF_BPS), np.zeros(1))
    highs = []
    for index, price in enumerate(prices.tolist()):  # as the loop does: append, predict, publish, score
        close(engine, index, price)
        scores = widened(model, np.array([store.load().get(("BTCUSDT", "1h"), 0.0)]))
        highs.append(scores.high_bps[0])
        ledger.publish([row(index, price, float(scores.low_bps[0]), float(scores.high_bps[0]))])
        ledger.score(START + (index + 1) * STEP_MS)

    returns = np.full((1, count), np.nan)
    returns[0, :-HORIZON] = (prices[HORIZON:] / prices[:-HORIZON] - 1.0) * 10_000.0
    spans = [(Scores(*(np.tile(values, (1, count)) for values in model.columns())), returns)]
    walked = Widths(1, HORIZON, 0.8).through(spans)[0]
    assert max(highs) > 1.5 * HALF_BPS
    np.testing.assert_allclose(highs, walked.high_bps[0], rtol=1e-9)


def test_a_width_survives_a_restart_and_what_it_began_with_stays(engine, tmp_path):
    WidthStore(engine, "5m").begin({("BTCUSDT", "1h"): 0.5})
    close(engine, 0, 100.0)
    close(engine, HORIZON, 101.0)
    ledger = PredictionStore(engine, "simulated", "5m")
    ledger.publish([row(0, 100.0)])
    ledger.score(START + (HORIZON + 1) * STEP_MS)
    engine.dispose()

    again = WidthStore(open_database(tmp_path / "simulated-1.db"), "5m")
    again.begin({("BTCUSDT", "1h"): -1.0, ("ETHUSDT", "1h"): 0.25})

    assert again.load() == {
        ("BTCUSDT", "1h"): pytest.approx(0.5 + 0.8 * STEP / HORIZON),
        ("ETHUSDT", "1h"): 0.25,
    }


def test_a_row_without_a_range_moves_no_width(engine):
    close(engine, 0, 100.0)
    close(engine, HORIZON, 101.0)
    ledger = PredictionStore(engine, "simulated", "5m")
    without = dict.fromkeys(("probability_up", "expected_return_bps", "low_bps", "high_bps", "coverage", "edge_bps"))
    ledger.publish([structs.replace(row(0, 100.0), **without, model=None, reason=Reason.TOO_FEW_CANDLES)])

    assert len(ledger.score(START + (HORIZON + 1) * STEP_MS)) == 1
    assert WidthStore(engine, "5m").load() == {}


def test_a_width_stays_within_bounds(engine):
    store = WidthStore(engine, "5m")
    store.begin({("BTCUSDT", "1h"): MOST})
    close(engine, 0, 100.0)
    close(engine, HORIZON, 200.0)
    ledger = PredictionStore(engine, "simulated", "5m")
    ledger.publish([row(0, 100.0)])

    ledger.score(START + (HORIZON + 1) * STEP_MS)

    assert store.load()["BTCUSDT", "1h"] == MOST

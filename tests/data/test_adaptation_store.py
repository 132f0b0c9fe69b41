"""What outcomes teach of their symbol: kept in their commit, and the same live as walked through at once."""

import numpy as np
import pytest
from msgspec import structs

from data.adaptation_store import AdaptationStore
from data.candle_store import CandleStore
from data.database import open_database
from data.prediction_store import PredictionStore
from market.adaptation import LOG_SLOPES, LOG_WIDTH, STATE
from market.candles import Candle, candle_table
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Prediction, Reason, Verdict
from market.range_widths import MOST, STEP
from models.adaptation import Adaptation, adapted
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


def state_of(log_width):
    state = np.zeros((len(STATE), 1))
    state[LOG_WIDTH] = log_width
    return state


def row(index, price, low=-HALF_BPS, high=HALF_BPS, probability=0.5):
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
        probability_up=probability,
        expected_return_bps=0.0,
        low_bps=low,
        high_bps=high,
        coverage=0.8,
        edge_bps=-24.0,
    )


def close(engine, index, price):
    candle = Candle("BTCUSDT", START + index * STEP_MS, price, price, price, price, 1.0)
    CandleStore(engine, "5m").append_table("BTCUSDT", candle_table([candle]))


def test_what_is_told_live_is_what_a_walk_through_the_same_candles_tells(engine):
    count = 400
    random = np.random.default_rng(1)
    prices = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.003, count)))
    returns = np.full((1, count), np.nan)
    returns[0, :-HORIZON] = (prices[HORIZON:] / prices[:-HORIZON] - 1.0) * 10_000.0
    lean = np.where(np.nan_to_num(returns) > 0.0, 0.05, -0.05) + random.normal(0.0, 0.1, (1, count))  # worth more
    level, half = np.clip(0.5 + lean, 0.05, 0.95), np.full((1, count), HALF_BPS)
    model = Scores(level, 100.0 * (level - 0.5), 100.0 * (level - 0.5) - half, 100.0 * (level - 0.5) + half, 0.0 * half)
    ledger, store, told = PredictionStore(engine, "simulated", "5m"), AdaptationStore(engine, "5m"), []
    for index, price in enumerate(prices.tolist()):  # as the loop does: append, predict, publish, score
        close(engine, index, price)
        scores = adapted(model.at((slice(None), index)), store.load().of("1h", ["BTCUSDT"]))
        told.append([scores.probability_up[0], scores.low_bps[0], scores.high_bps[0]])
        ledger.publish([row(index, price, float(told[-1][1]), float(told[-1][2]), float(told[-1][0]))])
        ledger.score(START + (index + 1) * STEP_MS)

    walk = Adaptation(1, HORIZON, 0.8)
    walked = walk.through([(model, returns)])[0]
    np.testing.assert_allclose(np.array(told).T, [walked.probability_up[0], walked.low_bps[0], walked.high_bps[0]])
    np.testing.assert_allclose(store.load().of("1h", ["BTCUSDT"]), walk.state, rtol=1e-9)
    assert walk.state[LOG_SLOPES, 0].max() > 0.2
    assert abs(walk.state[LOG_WIDTH, 0]) > 0.3


def test_rows_scored_at_once_teach_as_if_scored_one_by_one(engine, tmp_path):
    prices = (100.0 * np.exp(np.cumsum(np.random.default_rng(2).normal(0.0, 0.003, 60)))).tolist()
    later = open_database(tmp_path / "simulated-2.db")
    for index, price in enumerate(prices):
        for database in (engine, later):
            close(database, index, price)
            PredictionStore(database, "simulated", "5m").publish([row(index, price, probability=0.75)])
        PredictionStore(engine, "simulated", "5m").score(START + (index + 1) * STEP_MS)

    PredictionStore(later, "simulated", "5m").score(START + len(prices) * STEP_MS)

    one_by_one, at_once = (AdaptationStore(database, "5m").load().of("1h", ["BTCUSDT"]) for database in (engine, later))
    assert one_by_one.all()
    np.testing.assert_array_equal(at_once, one_by_one)
    later.dispose()


def test_a_state_survives_a_restart_and_what_it_began_with_stays(engine, tmp_path):
    AdaptationStore(engine, "5m").begin("1h", ["BTCUSDT"], state_of(0.5))
    close(engine, 0, 100.0)
    close(engine, HORIZON, 101.0)
    ledger = PredictionStore(engine, "simulated", "5m")
    ledger.publish([row(0, 100.0, probability=0.6)])
    ledger.score(START + (HORIZON + 1) * STEP_MS)
    before = AdaptationStore(engine, "5m").load().of("1h", ["BTCUSDT"])
    engine.dispose()

    again = AdaptationStore(open_database(tmp_path / "simulated-1.db"), "5m")
    again.begin("1h", ["BTCUSDT", "ETHUSDT"], np.hstack((state_of(-1.0), state_of(0.25))))

    kept = again.load()
    np.testing.assert_array_equal(kept.of("1h", ["BTCUSDT"]), before)
    assert before[LOG_WIDTH, 0] == pytest.approx(0.5 + 0.8 * STEP / HORIZON)
    assert before[LOG_SLOPES, 0][0] > 0.0
    np.testing.assert_array_equal(
        np.hstack((kept.of("1h", ["ETHUSDT"]), kept.of("4h", ["BTCUSDT"]))), np.hstack((state_of(0.25), state_of(0)))
    )


def test_a_database_that_kept_widths_alone_goes_on_with_them(engine, tmp_path):
    path = tmp_path / "simulated-1.db"
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE adaptations")
        connection.exec_driver_sql(
            "CREATE TABLE range_widths (symbol TEXT, horizon TEXT, interval TEXT, log_width FLOAT NOT NULL, "
            "PRIMARY KEY (symbol, horizon, interval)) WITHOUT ROWID"
        )
        connection.exec_driver_sql("INSERT INTO range_widths VALUES ('BTCUSDT', '1h', '5m', 0.75)")
        connection.exec_driver_sql("PRAGMA user_version = 5")
    engine.dispose()

    migrated = open_database(path)

    np.testing.assert_array_equal(AdaptationStore(migrated, "5m").load().of("1h", ["BTCUSDT"]), state_of(0.75))
    with migrated.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name = 'range_widths'").all()
    assert tables == []
    migrated.dispose()


def test_a_row_without_a_prediction_teaches_nothing(engine):
    close(engine, 0, 100.0)
    close(engine, HORIZON, 101.0)
    ledger = PredictionStore(engine, "simulated", "5m")
    without = dict.fromkeys(("probability_up", "expected_return_bps", "low_bps", "high_bps", "coverage", "edge_bps"))
    ledger.publish([structs.replace(row(0, 100.0), **without, model=None, reason=Reason.TOO_FEW_CANDLES)])

    assert len(ledger.score(START + (HORIZON + 1) * STEP_MS)) == 1
    assert not AdaptationStore(engine, "5m").load().of("1h", ["BTCUSDT"]).any()


def test_a_width_stays_within_bounds(engine):
    store = AdaptationStore(engine, "5m")
    store.begin("1h", ["BTCUSDT"], state_of(MOST))
    close(engine, 0, 100.0)
    close(engine, HORIZON, 200.0)
    ledger = PredictionStore(engine, "simulated", "5m")
    ledger.publish([row(0, 100.0)])

    ledger.score(START + (HORIZON + 1) * STEP_MS)

    assert store.load().of("1h", ["BTCUSDT"])[LOG_WIDTH] == MOST

"""From closed candles to features that can be trusted, or a reason why not."""

import numpy as np
import pytest

from data.adaptation_store import Adaptations
from data.candle_store import CandleStore
from data.database import open_database
from engine.forecaster import Case, FeatureBoard, Forecaster, Horizon, Rows, ServedHorizon, Span, prediction_of
from features.feature_engineering import OWN_COLUMNS, WARMUP, compute_features
from market.candles import CANDLES, Candle
from market.intervals import HOUR_MS, MINUTE_MS
from market.predictions import Origin, Reason, Verdict
from models.scores import Scores
from utils.model_utils import BatchPredictor

STEP = 5 * MINUTE_MS
START = 1_750_000_200_000 // STEP * STEP
CASE = Case("BTCUSDT", START, 100.0, Span("5m", STEP, Horizon("1h", HOUR_MS)), 24.0, Origin.LIVE)


def walk(count, seed=1):
    """Return a table of candles of a random walk."""
    random = np.random.default_rng(seed)
    table = np.zeros(count, CANDLES)
    table["open_ms"] = START + np.arange(count) * STEP
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.002, count)))
    table["close"] = close
    table["open"] = np.r_[100.0, close[:-1]]
    reach = close * random.uniform(0, 0.002, count)
    table["high"] = np.maximum(table["open"], close) + reach
    table["low"] = np.minimum(table["open"], close) - reach
    table["volume"] = random.uniform(1, 9, count)
    return table


def candle(table, index, symbol="BTCUSDT"):
    return Candle(symbol, *table[index].item())


def own(rows):
    return rows.values[0, : len(OWN_COLUMNS)]


@pytest.fixture
def store(tmp_path):
    engine = open_database(tmp_path / "test.db")
    yield CandleStore(engine, "5m")
    engine.dispose()


def test_a_live_step_gives_the_numbers_of_the_whole_history(store):
    table = walk(WARMUP + 60)
    store.append_table("BTCUSDT", table[:-1])
    board = FeatureBoard(["BTCUSDT"], store, STEP)

    rows = board.step([candle(table, -1)])[0]

    assert rows.reasons == [None]
    np.testing.assert_allclose(own(rows), compute_features(table, STEP)[-1], rtol=1e-9, atol=1e-9)


def test_a_candle_seen_before_moves_nothing(store):
    table = walk(WARMUP + 5)
    store.append_table("BTCUSDT", table)
    board = FeatureBoard(["BTCUSDT"], store, STEP)

    assert board.step([candle(table, -1), candle(table, -2)]) == []


def test_a_young_symbol_has_too_few_candles(store):
    table = walk(50)
    store.append_table("BTCUSDT", table[:-1])

    rows = FeatureBoard(["BTCUSDT"], store, STEP).step([candle(table, -1)])[0]

    assert rows.reasons == [Reason.TOO_FEW_CANDLES]


def test_a_hole_in_the_history_is_a_gap_until_the_features_are_warm_again(store):
    table = walk(2 * WARMUP)
    store.append_table("BTCUSDT", np.delete(table[:-1], -100))
    board = FeatureBoard(["BTCUSDT"], store, STEP)

    rows = board.step([candle(table, -1)])[0]

    assert rows.reasons == [Reason.GAPPED]
    assert board.holes() == {"BTCUSDT": int(table["open_ms"][-101])}


def test_a_candle_missing_in_the_flow_is_a_gap(store):
    table = walk(WARMUP + 40)
    store.append_table("BTCUSDT", table[:-2])
    board = FeatureBoard(["BTCUSDT"], store, STEP)
    store.append_table("BTCUSDT", table[-1:])

    rows = board.step([candle(table, -1)])[0]

    assert rows.reasons == [Reason.GAPPED]


def test_a_missing_candle_that_was_kept_meanwhile_is_no_gap(store):
    table = walk(WARMUP + 40)
    store.append_table("BTCUSDT", table[:-2])
    board = FeatureBoard(["BTCUSDT"], store, STEP)
    store.append_table("BTCUSDT", table[-2:])

    rows = board.step([candle(table, -1)])[0]

    assert rows.reasons == [None]
    np.testing.assert_allclose(own(rows), compute_features(table, STEP)[-1], rtol=1e-9, atol=1e-9)


def test_candles_of_one_close_are_one_group(store):
    tables = {"BTCUSDT": walk(WARMUP + 3, 1), "ETHUSDT": walk(WARMUP + 3, 2)}
    for symbol, table in tables.items():
        store.append_table(symbol, table[:-2])
    board = FeatureBoard(list(tables), store, STEP)

    groups = board.step([candle(table, index, symbol) for symbol, table in tables.items() for index in (-2, -1)])

    assert [[one.symbol for one in rows.candles] for rows in groups] == [["BTCUSDT", "ETHUSDT"]] * 2


@pytest.mark.parametrize(
    ("expected", "strangeness", "expires", "verdict", "reason"),
    [
        (30.0, 1.0, HOUR_MS, Verdict.UP, None),
        (-30.0, 0.5, HOUR_MS, Verdict.DOWN, None),
        (24.0, 0.5, HOUR_MS, Verdict.ABSTAIN, Reason.COST),
        (30.0, 1.01, HOUR_MS, Verdict.ABSTAIN, Reason.OUT_OF_DISTRIBUTION),
        (24.0, np.inf, HOUR_MS, Verdict.ABSTAIN, Reason.OUT_OF_DISTRIBUTION),
        (30.0, 9.0, 0, Verdict.ABSTAIN, Reason.MODEL_EXPIRED),
    ],
)
def test_the_verdict_is_what_the_move_leaves_after_costs(expected, strangeness, expires, verdict, reason):
    served = ServedHorizon("m-1", 0.8, START + expires)

    row = prediction_of(CASE, (0.6, expected, -90.0, 150.0, strangeness), served, None)

    assert (row.verdict, row.reason) == (verdict, reason)
    assert row.probability_up == 0.6
    assert row.edge_bps == abs(expected) - 24.0
    assert (row.made_ms, row.due_ms) == (START + STEP, START + STEP + HOUR_MS)


def test_without_figures_nothing_is_filled_in():
    row = prediction_of(CASE, None, None, Reason.MODEL_MISSING)

    assert (row.verdict, row.reason) == (Verdict.ABSTAIN, Reason.MODEL_MISSING)
    assert (row.probability_up, row.edge_bps, row.coverage, row.model) == (None, None, None, None)


class Sixty:
    """A model that says 60 % and 20 basis points, and a range of 100 to both sides."""

    def predict(self, rows, block_rows):
        level = np.full(len(rows), 0.6)
        return Scores(level, level * 0.0 + 20.0, level * 0.0 - 80.0, level * 0.0 + 120.0, level)


def test_probability_and_range_are_as_their_own_symbol_asks_for():
    horizons = [Horizon("1h", HOUR_MS), Horizon("4h", 4 * HOUR_MS)]
    forecaster = Forecaster(BatchPredictor(lambda name: Sixty(), 32), "5m", horizons, 24.0)
    forecaster.served = {name: ServedHorizon("m-1", 0.8, START + 8 * HOUR_MS) for name in ("1h", "4h")}
    state = np.array([[np.log(2.0), np.log(2.0), 0.0, 0.0, 0.0, 0.0]]).T
    forecaster.adaptations = Adaptations([("ETHUSDT", "1h")], state)
    table = walk(1)
    rows = Rows([candle(table, 0), candle(table, 0, "ETHUSDT")], np.zeros((2, 3)), [None, None])

    made = forecaster.predict(rows, STEP)

    told = 9.0 / 13.0  # odds of 3:2, squared
    expected = 20.0 * (told - 0.5) / 0.1
    assert [row.probability_up for row in made] == pytest.approx([0.6, told, 0.6, 0.6])
    assert [row.expected_return_bps for row in made] == pytest.approx([20.0, expected, 20.0, 20.0])
    assert [row.high_bps for row in made] == pytest.approx([120.0, expected + 200.0, 120.0, 120.0])
    assert [row.low_bps for row in made] == pytest.approx([-80.0, expected - 200.0, -80.0, -80.0])

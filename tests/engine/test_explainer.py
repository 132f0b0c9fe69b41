"""Reasons follow the prediction they explain, and never stand in its way."""

import logging

import numpy as np
import pytest

from data.adaptation_store import Adaptations
from data.database import open_database
from data.explanation_store import ExplanationStore
from engine.explainer import Explainer
from engine.forecaster import Forecaster, Horizon, Rows, ServedHorizon
from market.candles import Candle
from market.errors import ModelError
from market.predictions import Reason
from models.adaptation import adapted_contributions
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import synthetic_panel
from utils.model_utils import BatchPredictor
from utils.times import iso_utc

STEP = 300_000
OPEN_MS = 1_763_640_000_000


@pytest.fixture(scope="module")
def market():
    return synthetic_panel(symbols=6, candles=5_000, seed=2)


@pytest.fixture(scope="module")
def model(market):
    settings = TrainingSettings(replay_candles=600, folds=1, max_rows=8_000)
    return train_horizon(market, "5m", "1h", 12, settings).model


@pytest.fixture
def store(tmp_path):
    engine = open_database(tmp_path / "test.db")
    yield ExplanationStore(engine, "5m")
    engine.dispose()


@pytest.fixture
def rows(market):
    lean = np.abs(market.features[0, :, market.columns.index("balance")])
    values = market.features[:, np.nanargmax(lean)].astype(np.float64)
    values[2] = np.nan
    candles = [Candle(symbol, OPEN_MS, 1.0, 1.0, 1.0, 1.0, 1.0) for symbol in market.symbols]
    return Rows(candles, values, [None, None, Reason.GAPPED, None, None, None])


@pytest.fixture
def adaptations(market):
    """Return what the outcomes of the first symbol have taught; nothing is known of the others."""
    return Adaptations([(market.symbols[0], "1h")], np.array([[0.2, 0.9, -0.5, 0.0, 0.0, 0.0]]).T)


@pytest.fixture
def predictions(model, rows, adaptations):
    forecaster = Forecaster(BatchPredictor(lambda _: model, 32), "5m", [Horizon("1h", 12 * STEP)], 24.0)
    forecaster.served = {"1h": ServedHorizon(model.id, 0.8, OPEN_MS + 1_000 * STEP)}
    forecaster.adaptations = adaptations
    return forecaster.predict(rows, STEP)


def told(store, market, rows, one):
    inputs = dict(zip(market.columns, rows.values[market.symbols.index(one.symbol)].tolist(), strict=True))
    facts = {"symbol": one.symbol, "horizon": one.horizon, "model": one.model, "inputs": inputs}
    return store.of({**facts, "candle_open_time": iso_utc(OPEN_MS), "probability_up": one.probability_up})


def test_every_prediction_is_explained_by_the_model_that_made_it(store, market, model, rows, predictions, adaptations):
    Explainer(lambda _: model, store).explain(rows, predictions, adaptations)

    for place, one in enumerate(predictions):
        reasons = told(store, market, rows, one)
        if place == 2:
            assert reasons["contributions"] == []
            continue
        state = adaptations.of("1h", [one.symbol])
        base, points = adapted_contributions(model.contributions(rows.values[place][None]), state)
        assert base[0] + points.sum() == pytest.approx(one.probability_up, abs=1e-9)
        expected = {column: points[0, at] for at, column in enumerate(market.columns)}
        for part in reasons["contributions"]:
            assert part["contribution"] == pytest.approx(expected[part["feature"]], rel=1e-6)
        assert reasons["base_probability"] == pytest.approx(base[0], abs=1e-9)
        assert {case["symbol"] for case in reasons["nearest_cases"]} <= set(market.symbols)
    assert told(store, market, rows, predictions[0])["contributions"][0]["feature"] == "balance"


def test_a_model_that_is_gone_leaves_predictions_without_reasons(store, market, rows, predictions, adaptations, caplog):
    def load(name):
        raise ModelError(f"{name} is gone")

    with caplog.at_level(logging.WARNING):
        Explainer(load, store).explain(rows, predictions, adaptations)

    assert "is gone" in caplog.text
    assert told(store, market, rows, predictions[0])["contributions"] == []

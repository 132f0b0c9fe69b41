"""What a served model says of a row, and why."""

import numpy as np
import pytest

from models import families
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import synthetic_panel


@pytest.fixture(scope="module")
def market():
    return synthetic_panel(symbols=10, candles=6_000, seed=1)


@pytest.fixture(scope="module", params=list(families))
def model(request, market):
    settings = TrainingSettings(replay_candles=600, folds=1, max_rows=8_000, families=(request.param,))
    return train_horizon(market, "5m", "1h", 12, settings).model


def test_base_and_contributions_are_the_calibrated_probability(market, model):
    rows = market.features[:, -200:].reshape(-1, len(market.columns)).astype(np.float64)

    told = model.contributions(rows)

    assert np.abs(told.base + told.values.sum(axis=1) - model.predict(rows).probability_up).max() < 1e-9
    assert 0.01 <= told.base <= 0.99


def test_the_planted_lean_is_named_first_where_it_decides(market, model):
    rows = market.features[0, -500:].astype(np.float64)
    strong = np.argsort(np.abs(rows[:, market.columns.index("balance")]))[-50:]

    told = model.contributions(rows[strong])

    names = [market.columns[place] for place in np.abs(told.values).argmax(axis=1)]
    assert names.count("balance") > 40


def test_contributions_push_the_way_the_score_went(market, model):
    rows = market.features[0, -500:].astype(np.float64)

    told = model.contributions(rows)
    raw = model.form.contributions(rows)

    assert (told.values * raw.values >= 0.0).all()

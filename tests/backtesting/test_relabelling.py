"""Outcomes that stand elsewhere in time: all moves are there, none where a feature could know it."""

import numpy as np
import pytest

from backtesting.relabelling import shifted_labels, shuffled_labels
from models.panel import Panel

CANDLES = 1_200
HORIZON = 12
LOOKED_BACK = CANDLES // 3  # no move stands nearer than this behind where it was


@pytest.fixture
def numbered():
    """Return a panel in which the move of each candle tells its number."""
    logs = np.cumsum(np.arange(CANDLES) * 1e-6)
    close = np.exp(np.vstack((logs, -logs)))
    return Panel(("A", "B"), ("volatility",), "volatility", np.arange(CANDLES) * 60_000, close[..., None], close)


def origins(panel):
    """Return from which candle the move of each candle was taken."""
    return np.rint(np.diff(np.log(panel.close[0])) * 1e6).astype(int)


@pytest.mark.parametrize(
    "relabelled", [lambda panel: shuffled_labels(panel, HORIZON, 1), lambda p: shifted_labels(p, 0.4)]
)
def test_every_move_is_there_once_and_features_stay(numbered, relabelled):
    result = relabelled(numbered)

    assert sorted(origins(result)) == list(range(1, CANDLES))
    np.testing.assert_array_equal(result.features, numbered.features)
    np.testing.assert_allclose(np.log(result.close[1] * result.close[0]), 0.0, atol=1e-9)  # symbols move together


def test_no_move_stands_where_a_feature_looks_back_on_it(numbered):
    for panel in (shuffled_labels(numbered, HORIZON, 1), shifted_labels(numbered, 0.4)):
        behind = np.arange(1, CANDLES) - origins(panel)

        assert not ((behind >= 0) & (behind < LOOKED_BACK - 4 * HORIZON)).any()


def test_moves_of_two_horizons_stay_together(numbered):
    breaks = np.count_nonzero(np.diff(origins(shuffled_labels(numbered, HORIZON, 1))) != 1)

    assert 6 < breaks <= CANDLES // (2 * HORIZON)


def test_another_seed_shuffles_otherwise(numbered):
    one, other = (origins(shuffled_labels(numbered, HORIZON, seed)) for seed in (1, 2))

    assert (one != other).any()


def test_a_missing_candle_stays_missing(numbered):
    numbered.close[0, 100:140] = np.nan

    result = shuffled_labels(numbered, HORIZON, 1)

    np.testing.assert_array_equal(np.isnan(result.close), np.isnan(numbered.close))
    assert (result.close[1] > 0).all()

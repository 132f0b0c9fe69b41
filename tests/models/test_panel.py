import numpy as np
import pytest

from market.errors import ModelError
from models.panel import Panel, outcomes_of, sample


def panel(close, columns=("volatility_bps", "other")):
    close = np.array(close, float)
    features = np.ones((*close.shape, len(columns)), np.float32)
    names = tuple(f"S{number}" for number in range(len(close)))
    return Panel(names, columns, "volatility_bps", np.arange(close.shape[1]) * 60_000, features, close)


def test_the_outcome_is_the_simple_return_in_basis_points():
    outcomes = outcomes_of(panel([[100.0, 101.0, 102.0, 101.0]]), 2)

    assert outcomes.return_bps[0, :2] == pytest.approx([200.0, 0.0])
    assert np.isnan(outcomes.return_bps[0, 2:]).all()


def test_a_tie_is_not_up():
    market = panel([[100.0, 100.0, 101.0]])

    rows = sample(market, outcomes_of(market, 1), range(3), 100)

    assert rows.up.tolist() == [False, True]


def test_missing_candles_have_no_label_and_no_row():
    market = panel([[100.0, np.nan, 102.0, 103.0, 104.0]])
    market.features[0, 3, 1] = np.nan

    rows = sample(market, outcomes_of(market, 1), range(5), 100)

    assert rows.times.tolist() == [2]


def test_too_many_rows_are_thinned_evenly_over_symbols_and_time():
    market = panel(np.random.default_rng(1).uniform(90, 110, (10, 1_000)))

    rows = sample(market, outcomes_of(market, 1), range(100, 900), 1_000)

    assert len(rows) == 1_000
    assert rows.times.min() >= 100
    assert np.ptp(np.bincount((rows.times - 100) // 100)) <= 10


def test_the_usual_move_grows_with_the_root_of_time():
    market = panel([[100.0, 100.0, 100.0, 100.0, 101.0]])

    rows = sample(market, outcomes_of(market, 4), range(5), 100)

    assert rows.moves.tolist() == pytest.approx([100.0 / 2.0])


def test_refuses_shapes_that_do_not_fit():
    with pytest.raises(ModelError, match="closes"):
        Panel(("A",), ("v",), "v", np.arange(3), np.zeros((1, 3, 1)), np.zeros((1, 4)))
    with pytest.raises(ModelError, match="scale column"):
        Panel(("A",), ("v",), "w", np.arange(3), np.zeros((1, 3, 1)), np.zeros((1, 3)))

"""Honest training, shown on a made-up market whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from market.errors import ModelError
from models.job import balanced
from models.panel import Sample, outcomes_of
from models.scores import Scores, record_of
from models.training import TrainingSettings, train_horizon
from models.validation import needed_candles
from tests.models.synthetic import synthetic_panel

HORIZON = 12
SETTINGS = TrainingSettings(replay_candles=3_000, folds=2, max_rows=20_000, threads=2)


@pytest.fixture(scope="module")
def market():
    return synthetic_panel(symbols=20, candles=9_000, seed=1)


@pytest.fixture(scope="module")
def trained(market):
    return train_horizon(market, "5m", "1h", HORIZON, SETTINGS)


def replayed_record(market, trained, symbols):
    """Return the out-of-sample record of some symbols."""
    returns = outcomes_of(market, HORIZON).return_bps[symbols]
    parts = [[values[symbols].ravel() for values in fold.scores.columns()] for fold in trained.folds]
    joined = Scores(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return record_of(joined, np.concatenate([returns[:, fold.first : fold.last + 1].ravel() for fold in trained.folds]))


def test_the_planted_edge_is_found(market, trained):
    assert replayed_record(market, trained, [0]).brier_skill > 0.05


def test_symbols_that_are_pure_noise_show_no_skill(market, trained):
    record = replayed_record(market, trained, list(range(1, 20)))

    assert abs(1.0 - record.brier / 0.25) < 0.003


def test_without_an_edge_nothing_is_found():
    market = synthetic_panel(symbols=10, candles=6_000, seed=3, edge_share=0.0)

    trained = train_horizon(market, "5m", "1h", HORIZON, SETTINGS)

    assert abs(1.0 - replayed_record(market, trained, list(range(10))).brier / 0.25) < 0.004


def test_the_range_keeps_about_what_it_claims(trained):
    for record in trained.records.values():
        assert record.coverage_kept == pytest.approx(0.8, abs=0.05)


def test_same_panel_and_settings_give_the_same_model_and_numbers(market, trained):
    again = train_horizon(market, "5m", "1h", HORIZON, replace(SETTINGS, threads=1))

    assert again.model.id == trained.model.id
    for fold, other in zip(again.folds, trained.folds, strict=True):
        assert np.array_equal(fold.scores.probability_up, other.scores.probability_up, equal_nan=True)


def test_settings_on_which_the_record_depends_are_part_of_the_name(market, trained):
    dearer = train_horizon(market, "5m", "1h", HORIZON, replace(SETTINGS, cost_bps=30.0))

    assert dearer.model.id != trained.model.id
    assert {name: array.tolist() for name, array in dearer.model.arrays().items()} == {
        name: array.tolist() for name, array in trained.model.arrays().items()
    }


def test_a_fold_knows_nothing_of_what_comes_after_it_begins(market, trained):
    first = trained.folds[0].first
    masked = replace(market, close=market.close.copy(), features=market.features)
    masked.close[:, first + 1 :] *= np.random.default_rng(9).uniform(0.5, 2.0, masked.close[:, first + 1 :].shape)

    again = train_horizon(masked, "5m", "1h", HORIZON, SETTINGS)

    told, twin = trained.folds[0].scores.probability_up, again.folds[0].scores.probability_up
    undue = slice(HORIZON + 1)  # then the slopes of each symbol know the first outcomes of the fold itself
    assert np.array_equal(told[:, undue], twin[:, undue], equal_nan=True)
    assert not np.array_equal(told, twin, equal_nan=True)


def test_folds_join_and_reach_up_to_the_cut(market, trained):
    assert trained.folds[0].first == 6_000
    assert trained.folds[0].last + 1 == trained.folds[1].first
    assert trained.folds[-1].last == 8_999
    assert trained.cut_ms == market.open_ms[-1] + 300_000
    assert [fold.model_id for fold in trained.folds] == [f"{trained.model.id}-w0", f"{trained.model.id}-w1"]


def test_low_and_high_enclose_the_expected_return(trained):
    scores = trained.folds[0].scores

    assert (scores.low_bps < scores.expected_return_bps).all()
    assert (scores.expected_return_bps < scores.high_bps).all()
    assert (np.sign(scores.expected_return_bps) == np.sign(scores.probability_up - 0.5)).all()


def test_rows_with_a_hole_get_no_prediction(market, trained):
    rows = np.vstack((market.features[3, 5_000], market.features[3, 10])).astype(np.float64)

    scores = trained.model.predict(rows)

    for values in scores.columns():
        assert np.isnan(values).tolist() == [False, True]


@pytest.mark.parametrize(("symbols", "candles", "horizon"), [(2, 576, 12), (5, 576, 48), (5, 2_880, 240)])
def test_small_markets_are_trained_too(symbols, candles, horizon):
    market = synthetic_panel(symbols, candles, seed=5)

    trained = train_horizon(market, "5m", "span", horizon, TrainingSettings(replay_candles=300))

    probability = trained.model.predict(market.features[:, -1].astype(np.float64)).probability_up
    assert np.abs(probability - 0.5).max() < 0.3


def test_too_short_a_history_says_what_is_missing():
    market = synthetic_panel(5, 576, seed=5)

    with pytest.raises(ModelError, match=rf"1d on 5m has 240 labelled candles, needs {needed_candles(288) - 288}"):
        train_horizon(market, "5m", "1d", 288, TrainingSettings(replay_candles=300))


def test_a_market_without_one_usable_row_is_refused():
    market = synthetic_panel(2, 2_000, seed=5)
    market.features[:] = np.nan

    with pytest.raises(ModelError, match="0 labelled candles"):
        train_horizon(market, "5m", "1h", 12, TrainingSettings(replay_candles=300))


def test_a_market_that_never_moves_is_refused_not_guessed():
    market = synthetic_panel(2, 2_000, seed=5)
    market.close[:] = 100.0

    with pytest.raises(ModelError, match="labelled rows of both outcomes"):
        train_horizon(market, "5m", "1h", 12, TrainingSettings(replay_candles=300))


def test_tells_how_far_it_is(market):
    told = []

    train_horizon(
        market, "5m", "1h", HORIZON, replace(SETTINGS, max_rows=2_000), lambda done, total: told.append((done, total))
    )

    assert told == [(0, 12), (4, 12), (8, 12), (12, 12)]


def test_training_rows_rise_as_often_as_they_fall_in_every_block():
    times = np.arange(24_000) // 1_000
    up = np.random.default_rng(1).random(24_000) < np.where(times % 4 < 2, 0.9, 0.2)
    rows = Sample(np.zeros((24_000, 1), np.float32), up, np.zeros(24_000), times, np.zeros_like(times))

    chosen = balanced(rows, block_candles=2)

    shares = np.bincount(times[chosen] // 2, up[chosen]) / np.bincount(times[chosen] // 2)
    assert np.abs(shares - 0.5).max() < 0.06
    assert abs(len(chosen) - len(up)) < 0.05 * len(up)


def test_with_a_half_life_older_rows_are_chosen_less_often():
    times = np.arange(24_000)
    up = np.random.default_rng(2).random(24_000) < 0.5
    rows = Sample(np.zeros((24_000, 1), np.float32), up, np.zeros(24_000), times, np.zeros_like(times))

    chosen = balanced(rows, block_candles=100, half_life_candles=8_000)

    counts = np.bincount(times[chosen] // 8_000)
    assert counts[0] / counts[1] == pytest.approx(0.5, abs=0.03)
    assert counts[1] / counts[2] == pytest.approx(0.5, abs=0.03)
    assert abs(len(chosen) - len(up)) < 0.02 * len(up)

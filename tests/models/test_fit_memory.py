"""A walk-forward that repeats fits nothing; one changed parameter fits only what it touches."""

from dataclasses import replace

import numpy as np
import pytest

from data.fit_shelf import FitShelf
from models.fit_memory import FitMemory
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import synthetic_panel

HORIZON = 12
FOLDS, FAMILIES = 3, ("hist_gradient_boosting", "logistic_regression")
SETTINGS = TrainingSettings(replay_candles=900, folds=FOLDS, max_rows=4_000, families=FAMILIES)
TRIAL = 1  # of the columns of stable use, in the newest fold
ALL = FOLDS * len(FAMILIES) + TRIAL


class CountingShelf(FitShelf):
    """A shelf that counts what had to be made because it was not there."""

    def __init__(self, folder):
        super().__init__(folder)
        self.taught = self.calibrated = 0

    def keep(self, key, arrays):
        self.calibrated += "calibration" in arrays
        self.taught += "nodes" in arrays or "linear" in arrays
        super().keep(key, arrays)


@pytest.fixture(scope="module")
def market():
    return synthetic_panel(symbols=4, candles=2_400, seed=2)


@pytest.fixture
def train(tmp_path):
    """Return a function that trains with what is remembered, and tells how much had to be taught and calibrated."""

    def run(panel, settings=SETTINGS):
        shelf = CountingShelf(tmp_path / "fits")
        trained = train_horizon(panel, "5m", "1h", HORIZON, settings, memory=FitMemory(panel, shelf))
        return trained, (shelf.taught, shelf.calibrated)

    return run


def same(one, other):
    return one.model.id == other.model.id and all(
        np.array_equal(a, b, equal_nan=True)
        for fold, twin in zip(one.folds, other.folds, strict=True)
        for a, b in zip(fold.scores.columns(), twin.scores.columns(), strict=True)
    )


def test_what_is_remembered_changes_no_number(market, train):
    fresh = train_horizon(market, "5m", "1h", HORIZON, SETTINGS)

    first, made = train(market)
    again, made_again = train(market)

    assert made == (ALL, ALL + 1)
    assert made_again == (0, 0)
    assert same(first, fresh)
    assert same(again, fresh)
    assert again.records == fresh.records


def test_a_parameter_of_the_calibration_teaches_no_family_again(market, train):
    train(market)

    wider, made = train(market, replace(SETTINGS, coverage=0.9))

    assert made == (0, ALL + 1)
    assert same(wider, train_horizon(market, "5m", "1h", HORIZON, replace(SETTINGS, coverage=0.9)))


def test_a_seed_teaches_every_family_again_but_calibrates_only_what_became_another_model(market, train):
    train(market)

    taught, calibrated = train(market, replace(SETTINGS, seed=2))[1]

    assert taught == ALL
    assert calibrated == ALL + 1 - FOLDS  # a logistic regression is the same by any seed


def test_one_more_family_teaches_only_itself(market, train):
    train(market)

    more = replace(SETTINGS, families=(*FAMILIES, "extra_trees"))

    assert FOLDS <= train(market, more)[1][0] <= FOLDS + TRIAL


def test_one_changed_close_teaches_only_the_folds_that_see_it(market, train):
    train(market)
    changed = replace(market, close=market.close.copy())
    first_test = market.close.shape[1] - SETTINGS.replay_candles
    changed.close[1, first_test + 10] *= 1.001

    retrained, made = train(changed)

    assert made[0] < ALL
    assert same(retrained, train_horizon(changed, "5m", "1h", HORIZON, SETTINGS))


def test_the_same_candles_at_another_place_in_the_panel_are_known(market):
    later = replace(
        market, open_ms=market.open_ms[100:], close=market.close[:, 100:], features=market.features[:, 100:]
    )

    class Empty:
        def load(self, key):
            return None

    keys = [
        FitMemory(panel, Empty()).key(("models.panel",), (span,), "teach")
        for panel, span in ((market, range(300, 900)), (later, range(200, 800)), (later, range(201, 801)))
    ]

    assert keys[0] == keys[1] != keys[2]


def test_threads_are_no_part_of_the_key(market, train):
    train(market)

    assert train(market, replace(SETTINGS, threads=2))[1] == (0, 0)

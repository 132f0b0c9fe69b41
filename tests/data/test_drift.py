"""How far features have moved is measured against their training, and nothing else moves it."""

import numpy as np
import pytest

from data.database import open_database
from data.drift import BINS, LEAST_LIMIT, counts_of, edges_of, limits_of, spread_of, stability
from data.drift_store import DRIFT_DAYS, KEPT_DAYS, DriftStore
from market.errors import ModelError

NAMES = ("still", "moved", "few values")


def rows(count, seed, shift=0.0):
    random = np.random.default_rng(seed)
    table = random.normal(size=(count, 3))
    table[:, 1] += shift
    table[:, 2] = random.integers(0, 3, count)
    return table


def days_of(table, count=4):
    return np.arange(len(table)) * count // len(table)


def spread(table):
    return spread_of(table, days_of(table))


@pytest.fixture
def store(tmp_path):
    engine = open_database(tmp_path / "test.db")
    yield DriftStore(engine, "5m")
    engine.dispose()


def test_a_feature_that_moved_is_found_and_the_others_are_not():
    training = spread(rows(5_000, seed=1))
    edges = edges_of(training, 3)

    index = stability(training, counts_of(rows(5_000, seed=2, shift=0.7), edges))

    assert index[1] > LEAST_LIMIT
    assert max(index[0], index[2]) < 0.02


def test_a_feature_that_wandered_from_day_to_day_of_its_training_may_go_on_so():
    training, later = rows(8_000, seed=1), rows(2_000, seed=2)
    training[:, 1] += np.repeat([-1.0, 0.0, 1.0, 0.0], 2_000)
    later[:, 0] += 0.9
    later[:, 1] += 0.9
    told = spread(training)

    index, limits = stability(told, counts_of(later, edges_of(told, 3))), limits_of(told)

    assert (index > LEAST_LIMIT).tolist() == [True, True, False]
    assert (index > limits).tolist() == [True, False, False]
    assert limits[0] == limits[2] == LEAST_LIMIT


def test_a_few_rows_of_a_day_say_nothing_of_how_far_a_day_lies_from_a_training():
    table = np.concatenate((rows(4_000, seed=1), rows(20, seed=2, shift=9.0)))
    days = np.append(np.repeat([1, 2, 3, 4], 1_000), [5] * 20)

    assert limits_of(spread_of(table, days)).tolist() == [LEAST_LIMIT] * 3


def test_a_spread_from_before_there_were_limits_has_the_usual_one_for_all():
    old = {name: part for name, part in spread(rows(100, seed=1)).items() if name != "limits"}

    assert limits_of(old).tolist() == [LEAST_LIMIT] * 3


@pytest.mark.parametrize("odd", [[], [0.2], [0.3, 0.3, 0.1], [0.3, None, 0.3], ["x"] * 3, "0.3"])
def test_limits_that_are_none_say_nothing(store, odd):
    store.keep(1, {"m": np.ones((3, BINS), np.int64)})

    assert store.report("m", NAMES, spread(rows(100, seed=1)) | {"limits": odd}) is None


def test_the_index_is_the_sum_over_the_tenths():
    spread = {"shares": [[0.5, 0.5] + [0.0] * 8], "edges": [[0.0] * 9]}
    counts = np.array([[80, 20] + [0] * 8])

    expected = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)

    assert np.isclose(stability(spread, counts)[0], expected)


def test_counting_candle_by_candle_gives_what_counting_all_gives():
    table = rows(300, seed=3)
    edges = edges_of(spread(rows(1_000, seed=1)), 3)

    parts = sum(counts_of(table[at : at + 7], edges) for at in range(0, 300, 7))

    assert parts.tolist() == counts_of(table, edges).tolist()
    assert parts.sum(axis=1).tolist() == [300] * 3


def test_rows_with_a_hole_count_nothing_and_nothing_at_all_is_no_spread():
    table = rows(10, seed=1)
    table[4, 0] = np.nan
    edges = edges_of(spread(rows(100, seed=1)), 3)

    assert counts_of(table, edges)[0].sum() == 9
    with pytest.raises(ModelError):
        spread(np.full((5, 3), np.nan))


def test_the_spread_of_a_panel_is_that_of_its_rows():
    panel = rows(6_000, seed=1).reshape(3, 2_000, -1)
    panel[1, :700, 0] = np.nan

    days = np.arange(2_000) // 500

    assert spread_of(panel, days) == spread_of(panel.reshape(6_000, -1), np.tile(days, 3))


def test_a_spread_of_other_features_is_refused():
    with pytest.raises(ModelError):
        edges_of(spread(rows(100, seed=1)), 4)


@pytest.mark.parametrize("odd", [{}, {"edges": None, "shares": []}, {"edges": [[1], [1, 2]], "shares": [[]]}])
def test_what_is_no_spread_says_nothing(store, odd):
    store.keep(1, {"m": np.ones((3, BINS), np.int64)})

    assert store.report("m", NAMES, odd) is None


def test_the_report_is_of_the_last_days_the_largest_first(store):
    training = spread(rows(5_000, seed=1))
    edges = edges_of(training, 3)
    store.keep(100, {"m": counts_of(rows(400, seed=2, shift=3.0), edges)})
    for day in range(100 + KEPT_DAYS, 100 + KEPT_DAYS + DRIFT_DAYS):
        store.keep(day, {"m": counts_of(rows(4_000, seed=day), edges)})

    report = store.report("m", NAMES, training)

    assert (report.n, report.days, report.is_enough) == (4_000 * DRIFT_DAYS, DRIFT_DAYS, True)
    assert not any(one.has_moved for one in report.features)
    assert [one.index for one in report.features] == sorted((one.index for one in report.features), reverse=True)


def test_a_restart_goes_on_with_the_counts_of_the_day(store):
    counts = np.full((3, BINS), 2)
    store.keep(5, {"m": counts})

    assert store.load("m", 5, 3).tolist() == counts.tolist()
    assert store.load("m", 6, 3).sum() == store.load("other", 5, 3).sum() == store.load("m", 5, 4).sum() == 0


def test_nothing_is_said_without_a_spread_or_without_rows(store):
    assert store.report("m", NAMES, None) is None
    assert store.report("m", NAMES, spread(rows(50, seed=1))) is None

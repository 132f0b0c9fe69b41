"""What every family of models must keep."""

import numpy as np
import pytest

from market.errors import ModelError
from models import families
from models.array_file import pack, unpack
from models.forest import forest_from

SEED = 3


@pytest.fixture(scope="module", params=list(families))
def taught(request, known_rows):
    """Return a family, its estimator fitted on the known rows, and the flat form of it."""
    family = families[request.param]
    estimator = family.fit(*known_rows, None, SEED, threads=2)
    return family, estimator, family.flatten(estimator)


def fresh_rows(count):
    return np.random.default_rng(11).normal(size=(count, 12)).astype(np.float32)


def test_probabilities_lie_between_0_and_1(taught):
    probability = taught[2].probability(fresh_rows(2_000) * 100.0)

    assert ((probability >= 0.0) & (probability <= 1.0)).all()


def test_learns_what_there_is_to_learn(taught):
    rows = fresh_rows(4_000)

    probability = taught[2].probability(rows)

    assert np.corrcoef(probability, rows[:, 0])[0, 1] > 0.6


def test_flat_form_decides_as_scikit_learn_does(taught):
    _, estimator, forest = taught
    rows = fresh_rows(10_000)

    probability, expected = forest.probability(rows), estimator.predict_proba(rows)[:, 1]

    assert np.abs(probability - expected).max() < 1e-7
    assert ((probability > 0.5) == estimator.predict(rows)).all()


def test_rows_exactly_on_thresholds_go_the_same_way(taught, known_rows):
    _, estimator, forest = taught
    rows = np.random.default_rng(5).permuted(np.round(known_rows[0], 1), axis=0)

    assert np.abs(forest.probability(rows) - estimator.predict_proba(rows)[:, 1]).max() < 1e-7


@pytest.mark.parametrize("count", [1, 3, 4, 31, 33, 500])
def test_many_rows_at_once_give_what_each_gives_alone(taught, count):
    forest, rows = taught[2], fresh_rows(count)

    alone = [forest.probability(row[None])[0] for row in rows]

    assert forest.probability(rows).tolist() == alone
    assert forest.probability(rows, block_rows=7).tolist() == alone


def test_base_and_contributions_add_up_to_the_score(taught):
    forest, rows = taught[2], fresh_rows(500)

    told = forest.contributions(rows)

    summed = forest.probability_of(told.base + told.values.sum(axis=1))
    assert np.abs(summed - forest.probability(rows)).max() < 1e-12


def test_the_feature_that_decides_contributes_most(taught):
    told = taught[2].contributions(fresh_rows(2_000))

    assert np.abs(told.values).mean(axis=0).argmax() == 0


def test_a_row_with_a_hole_has_no_contributions(taught):
    rows = fresh_rows(3).astype(np.float64)
    rows[1, 4] = np.nan

    assert np.isnan(taught[2].contributions(rows).values).any(axis=1).tolist() == [False, True, False]


def test_is_the_same_after_save_and_load(taught):
    forest, rows = taught[2], fresh_rows(200)

    loaded = forest_from(unpack(pack(forest.arrays())))

    assert loaded.probability(rows).tolist() == forest.probability(rows).tolist()


def test_same_seed_gives_the_same_model_on_any_number_of_threads(taught, known_rows):
    family, _, forest = taught

    again = family.flatten(family.fit(*known_rows, None, SEED, threads=1))

    assert pack(again.arrays()) == pack(forest.arrays())


def test_can_be_refitted_with_weights(taught, known_rows):
    family = taught[0]
    rows, up = known_rows
    weights = np.where(rows[:, 2] > 0, 1.0, 0.01)

    forest = family.flatten(family.fit(rows, up, weights, SEED, threads=1))

    assert np.isfinite(forest.probability(fresh_rows(10))).all()


def test_a_row_with_a_hole_has_no_probability(taught):
    rows = fresh_rows(9).astype(np.float64)
    rows[2, 5], rows[4, 0], rows[6, 1] = np.nan, np.inf, 1e300

    probability = taught[2].probability(rows)

    assert np.flatnonzero(np.isnan(probability)).tolist() == [2, 4, 6]


def test_a_damaged_file_is_refused(taught):
    content = pack(taught[2].arrays())

    for damaged in (content[:-40], content[: len(content) // 2], b"", b"\x80\x04\x95" + content):
        with pytest.raises(ModelError):
            forest_from(unpack(damaged))

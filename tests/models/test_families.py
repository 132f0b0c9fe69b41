"""What every family of models must keep."""

import numpy as np
import pytest

from market.errors import ModelError
from models import families
from models.array_file import pack, unpack
from models.linear import Linear
from models.panel import Panel
from models.serving_form import form_from, widened
from models.training import TrainingSettings, train_horizon

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
    _, estimator, form = taught
    rows = fresh_rows(10_000)

    probability, expected = form.probability(rows), estimator.predict_proba(rows)[:, 1]

    # Leaves are kept in float32, the weights of a line in float64.
    assert np.abs(probability - expected).max() < (1e-9 if isinstance(form, Linear) else 1e-7)
    assert ((probability > 0.5) == estimator.predict(rows)).all()


def test_rows_exactly_on_thresholds_go_the_same_way(taught, known_rows):
    _, estimator, form = taught
    rows = np.random.default_rng(5).permuted(np.round(known_rows[0], 1), axis=0)

    assert np.abs(form.probability(rows) - estimator.predict_proba(rows)[:, 1]).max() < 1e-7


@pytest.mark.parametrize("count", [1, 3, 4, 31, 33, 500])
def test_many_rows_at_once_give_what_each_gives_alone(taught, count):
    form, rows = taught[2], fresh_rows(count)

    alone = [form.probability(row[None])[0] for row in rows]

    assert form.probability(rows).tolist() == alone
    assert form.probability(rows, block_rows=7).tolist() == alone


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
    form, rows = taught[2], fresh_rows(200)

    loaded = form_from(unpack(pack(form.arrays())))

    assert loaded.probability(rows).tolist() == form.probability(rows).tolist()


def test_same_seed_gives_the_same_model_on_any_number_of_threads(taught, known_rows):
    family, _, form = taught

    again = family.flatten(family.fit(*known_rows, None, SEED, threads=1))

    assert pack(again.arrays()) == pack(form.arrays())


def test_can_be_refitted_with_weights(taught, known_rows):
    family = taught[0]
    rows, up = known_rows
    weights = np.where(rows[:, 2] > 0, 1.0, 0.01)

    form = family.flatten(family.fit(rows, up, weights, SEED, threads=1))

    assert np.isfinite(form.probability(fresh_rows(10))).all()


def test_a_feature_that_never_changes_changes_nothing(taught, known_rows):
    family, form, (rows, up) = taught[0], taught[2], known_rows
    still = np.hstack((rows, np.full((len(rows), 1), 3.0, np.float32)))

    with_still = family.flatten(family.fit(still, up, None, SEED, threads=1))

    wide = np.hstack((fresh_rows(4_000), np.full((4_000, 1), 3.0, np.float32)))
    probability, without = with_still.probability(wide), form.probability(wide[:, :-1])
    assert np.corrcoef(probability, without)[0, 1] > 0.95
    wide[:, -1] = 99.0
    assert with_still.probability(wide).tolist() == probability.tolist()


def test_taught_on_few_columns_it_is_asked_about_whole_rows(taught, known_rows):
    family, (rows, up) = taught[0], known_rows
    kept = [0, 1, 4, 11]
    narrow = family.flatten(family.fit(rows[:, kept], up, None, SEED, threads=1))

    wide = form_from(unpack(pack(widened(narrow, kept, 12).arrays())))

    fresh = fresh_rows(2_000)
    assert wide.feature_count == 12
    assert wide.probability(fresh).tolist() == narrow.probability(fresh[:, kept]).tolist()


@pytest.mark.parametrize("name", list(families))
def test_a_market_that_only_rises_is_refused(name):
    candles = 600
    features = np.random.default_rng(1).uniform(1.0, 2.0, (3, candles, 4)).astype(np.float32)
    close = np.tile(np.linspace(100.0, 200.0, candles), (3, 1))
    panel = Panel(("A", "B", "C"), ("a", "b", "c", "d"), "d", np.arange(candles) * 300_000, features, close)

    with pytest.raises(ModelError, match="both outcomes"):
        train_horizon(panel, "5m", "1h", 12, TrainingSettings(replay_candles=300, families=(name,)))


def test_a_row_with_a_hole_has_no_probability(taught):
    rows = fresh_rows(9).astype(np.float64)
    rows[2, 5], rows[4, 0], rows[6, 1] = np.nan, np.inf, 1e300

    probability = taught[2].probability(rows)

    assert np.flatnonzero(np.isnan(probability)).tolist() == [2, 4, 6]


def test_a_damaged_file_is_refused(taught):
    content = pack(taught[2].arrays())

    for damaged in (content[:-40], content[: len(content) // 2], b"", b"\x80\x04\x95" + content):
        with pytest.raises(ModelError):
            form_from(unpack(damaged))

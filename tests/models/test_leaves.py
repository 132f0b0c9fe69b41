import numpy as np
import pytest

from models import families
from models.flattening import Tree, first_trees, forest_of
from models.leaves import KEPT_ROWS, refitted


def stump():
    """Return a forest of one decision on feature 1 of 2: 0.25 at or below 0, 0.75 above."""
    left = np.array([1, -1, -1])
    tree = Tree(left, left + 1, np.array([1, 0, 0]), np.zeros(3), np.array([0.5, 0.25, 0.75]))
    return forest_of([tree], 2, 1.0, 0.0, is_logit=False)


def test_a_leaf_says_the_share_of_the_new_rows_and_of_what_it_said():
    rows = np.array([[0.0, -1.0]] * 150 + [[0.0, 1.0]] * 50, np.float32)
    up = np.array([True] * 120 + [False] * 80)

    forest = refitted(stump(), rows, up)

    low, high = forest.probability(np.array([[0.0, -1.0], [0.0, 1.0]]))
    assert low == pytest.approx((120 + KEPT_ROWS * 0.25) / (150 + KEPT_ROWS))
    assert high == pytest.approx((0 + KEPT_ROWS * 0.75) / (50 + KEPT_ROWS))


def test_without_rows_nothing_changes():
    forest = refitted(stump(), np.zeros((0, 2), np.float32), np.zeros(0, bool))

    assert forest.probability(np.array([[0.0, -1.0], [0.0, 1.0]])).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_the_cuts_stay_where_they_are(name, known_rows):
    rows, up = known_rows
    forest = families[name].flatten(families[name].fit(rows, up, None, 3, threads=1))

    again = refitted(forest, rows, ~up)

    is_inner = again.nodes[:, 1] == forest.nodes[:, 1]
    assert is_inner.all()
    assert again.starts.tolist() == forest.starts.tolist()
    before, after = forest.probability(rows), again.probability(rows)
    assert np.corrcoef(before, after)[0, 1] < -0.9


def test_fewer_trees_are_the_first_ones(known_rows):
    rows, up = known_rows
    family = families["random_forest"]
    estimator = family.fit(rows, up, None, 3, threads=1)

    few = first_trees(family.flatten(estimator), 5)

    expected = np.mean([tree.predict_proba(rows)[:, 1] for tree in estimator.estimators_[:5]], axis=0)
    assert np.abs(few.probability(rows) - expected).max() < 1e-7


def test_fewer_boosting_stages_are_the_first_ones(known_rows):
    rows, up = known_rows
    family = families["hist_gradient_boosting"]
    estimator = family.fit(rows, up, None, 3, threads=1)

    few = first_trees(family.flatten(estimator), 7)

    expected = list(estimator.staged_predict_proba(rows))[6][:, 1]
    assert np.abs(few.probability(rows) - expected).max() < 1e-7

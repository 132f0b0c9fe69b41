import numpy as np
import pytest

from market.errors import ModelError
from models.linear import Linear, linear_from

TABLE = np.array([[1.0, 0.0], [2.0, 1.0], [0.5, -1.0]])


def test_adds_weighted_distances_that_are_held():
    line = Linear(TABLE, bias=0.25, limit=3.0)

    probability = line.probability(np.array([[1.0, 0.0], [3.0, 2.0], [1e9, -1e9]]))

    expected = [0.25, 0.25 + 0.5 - 2.0, 0.25 + 1.5 + 3.0]
    assert np.log(probability / (1.0 - probability)) == pytest.approx(expected)


def test_rounds_rows_as_in_training():
    line = Linear(np.array([[0.0], [1.0], [1.0]]), 0.0, 4.0)

    assert line.probability(np.array([[0.1]])) == line.probability(np.array([[float(np.float32(0.1))]]))


@pytest.mark.parametrize(
    ("table", "numbers", "reason"),
    [
        (None, np.array([0.0, 4.0]), "missing"),
        (TABLE, None, "missing"),
        (TABLE, np.array([0.0]), "two numbers"),
        (TABLE, np.array([0, 4]), "two numbers"),
        (TABLE, np.array([np.nan, 4.0]), "not finite"),
        (TABLE, np.array([0.0, -1.0]), "above 0"),
        (TABLE.astype(np.float32), np.array([0.0, 4.0]), "not float64"),
        (TABLE[:2], np.array([0.0, 4.0]), "not float64"),
        (TABLE[:, :0], np.array([0.0, 4.0]), "0 features"),
        (np.array([[0.0], [0.0], [1.0]]), np.array([0.0, 4.0]), "above 0"),
        (np.array([[0.0], [1.0], [np.inf]]), np.array([0.0, 4.0]), "not finite"),
        (np.array([[0.0], [1.0], [1e308]]), np.array([0.0, 4.0]), "too large"),
    ],
)
def test_refuses_what_is_no_line(table, numbers, reason):
    arrays = {name: array for name, array in (("linear", table), ("line", numbers)) if array is not None}

    with pytest.raises(ModelError, match=reason):
        linear_from(arrays)


def test_refuses_rows_of_another_width():
    with pytest.raises(ModelError, match="needs 2 features"):
        Linear(TABLE, 0.0, 4.0).probability(np.zeros((3, 5)))

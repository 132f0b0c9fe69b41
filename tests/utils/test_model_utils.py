from dataclasses import dataclass

import numpy as np
import pytest

from utils.model_utils import BatchPredictor


@dataclass(frozen=True)
class Sums:
    total: np.ndarray
    double: np.ndarray


class Adder:
    """A model that adds the columns and remembers how it was asked."""

    def __init__(self):
        self.asked = []

    def predict(self, rows, block_rows):
        self.asked.append((len(rows), block_rows))
        return Sums(rows.sum(axis=1), 2.0 * rows.sum(axis=1))


def test_all_rows_go_in_one_call():
    adder = Adder()

    sums = BatchPredictor({"adder": adder}.__getitem__, 32).predict("adder", np.ones((500, 3)))

    assert adder.asked == [(500, 32)]
    assert sums.total.tolist() == [3.0] * 500


def test_very_many_rows_go_in_several_calls_and_come_back_in_order():
    adder, rows = Adder(), np.arange(5_000.0)[:, None]

    sums = BatchPredictor(lambda name: adder, 2).predict("adder", rows)

    assert [count for count, _ in adder.asked] == [2_048, 2_048, 904]
    assert sums.total.tolist() == rows[:, 0].tolist()
    assert sums.double.tolist() == (2 * rows[:, 0]).tolist()


def test_no_rows_are_no_problem():
    assert len(BatchPredictor(lambda name: Adder(), 32).predict("adder", np.ones((0, 3))).total) == 0


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size=0"):
        BatchPredictor(lambda name: Adder(), 0)

import numpy as np
import pytest

from market.errors import ModelError
from models.moves import USUAL_SLOPE, fit_move, move_from

TIMES = np.arange(20_000)


def test_learns_how_far_a_probability_moves_the_price():
    random = np.random.default_rng(1)
    probability = random.uniform(0.3, 0.7, len(TIMES))
    moves = 3.0 * (probability - 0.5) + random.normal(size=len(TIMES))

    move = fit_move(probability, moves, TIMES, 24, coverage=0.8)

    assert move.slope == pytest.approx(3.0, abs=0.2)
    assert move.half_width == pytest.approx(1.28, abs=0.03)


def test_without_a_lean_falls_back_on_the_normal_move():
    moves = np.random.default_rng(2).standard_t(4, len(TIMES))

    move = fit_move(np.full(len(TIMES), 0.5), moves, TIMES, 24, coverage=0.8)

    assert move.slope == USUAL_SLOPE


def test_a_single_crash_does_not_decide_the_slope():
    random = np.random.default_rng(3)
    probability = random.uniform(0.45, 0.55, len(TIMES))
    moves = 2.5 * (probability - 0.5) + random.normal(size=len(TIMES))
    moves[np.argmin(probability)] = -1e6

    move = fit_move(probability, moves, TIMES, 24, coverage=0.8)

    assert 0.5 < move.slope < 4.5


def test_the_range_holds_what_it_claims_on_later_rows():
    random = np.random.default_rng(4)
    moves = random.standard_t(3, 2 * len(TIMES))

    move = fit_move(np.full(len(TIMES), 0.5), moves[: len(TIMES)], TIMES, 24, coverage=0.8)

    assert (np.abs(moves[len(TIMES) :]) <= move.half_width).mean() == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("numbers", [[-1.0, 1.0], [99.0, 1.0], [1.0, 0.0], [1.0, np.inf], [np.nan, 1.0], [1.0]])
def test_refuses_numbers_that_cannot_be(numbers):
    with pytest.raises(ModelError):
        move_from({"move": np.array(numbers)})

import numpy as np
import pytest

from market.errors import ModelError
from models.calibration import HIGHEST, ISOTONIC, LOWEST, PLATT, Calibration, calibrate, calibration_from
from models.forest import logistic

BLOCK = 24
SYMBOLS, CANDLES = 20, 4_000
TIMES = np.tile(np.arange(CANDLES), SYMBOLS)


def outcomes(log_odds, seed=1):
    return np.random.default_rng(seed).random(len(log_odds)) < logistic(log_odds)


def test_a_model_that_knows_nothing_says_the_base_rate():
    random = np.random.default_rng(2)
    scores = logistic(random.normal(size=len(TIMES)) * 0.5)
    up = random.random(len(TIMES)) < 0.5

    probability = calibrate(scores, up, TIMES, BLOCK).probability(scores)

    assert np.abs(probability - 0.5).max() < 0.02
    assert ((probability - up) ** 2).mean() <= 0.25 * 1.001


def test_one_lucky_stretch_of_a_market_that_moves_as_one_is_not_believed():
    # All symbols rise and fall together, the score is one slow common wave: 80,000 rows are worth a few dozen.
    random = np.random.default_rng(3)
    wave = np.sin(np.arange(CANDLES) / 400.0)
    falls = np.repeat(random.random(CANDLES // BLOCK + 1) < 0.5, BLOCK)[:CANDLES]
    scores, up = logistic(0.3 * np.tile(wave, SYMBOLS)), np.tile(falls, SYMBOLS)

    probability = calibrate(scores, up, TIMES, BLOCK).probability(scores)

    assert np.abs(probability - 0.5).max() < 0.05


def test_what_a_model_knows_is_kept_and_its_boasting_corrected():
    truth = np.random.default_rng(4).normal(size=len(TIMES)) * 0.5
    up = outcomes(truth)

    probability = calibrate(logistic(3.0 * truth), up, TIMES, BLOCK).probability(logistic(3.0 * truth))

    assert np.abs(probability - logistic(truth)).mean() < 0.01


def test_one_symbol_that_knows_is_found_among_many_that_do_not():
    random = np.random.default_rng(5)
    scores = random.normal(size=len(TIMES)) * 0.1
    truth = np.zeros(len(TIMES))
    truth[:CANDLES] = random.choice([-1.0, 1.0], CANDLES)
    scores[:CANDLES] += 0.6 * truth[:CANDLES]
    up = outcomes(truth)

    probability = calibrate(logistic(scores), up, TIMES, BLOCK).probability(logistic(scores))

    assert np.abs(probability - logistic(truth))[:CANDLES].mean() < 0.08
    assert np.abs(probability - 0.5)[CANDLES:].mean() < 0.02


def test_steps_win_where_a_line_is_clearly_wrong():
    random = np.random.default_rng(6)
    scores = random.normal(size=len(TIMES))
    up = outcomes(np.where(scores > 1.5, 1.5, np.where(scores > 0.0, -0.4, -0.5)))

    calibration = calibrate(logistic(scores), up, TIMES, BLOCK)

    assert calibration.kind == ISOTONIC


def test_probabilities_are_never_sure_and_never_turn_round():
    truth = np.linspace(-9.0, 9.0, len(TIMES))
    up = outcomes(truth)

    for shuffled in (truth, np.random.default_rng(7).permutation(truth)):
        probability = calibrate(logistic(shuffled), outcomes(shuffled), TIMES, BLOCK).probability(
            logistic(np.sort(truth))
        )
        assert (np.diff(probability) >= 0.0).all()
        assert LOWEST <= probability.min() <= probability.max() <= HIGHEST
    assert up.any()


def test_a_score_that_turns_things_upside_down_is_not_turned_round():
    truth = np.random.default_rng(8).normal(size=len(TIMES))
    up = outcomes(-truth)

    probability = calibrate(logistic(truth), up, TIMES, BLOCK).probability(logistic(truth))

    assert np.ptp(probability) < 1e-9


def test_few_rows_of_one_moment_say_even():
    times = np.arange(30)
    up = times % 3 == 0

    calibration = calibrate(np.linspace(0.3, 0.7, 30), up, times, BLOCK)

    assert calibration.probability(np.array([0.1, 0.5, 0.9])) == pytest.approx(0.5)


def test_no_score_gives_no_probability():
    calibration = Calibration(PLATT, np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))

    assert np.isnan(calibration.probability(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    "table",
    [
        None,
        np.zeros((2, 1)),
        np.zeros((3, 4)),
        np.array([[0.0, 1.0], [1.0, 0.0]]),
        np.array([[1.0, 0.0], [0.0, 1.0]]),
        np.array([[0.0, 1.0], [0.0, np.inf]]),
        np.array([[0, 1], [0, 1]]),
    ],
)
def test_refuses_a_table_that_is_not_one(table):
    with pytest.raises(ModelError, match="calibration table"):
        calibration_from(PLATT, {} if table is None else {"calibration": table})


def test_scores_of_a_few_values_only_are_calibrated_too():
    # The mean of many equal numbers is not that number to the last bit, so steps seemed to fall.
    for seed in range(40):
        random = np.random.default_rng(seed)
        scores = random.random(3)[random.integers(0, 3, 2_000)].round(3)
        up = random.random(2_000) < scores

        probability = calibrate(scores, up, TIMES[:2_000], BLOCK).probability(np.linspace(0.0, 1.0, 50))

        assert (np.diff(probability) >= 0.0).all()

import numpy as np
import pytest

from models.scores import Scores, calibration_error, record_of


def scores(probability):
    probability = np.array(probability)
    return Scores(probability, 0.0 * probability, *(bps + 0.0 * probability for bps in (-10.0, 10.0, 0.5)))


def test_scores_what_is_known():
    record = record_of(scores([0.8, 0.4, 0.6, np.nan, 0.5]), np.array([5.0, -20.0, 0.0, 1.0, np.nan]))

    assert (record.n, record.base_rate, record.coverage_kept) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert record.brier == pytest.approx((0.04 + 0.16 + 0.36) / 3)
    assert record.brier_skill == pytest.approx(1 - record.brier / (2 / 9))
    assert record.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(0.4)) / 3)


def test_there_is_no_record_without_outcomes():
    assert record_of(scores([0.5, np.nan]), np.array([np.nan, 1.0])) is None


def test_the_calibration_error_is_the_gap_between_said_and_seen():
    probability = np.repeat([0.25, 0.75], 100)
    up = np.r_[np.arange(100) < 35, np.arange(100) < 75]

    assert calibration_error(probability, up) == pytest.approx(0.05)

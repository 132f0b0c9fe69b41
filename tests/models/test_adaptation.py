"""Ranges that follow their own symbol: right in the mean, blind to what is not due, and back after a calm."""

import numpy as np
import pytest

from market.range_widths import MOST, STEP
from models.adaptation import Widths, widened
from models.scores import LOWEST_RETURN_BPS, Scores

HORIZON = 12
CLAIM = 0.8
NORMAL = 1.2816  # half width, in deviations, that holds 80 % of a normal outcome


def ranges(symbols, candles, half_bps=100.0):
    level = np.full((symbols, candles), 0.5)
    return Scores(level, level * 0.0, level * 0.0 - half_bps, level * 0.0 + half_bps, level)


def overlapping(symbols, candles, seed):
    """Return sums of `HORIZON` normal steps from each candle on, of unit size, as returns of a horizon overlap."""
    steps = np.random.default_rng(seed).normal(size=(symbols, candles + HORIZON)) / np.sqrt(HORIZON)
    sums = np.cumsum(steps, axis=1)
    return sums[:, HORIZON:] - sums[:, :-HORIZON]


def kept(scores, returns):
    return ((returns >= scores.low_bps) & (returns <= scores.high_bps)).mean(axis=1)


def test_each_symbol_keeps_the_claim_however_wrong_its_range_was():
    candles = 400 * HORIZON
    sizes = np.array([40.0, 78.0, 150.0, 200.0])[:, None]
    returns = sizes * overlapping(4, candles, seed=1)
    widths = Widths(4, HORIZON, CLAIM)

    scores = widths.through([(ranges(4, candles), returns)])[0]

    assert kept(ranges(4, candles), returns)[-1] < 0.5
    np.testing.assert_allclose(kept(scores, returns), CLAIM, atol=0.02)
    np.testing.assert_allclose(widths.log_widths, np.log(NORMAL * sizes[:, 0] / 100.0), atol=0.6)


def test_a_jump_of_the_market_is_followed():
    candles = 300 * HORIZON
    returns = overlapping(20, candles, seed=2) * np.where(np.arange(candles) < candles // 2, 50.0, 150.0)

    scores = Widths(20, HORIZON, CLAIM).through([(ranges(20, candles), returns)])[0]

    after = slice(candles // 2 + 10 * HORIZON, None)
    late = Scores(*(values[:, after] for values in scores.columns()))
    assert kept(late, returns[:, after]).mean() == pytest.approx(CLAIM, abs=0.02)


def test_a_range_knows_no_outcome_that_is_not_due_before_its_candle():
    returns = 300.0 * overlapping(2, 600, seed=3)
    other = returns.copy()
    at = 400
    other[:, at - HORIZON :] *= -7.0  # the outcome of the first of these is known at the close of candle `at`

    one = Widths(2, HORIZON, CLAIM).through([(ranges(2, 600), returns)])[0]
    two = Widths(2, HORIZON, CLAIM).through([(ranges(2, 600), other)])[0]

    np.testing.assert_array_equal(one.high_bps[:, : at + 1], two.high_bps[:, : at + 1])
    assert (one.high_bps[:, at + 1 :] != two.high_bps[:, at + 1 :]).any()


def test_spans_that_follow_on_each_other_are_one():
    returns = 90.0 * overlapping(3, 500, seed=4)
    parts = [(ranges(3, 200), returns[:, :200]), (ranges(3, 300), returns[:, 200:])]

    whole = Widths(3, HORIZON, CLAIM).through([(ranges(3, 500), returns)])[0]
    first, second = Widths(3, HORIZON, CLAIM).through(parts)

    np.testing.assert_array_equal(np.concatenate((first.low_bps, second.low_bps), axis=1), whole.low_bps)


def test_a_market_that_stands_still_leaves_ranges_that_come_back():
    widths = Widths(1, HORIZON, CLAIM)
    widths.through([(ranges(1, 5_000), np.zeros((1, 5_000)))])
    assert widths.log_widths[0] == pytest.approx(-MOST)

    returns = 100.0 * overlapping(1, 400 * HORIZON, seed=5)
    scores = widths.through([(ranges(1, 400 * HORIZON), returns)])[0]

    assert kept(scores, returns)[0] == pytest.approx(CLAIM, abs=0.03)


def test_rows_without_a_prediction_or_an_outcome_teach_nothing():
    empty = ranges(2, 100, half_bps=np.nan)
    widths = Widths(2, HORIZON, CLAIM)

    widths.through([(empty, np.ones((2, 100))), (ranges(2, 100), np.full((2, 100), np.nan))])

    assert widths.log_widths.tolist() == [0.0, 0.0]


def test_a_miss_widens_by_as_much_as_four_hits_narrow():
    widths = Widths(1, HORIZON, CLAIM)

    widths.through([(ranges(1, 5), np.array([[500.0, 0.0, 0.0, 0.0, 0.0]]))])

    assert widths.log_widths[0] == pytest.approx(0.0, abs=1e-12)
    assert STEP < 0.8  # beyond it what is known a horizon late makes the widths swing


def test_no_range_reaches_below_the_loss_of_everything():
    wide = widened(ranges(1, 1, half_bps=5_000.0), np.array([[1.0]]))

    assert wide.low_bps[0, 0] == LOWEST_RETURN_BPS
    assert wide.high_bps[0, 0] == pytest.approx(5_000.0 * np.e)

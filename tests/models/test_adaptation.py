"""Ranges and probabilities that follow their own symbol: right in the mean, blind to what is not due."""

import numpy as np
import pytest

from market.adaptation import LOG_WIDTH, STATE
from market.range_widths import MOST, STEP
from models.adaptation import Adaptation, adapted, adapted_contributions
from models.forest import Contributions
from models.scores import LOWEST_RETURN_BPS, Scores

HORIZON = 12
CLAIM = 0.8
NORMAL = 1.2816  # half width, in deviations, that holds 80 % of a normal outcome


def ranges(symbols, candles, half_bps=100.0):
    level = np.full((symbols, candles), 0.5)
    return Scores(level, level * 0.0, level * 0.0 - half_bps, level * 0.0 + half_bps, level)


def state_of(**numbers):
    return np.array([[numbers.get(name, 0.0)] for name in STATE])


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
    adaptation = Adaptation(4, HORIZON, CLAIM)

    scores = adaptation.through([(ranges(4, candles), returns)])[0]

    assert kept(ranges(4, candles), returns)[-1] < 0.5
    np.testing.assert_allclose(kept(scores, returns), CLAIM, atol=0.02)
    np.testing.assert_allclose(adaptation.state[LOG_WIDTH], np.log(NORMAL * sizes[:, 0] / 100.0), atol=0.6)


def test_a_jump_of_the_market_is_followed():
    candles = 300 * HORIZON
    returns = overlapping(20, candles, seed=2) * np.where(np.arange(candles) < candles // 2, 50.0, 150.0)

    scores = Adaptation(20, HORIZON, CLAIM).through([(ranges(20, candles), returns)])[0]

    after = slice(candles // 2 + 10 * HORIZON, None)
    late = Scores(*(values[:, after] for values in scores.columns()))
    assert kept(late, returns[:, after]).mean() == pytest.approx(CLAIM, abs=0.02)


def test_a_range_knows_no_outcome_that_is_not_due_before_its_candle():
    returns = 300.0 * overlapping(2, 600, seed=3)
    other = returns.copy()
    at = 400
    other[:, at - HORIZON :] *= -7.0  # the outcome of the first of these is known at the close of candle `at`

    one = Adaptation(2, HORIZON, CLAIM).through([(ranges(2, 600), returns)])[0]
    two = Adaptation(2, HORIZON, CLAIM).through([(ranges(2, 600), other)])[0]

    np.testing.assert_array_equal(one.high_bps[:, : at + 1], two.high_bps[:, : at + 1])
    assert (one.high_bps[:, at + 1 :] != two.high_bps[:, at + 1 :]).any()


def test_spans_that_follow_on_each_other_are_one():
    returns = 90.0 * overlapping(3, 500, seed=4)
    parts = [(ranges(3, 200), returns[:, :200]), (ranges(3, 300), returns[:, 200:])]

    whole = Adaptation(3, HORIZON, CLAIM).through([(ranges(3, 500), returns)])[0]
    first, second = Adaptation(3, HORIZON, CLAIM).through(parts)

    np.testing.assert_array_equal(np.concatenate((first.low_bps, second.low_bps), axis=1), whole.low_bps)


def test_a_market_that_stands_still_leaves_ranges_that_come_back():
    adaptation = Adaptation(1, HORIZON, CLAIM)
    adaptation.through([(ranges(1, 5_000), np.zeros((1, 5_000)))])
    assert adaptation.state[LOG_WIDTH][0] == pytest.approx(-MOST)

    returns = 100.0 * overlapping(1, 400 * HORIZON, seed=5)
    scores = adaptation.through([(ranges(1, 400 * HORIZON), returns)])[0]

    assert kept(scores, returns)[0] == pytest.approx(CLAIM, abs=0.03)


def test_rows_without_a_prediction_or_an_outcome_teach_nothing():
    empty = ranges(2, 100, half_bps=np.nan)
    adaptation = Adaptation(2, HORIZON, CLAIM)

    adaptation.through([(empty, np.ones((2, 100))), (ranges(2, 100), np.full((2, 100), np.nan))])

    assert not adaptation.state.any()


def test_a_miss_widens_by_as_much_as_four_hits_narrow():
    adaptation = Adaptation(1, HORIZON, CLAIM)

    adaptation.through([(ranges(1, 5), np.array([[500.0, 0.0, 0.0, 0.0, 0.0]]))])

    assert adaptation.state[LOG_WIDTH][0] == pytest.approx(0.0, abs=1e-12)
    assert STEP < 0.8  # beyond it what is known a horizon late makes the widths swing


def test_no_range_reaches_below_the_loss_of_everything():
    wide = adapted(ranges(1, 1, half_bps=5_000.0), state_of(log_width=1.0)[:, None])

    assert wide.low_bps[0, 0] == LOWEST_RETURN_BPS
    assert wide.high_bps[0, 0] == pytest.approx(5_000.0 * np.e)


def told_of(log_odds, worth, seed):
    """Return scores that say `log_odds` (S, T), and returns that go up by chances of `worth`, in spans of a horizon."""
    symbols, candles = log_odds.shape
    draws = np.random.default_rng(seed).random((symbols, candles // HORIZON)).repeat(HORIZON, axis=1)
    probability, true = (1.0 / (1.0 + np.exp(-values)) for values in (log_odds, worth))
    expected = 100.0 * (probability - 0.5)
    scores = Scores(probability, expected, expected - 80.0, expected + 80.0, 0.0 * expected)
    return scores, np.where(draws < true, 50.0, -50.0)


def test_a_symbol_whose_edge_is_told_too_timidly_is_told_as_it_is():
    candles = 2_000 * HORIZON
    log_odds = np.random.default_rng(6).normal(0.0, 0.35, (2, candles // HORIZON)).repeat(HORIZON, axis=1)
    scores, returns = told_of(log_odds, log_odds * np.array([[2.0], [1.0]]), seed=7)

    adaptation = Adaptation(2, HORIZON, CLAIM)
    after = adaptation.through([(scores, returns)])[0]

    def loss(probability):
        return np.square(probability - (returns > 0.0))[:, candles // 4 :].mean(axis=1)

    assert loss(after.probability_up)[0] < loss(scores.probability_up)[0] - 0.002
    assert loss(after.probability_up)[1] == pytest.approx(loss(scores.probability_up)[1], abs=0.0005)
    np.testing.assert_allclose(adaptation.state[1], np.log([2.0, 1.0]), atol=0.25)


def test_expected_return_and_range_go_with_the_probability():
    scores, _ = told_of(np.array([[0.5] * HORIZON]), np.zeros((1, HORIZON)), seed=8)

    after = adapted(scores, state_of(log_slope_near=np.log(1.5))[:, None])

    np.testing.assert_allclose(after.probability_up, 1.0 / (1.0 + np.exp(-0.75)))
    np.testing.assert_allclose(after.expected_return_bps, 100.0 * (after.probability_up - 0.5))
    np.testing.assert_allclose(after.high_bps - after.expected_return_bps, 80.0)
    np.testing.assert_allclose(after.expected_return_bps - after.low_bps, 80.0)


def test_a_probability_knows_no_outcome_that_is_not_due_before_its_candle():
    log_odds = np.random.default_rng(9).normal(0.0, 0.5, (1, 600))
    scores, returns = told_of(log_odds, 2.0 * log_odds, seed=10)
    other, at = returns.copy(), 400
    other[:, at - HORIZON :] *= -1.0

    one, two = (
        Adaptation(1, HORIZON, CLAIM).through([(scores, values)])[0].probability_up for values in (returns, other)
    )

    np.testing.assert_array_equal(one[:, : at + 1], two[:, : at + 1])
    assert (one[:, at + 1 :] != two[:, at + 1 :]).any()


@pytest.mark.parametrize("log_slopes", [(0.0, 0.0), (0.9, -0.7)])
def test_contributions_add_up_to_what_is_told(log_slopes):
    values = np.array([[0.1, -0.02, 0.0], [0.0, 0.0, 0.0], [0.3, 0.1, 0.05], [0.1, -0.1, 0.0]])
    state = state_of(log_slope_near=log_slopes[0], log_slope_far=log_slopes[1]).repeat(4, axis=1)
    model = 0.51 + values.sum(axis=1)
    scores = Scores(model, model - 0.5, model - 0.6, model - 0.4, 0.0 * model)

    base, points = adapted_contributions(Contributions(0.51, values), state)

    np.testing.assert_allclose(base + points.sum(axis=1), adapted(scores, state).probability_up, atol=1e-12)
    np.testing.assert_allclose(points[0, 0] / points[0, 1], -5.0)
    assert not points[1].any()

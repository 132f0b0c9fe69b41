"""Slopes of a symbol's own: found where probabilities say too little or too much, left alone where nothing is known."""

import numpy as np
import pytest

from market.symbol_slopes import KNEE, MOST, bent, moved

HORIZON = 12


def walk(log_odds, worth, seed, slopes=None):
    """Return the slopes after telling `log_odds` (n, rows) where `worth` was true, and all that was told."""
    slopes = np.zeros((5, len(log_odds))) if slopes is None else slopes
    draws, told = np.random.default_rng(seed).random(log_odds.shape), np.empty(log_odds.shape)
    for at in range(log_odds.shape[1]):
        told[:, at] = bent(chance(log_odds[:, at]), slopes[:2])
        slopes = moved(slopes, told[:, at], draws[:, at] < chance(worth[:, at]), 1.0)
    return slopes, told


def chance(log_odds):
    return 1.0 / (1.0 + np.exp(-log_odds))


def said(rows, size, symbols=1):
    return np.random.default_rng(7).normal(0.0, size, (symbols, rows))


def test_slopes_of_one_change_nothing():
    probability = np.array([0.01, 0.3, 0.5, 0.7, 0.99])

    np.testing.assert_allclose(bent(probability, np.zeros((2, 5))), probability, rtol=1e-12)


@pytest.mark.parametrize("log_slopes", [(0.9, -0.8), (-0.5, 0.5), (MOST, -MOST)])
def test_what_is_told_grows_with_what_the_model_says_and_turns_at_the_knee(log_slopes):
    slopes = np.exp(log_slopes)
    log_odds = np.array([-3.0, -0.1, 0.0, 0.1, 3.0])

    told = bent(chance(log_odds), np.array(log_slopes)[:, None])

    knee = KNEE / slopes[0]
    far = np.sign(log_odds) * (KNEE + slopes[1] * (np.abs(log_odds) - knee))
    expected = np.where(np.abs(log_odds) < knee, slopes[0] * log_odds, far)
    np.testing.assert_allclose(np.log(told / (1.0 - told)), expected, atol=1e-9)
    assert (np.diff(told) > 0).all()


@pytest.mark.parametrize(("near", "beyond"), [(2.0, 0.5), (0.7, 1.0), (1.0, 1.0)])
def test_slopes_become_what_the_outcomes_ask_for(near, beyond):
    log_odds = said(4_000, 0.9, symbols=40)
    inner = np.clip(near * log_odds, -KNEE, KNEE)
    worth = inner + beyond * (log_odds - inner / near)

    slopes, _ = walk(log_odds, worth, seed=1)

    np.testing.assert_allclose(slopes[:2].mean(axis=1), np.log([near, beyond]), atol=0.2)
    assert slopes[:2].std(axis=1).max() < 0.4


def test_a_symbol_without_an_edge_is_told_as_before():
    log_odds = said(3_000, 0.04)

    _, told = walk(log_odds, np.zeros(log_odds.shape), seed=2)

    assert np.abs(told - chance(log_odds)).max() < 0.02
    assert np.square(told - 0.5).mean() < np.square(chance(log_odds) - 0.5).mean() * 1.1


def test_an_edge_that_ends_is_followed():
    log_odds = said(6_000, 0.6)

    slopes, _ = walk(log_odds, 2.0 * log_odds, seed=3)
    later, _ = walk(log_odds, log_odds, seed=4, slopes=slopes)

    assert slopes[0, 0] == pytest.approx(np.log(2.0), abs=0.2)
    assert later[0, 0] == pytest.approx(0.0, abs=0.2)


def test_the_outcomes_of_a_horizon_count_as_one():
    slopes = many = np.zeros((5, 1))
    for _ in range(HORIZON):
        many = moved(many, np.array([0.7]), np.array([True]), HORIZON)

    one = moved(slopes, np.array([0.7]), np.array([True]), 1.0)

    np.testing.assert_allclose(many, one, rtol=0.05)


def test_slopes_stay_within_bounds():
    log_odds = np.full((1, 2_000), 2.0)

    right, _ = walk(log_odds, np.full(log_odds.shape, 50.0), seed=5)
    wrong, _ = walk(log_odds, np.full(log_odds.shape, -50.0), seed=5)

    assert right[:2].max() <= MOST
    assert wrong[:2].min() == -MOST

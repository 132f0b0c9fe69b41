"""Lines against exact arithmetic, where running sums and squares usually go wrong."""

from fractions import Fraction

import numpy as np
import pytest

from tests.features.candle_kinds import flat, halted, jumping, quiet, tiny, untraded, walk

NEWEST = 300  # rows that are compared


def exact(values):
    return [Fraction(float(value)) for value in values]


def windows(values, length):
    """Return the windows that end at the newest rows, in exact numbers."""
    numbers = exact(values)
    return [numbers[end - length : end] for end in range(len(numbers) - NEWEST + 1, len(numbers) + 1)]


def exact_deviation(closes):
    found = []
    for window in windows(closes, 20):
        mean = sum(window) / 20
        found.append(np.sqrt(float(sum((value - mean) ** 2 for value in window) / 20)))
    return np.array(found)


def long_walk():
    return walk(100_000, noise=3e-3, seed=11)


@pytest.mark.parametrize("make", [quiet, tiny, long_walk, jumping, halted])
def test_deviation_is_exact(make, lines_of):
    candles = make()[: 1_000 if make is halted else None]
    expected = exact_deviation(candles["close"])

    drawn = lines_of(candles)["deviation_20"][-NEWEST:]

    assert np.abs(drawn - expected).max() <= 1e-9 * expected[expected > 0].min()


@pytest.mark.parametrize("make", [quiet, tiny, long_walk, jumping])
def test_averages_are_exact_to_the_last_digits(make, lines_of):
    candles = make()
    expected = np.array([float(sum(window) / 50) for window in windows(candles["close"], 50)])

    drawn = lines_of(candles)["sma_50"][-NEWEST:]

    assert np.abs(drawn / expected - 1).max() <= 2.0**-52


@pytest.mark.parametrize("make", [quiet, tiny])
def test_rate_of_change_is_exact(make, lines_of):
    candles = make()
    expected = np.array([float(100 * (window[-1] / window[0] - 1)) for window in windows(candles["close"], 11)])

    drawn = lines_of(candles)["roc_10"][-NEWEST:]

    assert np.abs(drawn - expected).max() <= 1e-9 * np.abs(expected).min()


def test_volatility_is_exact_in_a_quiet_market(lines_of):
    candles = quiet()
    closes = exact(candles["close"])
    returns = [
        later / earlier - 1 for earlier, later in zip(closes[-NEWEST - 48 :], closes[-NEWEST - 47 :], strict=False)
    ]
    expected = []
    for end in range(48, len(returns) + 1):
        mean = sum(returns[end - 48 : end]) / 48
        expected.append(1e4 * np.sqrt(float(sum((value - mean) ** 2 for value in returns[end - 48 : end]) / 48)))

    drawn = lines_of(candles)["volatility_48"][-len(expected) :]

    assert np.abs(drawn / expected - 1).max() <= 1e-9


@pytest.mark.parametrize(
    ("line", "neutral"),
    [
        ("rsi", 50.0),
        ("stochastic_k", 50.0),
        ("williams", -50.0),
        ("cci", 0.0),
        ("adx", 0.0),
        ("atr", 0.0),
        ("deviation_20", 0.0),
        ("volatility_48", 0.0),
        ("mfi", 50.0),
        ("efficiency_10", 0.0),
        ("channel_48", 0.0),
        ("chaikin", 0.0),
        ("wick_balance", 0.0),
        ("sma_50", 100.1),
        ("vwap", 100.1),
    ],
)
def test_a_flat_market_is_neutral(line, neutral, lines_of):
    drawn = lines_of(flat())[line][-NEWEST:]

    assert np.abs(drawn - neutral).max() <= 1e-13 * abs(neutral)


@pytest.mark.parametrize(
    ("line", "neutral"), [("mfi", 50.0), ("chaikin", 0.0), ("volume_balance", 0.0), ("mean_volume_96", 0.0)]
)
def test_leaves_nothing_behind_when_trading_stops(line, neutral, lines_of):
    drawn = lines_of(untraded())[line][-NEWEST:]

    assert (drawn == neutral).all()

"""Lines over longer candles, which are gathered candle by candle."""

import numpy as np
import pytest

from features import indicators, kernels
from features.feature_engineering import candle_values
from market.candles import aggregate
from market.intervals import DAY_MS
from tests.features.candle_kinds import MINUTE_MS, numbers_of, walk

LENGTH = 5
LINES = [line for line, indicator in indicators.by_line().items() if indicator.warmup <= 20]


@pytest.fixture(scope="module")
def longer():
    """Return the kernel whose columns are many lines, and the candle, of a longer timeframe."""
    parts = ("open_", "high", "low", "close", "volume")
    return kernels.load("longer", {name: f"{name}_x{LENGTH}" for name in (*LINES, *parts)})


def drawn(kernel, candles):
    return dict(zip(kernel.columns, kernel.run_history(numbers_of(candles), candle_values(candles)).T, strict=True))


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("line", LINES)
def test_a_line_is_the_rule_over_whole_longer_candles(line, first, longer, lines_of):
    candles = walk(600)[first:]
    groups = aggregate(candles, MINUTE_MS, LENGTH * MINUTE_MS)
    is_close = numbers_of(candles) % LENGTH == LENGTH - 1

    here = drawn(longer, candles)[line][is_close][-len(groups) :]

    np.testing.assert_allclose(here, lines_of(groups)[line], rtol=1e-9, atol=1e-12)


def test_the_longer_candle_is_that_of_the_chart(longer):
    candles = walk(600)[3:]
    groups = aggregate(candles, MINUTE_MS, LENGTH * MINUTE_MS)

    found = drawn(longer, candles)

    is_close = numbers_of(candles) % LENGTH == LENGTH - 1
    for name, part in (("open_", "open"), ("high", "high"), ("low", "low"), ("close", "close"), ("volume", "volume")):
        np.testing.assert_allclose(found[name][is_close][-len(groups) :], groups[part], rtol=1e-12)


def test_between_two_closes_it_stands_still(longer):
    candles = walk(600)
    numbers, closes = numbers_of(candles), drawn(longer, candles)["close"]

    is_between = (numbers % LENGTH != LENGTH - 1)[2 * LENGTH :]

    np.testing.assert_array_equal(closes[2 * LENGTH :][is_between], closes[2 * LENGTH - 1 : -1][is_between])


def test_a_longer_candle_with_a_hole_is_left_out(longer):
    candles = walk(60)
    holed = np.delete(candles, 32)

    closes = drawn(longer, holed)["close"]

    whole = aggregate(holed, MINUTE_MS, LENGTH * MINUTE_MS)
    assert len(whole) == 60 // LENGTH - 1
    assert list(dict.fromkeys(closes[np.isfinite(closes)])) == whole["close"].tolist()


def test_a_hole_as_long_as_a_longer_candle_makes_none_of_two_halves(longer):
    candles = walk(60)
    holed = np.delete(candles, slice(32, 32 + LENGTH))

    closes = drawn(longer, holed)["close"]

    whole = aggregate(holed, MINUTE_MS, LENGTH * MINUTE_MS)
    assert list(dict.fromkeys(closes[np.isfinite(closes)])) == whole["close"].tolist()


@pytest.mark.parametrize("days", [1, 3, 7])
def test_longer_candles_of_days_and_weeks_begin_where_those_of_the_chart_do(days, longer):
    candles, base_ms = walk(100), days * DAY_MS
    shift_ms = 4 * DAY_MS if days == 7 else 0
    candles["open_ms"] = shift_ms + np.arange(100) * base_ms

    rows = longer.run_history(candles["open_ms"] // base_ms, candle_values(candles))

    groups = aggregate(candles, base_ms, LENGTH * base_ms)
    closes = rows[:, longer.columns.index("close")]
    assert list(dict.fromkeys(closes[np.isfinite(closes)])) == groups["close"].tolist()


def test_every_line_is_there_when_the_kernel_says_so_wherever_the_history_starts(longer):
    candles, missing = walk(600), []

    for first in range(LENGTH):
        rows = longer.run_history(numbers_of(candles[first:]), candle_values(candles[first:]))
        missing.append(np.isnan(rows).any(axis=1).sum())

    assert max(missing) == longer.warmup - 1


@pytest.mark.parametrize("name", ["rsy_x12", "rsi_x1", "rsi_x0"])
def test_a_timeframe_that_is_none_is_refused(name, tmp_path):
    with pytest.raises(KeyError, match=f"uses '{name}'"):
        kernels.load("wrong", {"column": name}, folder=tmp_path)

"""Noise in the place of the future: the past stays to the bit, and what comes keeps the rules of candles."""

import numpy as np

from backtesting.masked_future import masked_future
from market.candles import refusal

STEP_MS = 300_000


def test_the_past_stays_and_the_future_is_another_one(case):
    table = case.tables["BTCUSDT"]
    cut_ms = int(table["open_ms"][1_500])

    masked = masked_future(case.tables, cut_ms, seed=1)["BTCUSDT"]

    np.testing.assert_array_equal(masked[:1_500], table[:1_500])
    np.testing.assert_array_equal(masked["open_ms"], table["open_ms"])
    assert (masked["close"][1_500:] != table["close"][1_500:]).all()


def test_the_noise_is_made_of_honest_candles_that_move_as_far_as_before(case):
    table = case.tables["EDGEUSDT"]

    masked = masked_future(case.tables, int(table["open_ms"][1_500]), seed=1)["EDGEUSDT"]

    assert {refusal(*row, STEP_MS) for row in masked.tolist()} == {None}
    sizes = [np.diff(np.log(part)).std() for part in (masked["close"][:1_500], masked["close"][1_500:])]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=0.1)


def test_a_symbol_that_is_younger_than_the_cut_is_all_noise(case):
    table = case.tables["BTCUSDT"]

    masked = masked_future({"NEWUSDT": table[1_600:]}, int(table["open_ms"][1_500]), seed=1)["NEWUSDT"]

    assert len(masked) == len(table) - 1_600
    assert {refusal(*row, STEP_MS) for row in masked.tolist()} == {None}

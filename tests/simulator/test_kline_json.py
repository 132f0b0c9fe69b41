"""Rows of klines are written exactly as Binance writes them."""

import json

import numpy as np
import pytest

from simulator.kline_json import kline_rows
from simulator.klines import KLINES, NO_KLINES

PRICES = ("open", "high", "low", "close")


def rows_of(values):
    rows = np.zeros(len(values), dtype=KLINES)
    rows["open_ms"] = 1_700_000_000_000 // 300_000 * 300_000 + np.arange(len(values)) * 300_000
    for name in (*PRICES, "volume", "quote_volume", "taker_base", "taker_quote"):
        rows[name] = values
    rows["trades"] = np.arange(len(values)) * 37
    return rows


def test_a_row_has_the_twelve_fields_of_binance():
    (row,) = json.loads(kline_rows(rows_of([0.00001234]), "5m"))

    assert row == [
        1_699_999_800_000,
        *["0.00001234"] * 5,
        1_700_000_099_999,
        *["0.00001234", 0],
        *["0.00001234"] * 2,
        "0",
    ]


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [0.1, 0.2, 0.30000000000000004],
        [9.99999999, 10.0, 99_999.99, 100_000.0],
        [0.00000001, 7.0, 123_456_789.5, 98_765_432_109_876.0],
        [0.999999999, 1.9999999999],
    ],
)
def test_numbers_have_eight_decimals_whatever_their_size(values):
    written = json.loads(kline_rows(rows_of(values), "5m"))

    assert [row[4] for row in written] == [f"{value:.8f}" for value in values]
    assert [row[8] for row in written] == [index * 37 for index in range(len(values))]


def test_any_price_with_eight_decimals_reads_back_as_itself():
    numbers = np.random.default_rng(5)
    values = np.rint(10.0 ** numbers.uniform(-8, 7, 5_000) * 1e8) / 1e8

    written = json.loads(kline_rows(rows_of(values), "5m"))

    assert [float(row[1]) for row in written] == values.tolist()


def test_times_can_be_microseconds():
    (row,) = json.loads(kline_rows(rows_of([1.0]), "5m", units_per_ms=1_000))

    assert (row[0], row[6]) == (1_699_999_800_000_000, 1_700_000_099_999_999)


def test_no_rows_are_an_empty_list():
    assert kline_rows(NO_KLINES, "5m") == b"[]"

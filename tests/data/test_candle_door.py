import csv
import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.candle_door import read_klines, to_ms
from market.candles import LAST_VALID_MS, MAX_PRICE, refusal
from market.errors import DataError
from tests.data.loopback_exchange import START, STEP

_EDGES = [0.0, -1.0, 1.0, 99.0, 100.0, 101.0, MAX_PRICE, MAX_PRICE * 2, math.inf, -math.inf, math.nan, 5e-324]
_NUMBER = st.one_of(st.sampled_from(_EDGES), st.floats(90, 110))
_TIME = st.one_of(
    st.integers(0, 5).map(lambda n: START + n * STEP), st.sampled_from([0, -STEP, START + 1, LAST_VALID_MS])
)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.lists(st.tuples(_TIME, *[_NUMBER] * 5), max_size=6))
def test_a_page_is_judged_as_its_rows_one_by_one(rows):
    texts = [[row[0], *(repr(value) for value in row[1:])] for row in rows]

    table, refused = read_klines(json.dumps(texts).encode(), -(10**15), 10**15, STEP)

    reasons = [refusal(*row, STEP) for row in rows]
    honest = {row[0]: row for row, reason in reversed(list(zip(rows, reasons, strict=True))) if reason is None}
    assert table.tolist() == [honest[open_ms] for open_ms in sorted(honest)]
    assert refused.total() == len(rows) - len(honest)
    assert {reason for reason in reasons if reason} == set(refused) - {"twice in one answer"}


@pytest.mark.parametrize("name", ["BTCUSDT-1m-20200506-20200506", "BTCUSDT-1h-20200430-20200611"])
def test_takes_real_candles_as_they_are(shared_data, name):
    with gzip.open(shared_data / "candles" / f"{name}.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    body = json.dumps([[int(row[0]), *row[1:6], int(row[6]), *row[7:11], "0"] for row in rows]).encode()
    step = 60_000 if "1m" in name else 3_600_000

    table, refused = read_klines(body, 0, LAST_VALID_MS, step)

    assert table["open_ms"].tolist() == [int(row[0]) for row in rows]
    assert np.array_equal(table["close"], [float(row[4]) for row in rows])
    assert not refused


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<html>", b"null", b"[", b'"text"', b"7", b'[["\xff",1,1,1,1,1]]', b"[" * 9_999]
)
def test_a_body_that_is_no_list_is_an_error(body):
    with pytest.raises(DataError):
        read_klines(body, 0, LAST_VALID_MS, STEP)


@settings(deadline=None, derandomize=True)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda x: st.lists(x, max_size=4)))
def test_no_list_of_anything_breaks_it(value):
    table, refused = read_klines(
        json.dumps([value], allow_nan=False, default=str).encode() if _is_plain(value) else b"[]", 0, 10**15, STEP
    )

    assert len(table) + refused.total() == (1 if _is_plain(value) else 0)


def _is_plain(value):
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return not isinstance(value, float) or math.isfinite(value)


def test_times_are_told_apart_by_magnitude():
    assert to_ms(1_700_000_040_000) == to_ms(1_700_000_040_000_123) == 1_700_000_040_000

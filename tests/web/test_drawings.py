from itertools import pairwise

import numpy as np
import pytest

from market.candles import CANDLES
from web import drawings


def candles(count, price=100.0):
    table = np.zeros(count, CANDLES)
    table["open_ms"] = np.arange(count) * 300_000
    for name, shift in (("open", 0.0), ("high", 2.0), ("low", -2.0), ("close", 1.0)):
        table[name] = price + shift
    table["volume"] = 5.0
    return table


def test_a_sparkline_stays_in_its_box_and_ends_at_the_last_close():
    line = drawings.spark([3.0, 1.0, 2.0])

    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert all(0 <= x <= drawings.SPARK_WIDTH and 0 <= y <= drawings.SPARK_HEIGHT for x, y in points)
    assert points[-1] == (line.end_x, line.end_y)
    assert points[0][1] < points[2][1] < points[1][1]


def test_a_flat_market_is_a_flat_line():
    assert len({point.split(",")[1] for point in drawings.spark([5.0] * 4).points.split()}) == 1


def test_one_close_is_no_line():
    assert drawings.spark([1.0]) is None


def test_a_whisker_is_drawn_to_scale_and_cut_at_its_end():
    inside = drawings.whisker(low=-50, high=100, expected=25, cost=24, limit=100)
    outside = drawings.whisker(low=-500, high=100, expected=25, cost=24, limit=100)

    assert (inside.low, inside.high, inside.expected) == (37.0, 148.0, 92.5)
    assert (inside.band_left, inside.band_width) == (56.2, 35.6)
    assert (inside.is_cut, outside.is_cut, outside.low) == (False, True, 0.0)


@pytest.mark.parametrize(("ranges", "limit"), [([], 100.0), ([(-83.0, 41.0)], 100.0), ([(-1.0, 2.0)], 10.0)])
def test_the_scale_ends_at_a_round_number(ranges, limit):
    assert drawings.whisker_limit(ranges) == limit


def test_one_wild_range_does_not_squeeze_the_others():
    assert drawings.whisker_limit([(-90.0, 90.0)] * 19 + [(-9_000.0, 9_000.0)]) == 100.0


def test_candles_are_hollow_or_filled():
    table = candles(3)
    table["close"][1] = 99.0

    drawing = drawings.candle_drawing(table, None)

    assert (drawing.bodies_up.count("z"), drawing.bodies_down.count("z")) == (2, 1)
    assert drawing.cone == ""


def test_a_forecast_takes_part_in_the_scale():
    drawing = drawings.candle_drawing(candles(40), (90.0, 101.0, 120.0))

    _, high, expected, low = drawing.cone_end
    assert 0 <= high < expected < low <= drawings.PLOT_HEIGHT
    assert max(price for _, price in drawing.labels) > 115


@pytest.mark.parametrize("price", [1e-5, 1e5])
def test_any_price_scale_and_a_flat_market_are_drawn(price):
    table = candles(30, price)
    for name in ("open", "high", "low", "close"):
        table[name] = price

    drawing = drawings.candle_drawing(table, None)

    assert 1 <= len(drawing.labels) <= 15
    assert "nan" not in drawing.bodies_up


def test_no_candle_is_no_drawing():
    assert drawings.candle_drawing(candles(0), None) is None


@pytest.mark.parametrize("length_ms", [60_000, 300_000, 3_600_000, 86_400_000])
def test_times_are_named_at_round_hours(length_ms):
    table = candles(96)
    table["open_ms"] = 1_763_640_060_000 // length_ms * length_ms + np.arange(96) * length_ms

    times = [open_ms for _, open_ms in drawings.candle_drawing(table, None).times]

    assert 3 <= len(times) <= 6
    assert len({after - before for before, after in pairwise(times)}) == 1
    assert all(open_ms % 900_000 == 0 for open_ms in times)

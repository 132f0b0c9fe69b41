from itertools import pairwise

import numpy as np
import pytest

from market.candles import CANDLES
from web.candle_drawing import GAP_SLOTS, PLOT_HEIGHT, PLOT_WIDTH, Call, Plot, candle_drawing

LENGTH_MS = 300_000


def candles(count, price=100.0):
    table = np.zeros(count, CANDLES)
    table["open_ms"] = np.arange(count) * 300_000
    for name, shift in (("open", 0.0), ("high", 2.0), ("low", -2.0), ("close", 1.0)):
        table[name] = price + shift
    table["volume"] = 5.0
    return table


def plot(table, length_ms=LENGTH_MS, **more):
    return Plot(table, length_ms, **more)


def test_candles_are_hollow_or_filled():
    table = candles(3)
    table["close"][1] = 99.0

    drawing = candle_drawing(plot(table))

    assert (drawing.bodies_up.count("z"), drawing.bodies_down.count("z")) == (2, 1)
    assert drawing.cone == ""


def test_a_forecast_takes_part_in_the_scale():
    drawing = candle_drawing(plot(candles(40), forecast=(101.0, 90.0, 101.0, 120.0)))

    _, high, expected, low = drawing.cone_end
    assert 18 <= high < expected < low <= 280  # its prices have room above and below
    assert max(price for _, price in drawing.labels) > 115


def test_a_cone_starts_at_the_price_of_its_forecast_even_far_from_the_last_close():
    table = candles(40)

    drawing = candle_drawing(plot(table, forecast=(140.0, 141.0, 142.0, 143.0)))

    start_y, end_y = (float(part.split()[1]) for part in drawing.cone_path[1:].split("L"))
    (y, price), *_, (other_y, other_price) = drawing.labels
    assert start_y == pytest.approx(y + (140.0 - price) * (other_y - y) / (other_price - price), abs=0.1)
    assert 0 < end_y < start_y


def test_the_price_of_a_forecast_takes_part_in_the_scale():
    drawing = candle_drawing(plot(candles(40), forecast=(140.0, 101.0, 102.0, 103.0)))

    start_y = float(drawing.cone_path[1:].split("L")[0].split()[1])
    assert start_y > 0


@pytest.mark.parametrize("price", [1e-5, 1e5])
def test_any_price_scale_and_a_flat_market_are_drawn(price):
    table = candles(30, price)
    for name in ("open", "high", "low", "close"):
        table[name] = price

    drawing = candle_drawing(plot(table))

    assert 1 <= len(drawing.labels) <= 15
    assert "nan" not in drawing.bodies_up


def test_no_candle_is_no_drawing():
    assert candle_drawing(plot(candles(0))) is None


@pytest.mark.parametrize("length_ms", [60_000, 300_000, 3_600_000, 86_400_000])
def test_times_are_named_at_round_hours(length_ms):
    table = candles(96)
    table["open_ms"] = 1_763_640_060_000 // length_ms * length_ms + np.arange(96) * length_ms

    times = [open_ms for _, open_ms in candle_drawing(plot(table, length_ms)).times]

    assert 3 <= len(times) <= 6
    assert len({after - before for before, after in pairwise(times)}) == 1
    assert all(open_ms % 900_000 == 0 for open_ms in times)


@pytest.mark.parametrize(("missing", "slots"), [(1, 1), (5, 5), (5_000, GAP_SLOTS)])
def test_a_hole_is_shaded_as_wide_as_it_is_up_to_a_limit(missing, slots):
    table = candles(20)
    table["open_ms"][10:] += missing * LENGTH_MS

    drawing = candle_drawing(plot(table))

    ((x, width),) = drawing.gaps
    step = (PLOT_WIDTH - 88) / (20 + slots)
    assert (x, width) == (pytest.approx(10 * step, abs=0.1), pytest.approx(slots * step, abs=0.1))


def test_a_line_begins_where_it_is_warm_and_takes_part_in_the_scale():
    values = np.r_[[np.nan] * 5, np.linspace(100, 140, 15)]

    drawing = candle_drawing(plot(candles(20), lines=[("sma_20", values)]))

    ((name, path),) = drawing.lines
    assert (name, path.count("L"), "nan" in path) == ("sma_20", 14, False)
    assert max(price for _, price in drawing.labels) > 130


def test_strength_has_a_room_of_its_own_below():
    drawing = candle_drawing(plot(candles(3), strength=np.array([np.nan, 0.0, 100.0])))

    bottom, top = (float(part.split()[1]) for part in drawing.strength[1:].split("L"))
    assert PLOT_HEIGHT - 22 < top < bottom < drawing.height - 22
    assert top < drawing.levels[1][0] < drawing.levels[0][0] < bottom


def test_calls_differ_by_shape_and_stand_at_their_candle():
    table = candles(4)
    opens = table["open_ms"].tolist()
    calls = [
        Call(opens[0], "up", True),
        Call(opens[1], "down", False),
        Call(opens[2], "abstain", None),
        Call(-1, "up", True),
    ]

    marks = dict(candle_drawing(plot(table, calls=calls)).marks)

    assert list(marks) == ["abstain", "down-miss", "up-hit"]
    assert [path.count("z") for path in marks.values()] == [0, 1, 1]
    assert len({path.partition("l")[2] for path in marks.values()}) == 3

import pytest

from web import drawings


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

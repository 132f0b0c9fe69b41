"""The lines of the chart are written out without numba: they must be those of the features."""

import numpy as np
import pytest

from tests.features.candle_kinds import KINDS, walk
from web.chart_lines import LINES, WARM_CANDLES, chart_lines


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_of_a_chart_are_those_of_the_features(kind, lines_of):
    candles = KINDS[kind]()

    compiled, drawn = lines_of(candles), chart_lines(candles["close"])

    assert tuple(drawn) == LINES
    for line in LINES:
        np.testing.assert_allclose(drawn[line], compiled[line], rtol=1e-9, err_msg=line)


@pytest.mark.parametrize("count", [0, 1, 14, 15, 19, 20, 50])
def test_a_short_history_has_lines_of_its_own_length(count, lines_of):
    candles = walk(count) if count else walk(1)[:0]

    drawn = chart_lines(candles["close"])

    for line in LINES:
        expected = lines_of(candles)[line] if count else np.empty(0)
        np.testing.assert_allclose(drawn[line], expected, rtol=1e-9, err_msg=line)


def test_where_the_history_starts_no_longer_shows_after_the_warm_up():
    closes = walk(3_000)["close"]

    whole, late = chart_lines(closes), chart_lines(closes[-WARM_CANDLES - 100 :])

    for line in LINES:
        np.testing.assert_allclose(late[line][-100:], whole[line][-100:], rtol=1e-9, err_msg=line)

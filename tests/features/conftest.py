"""One compiled loop over every line there is, shared by the tests of this room."""

import pytest

from features import indicators, kernels
from features.feature_engineering import candle_values
from tests.features.candle_kinds import numbers_of


@pytest.fixture(scope="session")
def every_line():
    """Return the kernel whose columns are all lines of all indicators."""
    return kernels.load("lines", {line: line for line in indicators.by_line()})


@pytest.fixture(scope="session")
def lines_of(every_line):
    """Return a function: candles -> line -> its numbers."""

    def compute(candles):
        rows = every_line.run_history(numbers_of(candles), candle_values(candles))
        return dict(zip(every_line.columns, rows.T, strict=True))

    return compute

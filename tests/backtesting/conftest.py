"""A small made-up market with both controls in it, and how it is trained."""

import pytest

from backtesting.leak_tests import Case
from config import Config
from engine.leaks import case_of
from tests.honesty.markets import simulated

CONFIG = Config(HISTORY_DAYS=8, HORIZONS="1h")


@pytest.fixture(scope="session")
def case() -> Case:
    return case_of(CONFIG, simulated(1, CONFIG, symbols=4))


@pytest.fixture(scope="session")
def panel(case):
    return case.build(case.tables)

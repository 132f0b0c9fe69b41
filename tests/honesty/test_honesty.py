"""Two small seeds through the whole of it: nothing is found where nothing is, and the planted edge is.

`python tests/honesty/honesty_table.py` does it over twenty markets of the default size.
"""

import numpy as np
import pytest

from backtesting.walk_forward import WalkForward
from config import Config
from data.ledger_tables import SUMS
from tests.honesty.honesty_table import over_seeds, pooled_gap, seed_findings
from tests.honesty.markets import chance_gap

CONFIG = Config(HISTORY_DAYS=12, HORIZONS="1h")
SYMBOLS = 8
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def rows():
    """Return the lines of the table by group."""
    found = [seed_findings(seed, CONFIG, SYMBOLS) for seed in SEEDS]
    return {row["group"]: row for row in over_seeds(found)}


def test_a_random_walk_has_no_edge(rows):
    assert rows["WALKUSDT"]["edge_share"] == 0.0
    assert rows["WALKUSDT"]["n"] > 4_000


def test_the_planted_edge_is_found(rows):
    assert rows["EDGEUSDT"]["edge_share"] == 1.0
    assert rows["EDGEUSDT"]["skill_median"] > 0.05


def test_probabilities_and_ranges_keep_their_word(rows):
    assert rows["all"]["ece_pooled"] <= 0.03
    for group in rows.values():
        assert group["kept"] == pytest.approx(group["claimed"], abs=0.02)


def test_bins_of_several_records_are_one():
    low = [{"low": 0.4, "n": 10, "mean_probability": 0.45, "share_up": 0.25}]
    high = [{"low": 0.4, "n": 30, "mean_probability": 0.45, "share_up": 0.55}]

    assert pooled_gap([low, high]) == pytest.approx(abs(0.45 - (0.25 + 3 * 0.55) / 4))


def test_perfect_probabilities_show_the_error_that_chance_leaves():
    random = np.random.default_rng(1)
    spans, rows = 400, 50
    common = random.random(spans) < 0.5  # all rows of a span go one way: a span is one draw
    sums = np.zeros((spans * rows, len(SUMS)))
    sums[:, SUMS.index("ups")] = np.repeat(common, rows)
    nothing = np.zeros(spans * rows, np.int64)
    walked = WalkForward(nothing, nothing, np.repeat(np.arange(spans), rows), np.full(spans * rows, 0.55), sums)

    expected = 0.6745 * 0.5 / np.sqrt(spans)  # the median of a normal error of this size

    assert chance_gap(walked) == pytest.approx(expected, rel=0.2)

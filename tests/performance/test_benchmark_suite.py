"""The benchmark suite judges a row by its gate first and its goal second."""

import io
from unittest import SkipTest

import pytest
from rich.console import Console

from tests.performance.benchmark_suite import complete, meets, run

MEASURED = {"anchor": "TA-Lib", "anchor_value": 80, "ours_value": 40, "unit": "ns", "goal": "<= 45", "gate": "passed"}


@pytest.mark.parametrize(
    ("goal", "holds"),
    [
        ("<= 2", True),
        ("<= 1.9", False),
        (">= 24x", True),
        ("≥ 26x", False),
        ("<= 2, >= 24x", True),
        (">= 1,000", False),
    ],
)
def test_a_goal_speaks_of_our_figure_or_of_the_ratio(goal, holds):
    assert meets(goal, ours_value=2.0, ratio=25.0) is holds


def test_a_goal_nobody_can_read_is_an_error():
    with pytest.raises(ValueError, match="fast enough"):
        meets("fast enough", 1.0, 1.0)


def test_the_ratio_says_how_many_times_better():
    fewer_is_better = complete("row", "work", MEASURED)
    more_is_better = complete("row", "work", {**MEASURED, "is_more_better": True, "goal": ">= 40"})

    assert (fewer_is_better["ratio"], fewer_is_better["holds"]) == (2.0, True)
    assert (more_is_better["ratio"], more_is_better["holds"]) == (0.5, True)


def test_wrong_results_never_hold():
    assert not complete("row", "work", {**MEASURED, "gate": "failed"})["holds"]


def test_what_a_row_brings_itself_is_kept():
    row = complete("row", "work", {**MEASURED, "ratio": 3.5, "holds": False, "work": "other"})

    assert (row["ratio"], row["holds"], row["work"]) == (3.5, False, "other")


def test_what_cannot_be_measured_here_says_why_and_fails_nothing():
    def pages():
        raise SkipTest("npm is not installed")

    told = io.StringIO()
    row = run(pages, Console(file=told))

    assert "pages is not measured: npm is not installed" in told.getvalue()
    assert (row["gate"], row["holds"], row["ours_value"]) == ("none", False, None)

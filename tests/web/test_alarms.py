"""Alarms that pages find themselves: a score that has fallen below the baseline."""

from dataclasses import replace

import pytest

from web.alarms import score_alarms
from web.skills import Skill

WEEK = Skill(-0.04, -0.07, -0.01, 9_000, 160, "worse than base", "live", 0.8, 0.79, 0.02, (0.6, 0.5), ())


def test_a_week_of_live_rows_worse_than_the_baseline_is_an_alarm():
    (alarm,) = score_alarms("4h", WEEK)

    assert alarm.text.replace("\N{NO-BREAK SPACE}", " ") == (
        "The live rows of 4 h scored worse than the baseline in the last seven days."
    )
    assert alarm.page == "/models?horizon=4h"


@pytest.mark.parametrize("verdict", ["no measurable edge", "edge", "too few to tell"])
def test_any_other_verdict_is_none(verdict):
    assert score_alarms("4h", replace(WEEK, verdict=verdict)) == []


def test_no_row_is_none():
    assert score_alarms("4h", None) == []

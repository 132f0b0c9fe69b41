"""Scores as pages show them."""

import pytest

from web.skills import skill_of


def item(low, independent, verdict):
    empty = dict.fromkeys(("coverage_claimed", "coverage_kept"))
    scores = {"brier_skill": 0.2, "brier_skill_low": low, "brier_skill_high": 0.4, "verdict": verdict}
    return {"origin": "live", "n": 900, "n_independent": independent, "calibration": [], **scores, **empty}


@pytest.mark.parametrize(
    ("low", "independent", "verdict", "is_short"),
    [
        (0.1, 12, "no measurable edge", True),
        (0.1, 60, "edge", False),
        (-0.1, 12, "no measurable edge", False),
        (None, 1, "no measurable edge", False),
    ],
)
def test_says_when_only_the_length_of_the_record_is_missing(low, independent, verdict, is_short):
    assert skill_of([item(low, independent, verdict)], "live").is_short is is_short

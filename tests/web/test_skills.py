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


@pytest.mark.parametrize(("independent", "is_told"), [(9, False), (10, True)])
def test_what_has_no_interval_is_told_of_enough_horizons_only(independent, is_told):
    bins = [{"low": 0.6, "high": 0.7, "n": 900, "mean_probability": 0.65, "share_up": 0.5}]
    shown = skill_of([item(None, independent, "") | {"calibration": bins, "coverage_kept": 0.8}], "live")

    told = (shown.gap, shown.worst, shown.coverage_kept)
    assert told == (pytest.approx(0.15), (0.65, 0.5), 0.8) if is_told else told == (None, None, None)

"""Who takes over, and when: by score beyond doubt, or by freshness where nothing speaks against it."""

import pytest

from data.champion_store import ENGINE, MODEL_LIFE_MS, PERSON, Holder
from data.paired_score import NOTHING, Compared
from engine.contest import Contender, rule_on_challenger, rule_on_predecessor, trial_ms
from market.intervals import DAY_MS, HOUR_MS

NOW = 100 * DAY_MS
EQUAL = Compared(4_000, 24, 0.001, -0.01, 0.012)
BETTER = Compared(4_000, 24, 0.02, 0.01, 0.03)
WORSE = Compared(4_000, 24, -0.02, -0.03, -0.01)
BARELY_BETTER = Compared(4_000, 24, 0.02, 0.005, 0.035)
BARELY_WORSE = Compared(4_000, 24, -0.02, -0.035, -0.005)


def contender(age_ms, since_ms=0, given_by=ENGINE):
    return Contender(Holder("m", NOW - since_ms, given_by), NOW - age_ms)


def rule(compared, champion_age_ms=2 * DAY_MS, watched_ms=2 * HOUR_MS, horizon_ms=HOUR_MS, challenger_age_ms=DAY_MS):
    champion, challenger = contender(champion_age_ms), contender(challenger_age_ms, watched_ms)
    ruling = rule_on_challenger(champion, challenger, compared, NOW, horizon_ms)
    return ruling and ruling.kind


def test_a_challenger_that_is_better_beyond_doubt_is_promoted_at_once():
    assert rule(BETTER) == "promoted"


def test_a_challenger_that_is_worse_beyond_doubt_is_dropped_though_the_champion_is_old():
    assert rule(WORSE, champion_age_ms=MODEL_LIFE_MS + DAY_MS) == "dropped"


def test_what_many_looks_find_by_chance_does_not_decide_before_the_trial_is_over():
    assert rule(BARELY_BETTER) is None
    assert rule(BARELY_WORSE) is None
    assert rule_on_predecessor(contender(DAY_MS), contender(3 * DAY_MS), BARELY_BETTER, NOW) is None


def test_the_one_look_at_the_end_of_the_trial_goes_by_the_interval():
    assert rule(BARELY_BETTER, watched_ms=trial_ms(HOUR_MS)) == "promoted"
    assert rule(BARELY_WORSE, watched_ms=trial_ms(HOUR_MS)) == "dropped"


def test_an_equal_one_waits_until_its_trial_is_over_and_then_takes_over_because_it_is_newer():
    assert rule(EQUAL, watched_ms=trial_ms(HOUR_MS) - 1) is None
    assert rule(EQUAL, watched_ms=trial_ms(HOUR_MS)) == "promoted"


def test_an_equal_one_that_is_not_newer_never_takes_over():
    assert rule(EQUAL, watched_ms=5 * DAY_MS, challenger_age_ms=2 * DAY_MS) is None


def test_without_enough_outcomes_it_takes_over_only_when_it_is_ahead_or_the_champion_is_about_to_expire():
    behind, ahead = Compared(50, 2, -0.01), Compared(50, 2, 0.01)

    assert rule(behind, watched_ms=3 * DAY_MS, champion_age_ms=4 * DAY_MS) is None
    assert rule(NOTHING, watched_ms=3 * DAY_MS, champion_age_ms=4 * DAY_MS) is None
    assert rule(ahead, watched_ms=3 * DAY_MS, champion_age_ms=4 * DAY_MS) == "promoted"
    assert rule(behind, watched_ms=3 * DAY_MS, champion_age_ms=MODEL_LIFE_MS - DAY_MS) == "promoted"


def test_an_expired_champion_gives_way_at_once():
    assert rule(NOTHING, champion_age_ms=MODEL_LIFE_MS, watched_ms=0) == "promoted"


@pytest.mark.parametrize("horizon_ms", [HOUR_MS, 4 * HOUR_MS, DAY_MS, 30 * DAY_MS])
def test_two_trials_fit_into_the_life_of_a_model(horizon_ms):
    assert DAY_MS <= trial_ms(horizon_ms) <= (MODEL_LIFE_MS - DAY_MS) / 2


def test_a_decayed_champion_gives_way_to_the_one_before_it():
    ruling = rule_on_predecessor(contender(DAY_MS), contender(3 * DAY_MS), BETTER, NOW)

    assert ruling.kind == "rolled back"
    assert "95% +1.0 to +3.0" in ruling.text


def test_what_a_person_chose_is_not_taken_back_and_an_expired_model_does_not_return():
    chosen = contender(DAY_MS, given_by=PERSON)

    assert rule_on_predecessor(chosen, contender(3 * DAY_MS), BETTER, NOW) is None
    assert rule_on_predecessor(contender(DAY_MS), contender(MODEL_LIFE_MS), BETTER, NOW) is None
    assert rule_on_predecessor(contender(DAY_MS), contender(3 * DAY_MS), EQUAL, NOW) is None

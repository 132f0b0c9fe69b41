import random

from utils.resilience import Backoff


def test_pauses_grow_to_the_cap_and_start_again_after_a_success():
    backoff = Backoff(1.0, 8.0, uniform=lambda low, high: high)

    pauses = [backoff.next_seconds() for _ in range(6)]
    backoff.reset()

    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert backoff.next_seconds() == 1.0


def test_pauses_are_drawn_between_the_floor_and_the_bound():
    backoff = Backoff(1.5, 2.0, floor_seconds=1.5, uniform=random.Random(1).uniform)

    pauses = [backoff.next_seconds() for _ in range(200)]

    assert all(1.5 <= pause <= 2.0 for pause in pauses)
    assert len(set(pauses)) > 100


def test_a_source_that_is_away_for_days_still_gets_a_pause():
    backoff = Backoff(0.5, 30.0)

    for _ in range(5_000):
        pause = backoff.next_seconds()

    assert 0.0 <= pause <= 30.0
    assert backoff.failures == 5_000

"""Every address has 6,000 a minute; who goes on is told to stop, then shut out."""

import pytest

from simulator.refusals import RequestError
from simulator.weights import FIRST_BAN_SECONDS, LIMIT, PATIENCE, WeightLimit

HERE, THERE = "127.0.0.1", "127.0.0.2"


class Wall:
    """A wall clock moved by hand."""

    def __init__(self):
        self.seconds = 1_700_000_000.0 // 60 * 60

    def __call__(self):
        return self.seconds


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def weights(wall):
    return WeightLimit(wall)


def refusal_of(weights, weight=2, address=HERE):
    with pytest.raises(RequestError) as caught:
        weights.charge(address, weight)
    return caught.value


def test_the_limit_itself_is_allowed(weights):
    for _ in range(LIMIT // 2):
        weights.charge(HERE, 2)

    assert weights.used(HERE) == LIMIT


def test_more_is_refused_until_the_minute_is_over(weights, wall):
    weights.charge(HERE, LIMIT)
    wall.seconds += 20

    refusal = refusal_of(weights)

    assert (refusal.status, refusal.code, refusal.headers["Retry-After"]) == (429, -1003, "40")
    wall.seconds += 40
    weights.charge(HERE, 2)
    assert weights.used(HERE) == 2


def test_one_address_does_not_pay_for_another(weights):
    weights.charge(HERE, LIMIT)

    weights.charge(THERE, 2)

    assert weights.used(THERE) == 2


def test_who_goes_on_is_banned_for_longer_each_time(weights, wall):
    for ban_seconds in (FIRST_BAN_SECONDS, 2 * FIRST_BAN_SECONDS):
        weights.charge(HERE, LIMIT)
        for _ in range(PATIENCE):
            assert refusal_of(weights).status == 429

        refusal = refusal_of(weights)

        assert (refusal.status, refusal.headers["Retry-After"]) == (418, str(ban_seconds))
        wall.seconds += ban_seconds - 1
        assert refusal_of(weights).status == 418
        wall.seconds += 61

import threading

import pytest

from data.weight_budget import Priority, WeightBudget
from market.errors import RateLimited, SourceUnavailable


class Hands:
    """A clock moved by hand, and a sleep that moves it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.seconds += seconds


@pytest.fixture
def hands():
    return Hands()


def make(hands, limit=1_000):
    return WeightBudget(limit, monotonic=hands, sleep=hands.sleep)


def test_no_rolling_minute_ever_holds_more_than_the_limit(hands):
    budget, spent = make(hands), []

    for _ in range(3_000):
        budget.spend(2, Priority.BACK_FILL)
        spent.append(hands.seconds)
        hands.seconds += 0.001

    for end in spent[::50]:
        assert sum(2 for at in spent if end - 60 < at <= end) <= 1_000


def test_a_back_fill_leaves_room_for_repairs(hands):
    budget = make(hands)
    for _ in range(400):
        budget.spend(2, Priority.BACK_FILL)

    budget.spend(20, Priority.REPAIR)
    assert hands.slept == 0

    budget.spend(2, Priority.BACK_FILL)
    assert hands.slept > 0


def test_the_count_of_the_exchange_is_believed_when_it_is_higher(hands):
    budget = make(hands)
    budget.spend(2, Priority.REPAIR)
    budget.note_used(950)
    assert budget.used == 950

    budget.spend(2, Priority.REPAIR)

    assert 0 < hands.slept <= 60.1
    assert budget.used == 2


def test_what_was_sent_after_the_count_comes_on_top(hands):
    budget = make(hands)
    budget.note_used(500)
    hands.seconds += 1

    budget.spend(20, Priority.REPAIR)

    assert budget.used == 520


def test_sends_nothing_until_a_ban_ends(hands):
    budget = make(hands)
    budget.silence(90)

    budget.spend(1, Priority.REPAIR)

    assert hands.slept == pytest.approx(90)


def test_a_ban_longer_than_the_patience_is_an_answer(hands):
    budget = make(hands)
    budget.silence(3 * 86_400)

    with pytest.raises(RateLimited) as caught:
        budget.spend(1, Priority.REPAIR)

    assert caught.value.retry_after_seconds == pytest.approx(3 * 86_400)
    assert hands.slept == 0


def test_a_request_heavier_than_its_share_still_goes_out_alone(hands):
    budget = make(hands, limit=50)

    budget.spend(80, Priority.COSMETIC)

    assert budget.used == 80
    assert budget.limit == 50


def test_takes_over_the_limit_the_exchange_states(hands):
    budget = make(hands)

    budget.set_limit(6_000)

    for _ in range(2_000):
        budget.spend(2, Priority.BACK_FILL)
    assert hands.slept == 0


def test_closing_wakes_who_waits():
    budget = WeightBudget(10)
    budget.silence(50)
    errors = []

    def spend():
        try:
            budget.spend(1, Priority.REPAIR)
        except SourceUnavailable as error:
            errors.append(str(error))

    thread = threading.Thread(target=spend)
    thread.start()
    budget.close()
    thread.join(10)

    assert errors == ["no more requests: Candela is stopping"]


def test_many_threads_together_stay_within_the_limit():
    budget = WeightBudget(1_000)
    refused = []

    def spend():
        for _ in range(100):
            try:
                budget.spend(2, Priority.BACK_FILL, patience_seconds=0)
            except RateLimited:
                refused.append(1)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert budget.used == 800
    assert len(refused) == 400

import random

import pytest

from utils.clock import MarketClock


class Hands:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Exchange:
    """A remote clock with an offset and a speed, seen through a line with a delay."""

    def __init__(self, hands: Hands, speed: float, start_ms: float = 1_700_000_000_000) -> None:
        self.hands, self.speed, self.start_ms, self.zero = hands, speed, start_ms, hands.seconds

    def now_ms(self) -> float:
        return self.start_ms + (self.hands.seconds - self.zero) * self.speed * 1_000

    def answer(self, clock: MarketClock, round_trip_seconds: float = 0.02) -> None:
        sent = self.hands.seconds
        self.hands.seconds += round_trip_seconds / 2
        told = self.now_ms()
        self.hands.seconds += round_trip_seconds / 2
        clock.observe(told, sent, self.hands.seconds)

    def event(self, clock: MarketClock, delay_seconds: float = 0.005) -> None:
        told = self.now_ms()
        self.hands.seconds += delay_seconds
        clock.observe_event(told)


def test_tells_the_wall_clock_before_the_first_sample():
    hands = Hands()
    clock = MarketClock(monotonic=hands, wall=lambda: 1_000.0)

    hands.seconds += 2

    assert clock.now_ms() == 1_002_000
    assert clock.stated_ms == 0


@pytest.mark.parametrize("speed", [1.0, 60.0, 0.5, 7.3, 1000.0])
def test_learns_the_speed_and_the_offset(speed):
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, speed)
    exchange.answer(clock)

    for _ in range(40):
        hands.seconds += 0.5
        exchange.event(clock)

    assert clock.speed == pytest.approx(speed, rel=0.01)
    assert abs(clock.now_ms() - exchange.now_ms()) < 0.1 * 1_000 * speed


def test_knows_the_speed_from_the_first_event_after_the_first_answers():
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, 60.0)
    exchange.answer(clock)
    exchange.answer(clock)

    hands.seconds += 2
    exchange.event(clock)

    assert clock.speed == 60.0
    assert abs(clock.now_ms() - exchange.now_ms()) < 3_000


def test_a_jittery_line_does_not_shake_a_clock_of_speed_one():
    hands, dice = Hands(), random.Random(4)
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, 1.0)
    exchange.answer(clock, 0.3)
    last_ms = 0

    for _ in range(600):
        hands.seconds += dice.uniform(0.01, 1.0)
        exchange.event(clock, dice.uniform(0.02, 0.25))
        now_ms = clock.now_ms()
        assert now_ms >= last_ms
        assert abs(now_ms - exchange.now_ms()) < 400
        last_ms = now_ms

    assert clock.speed == 1.0


def test_one_time_that_does_not_fit_changes_nothing():
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, 1.0)
    for _ in range(10):
        exchange.answer(clock)
        hands.seconds += 1
    stated_ms = clock.stated_ms

    clock.observe_event(exchange.now_ms() + 3_600_000)

    assert abs(clock.now_ms() - exchange.now_ms()) < 50
    assert clock.stated_ms == stated_ms


@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000])
@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_follows_a_remote_clock_that_was_set(jump_ms, speed):
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, 1.0)
    for _ in range(10):
        exchange.event(clock)
        hands.seconds += 1

    exchange.start_ms, exchange.zero, exchange.speed = exchange.now_ms() + jump_ms, hands.seconds, speed
    for _ in range(10):
        exchange.event(clock)
        hands.seconds += 0.5

    assert abs(clock.now_ms() - exchange.now_ms()) < 200 * speed
    assert clock.stated_ms <= exchange.now_ms()


def test_a_crowd_of_events_does_not_hide_that_the_clock_was_set():
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, 60.0)
    exchange.answer(clock, 0.6)
    exchange.answer(clock, 0.01)
    hands.seconds += 1

    for _ in range(3_000):
        hands.seconds += 0.001
        exchange.event(clock, 0.0)

    assert clock.speed == pytest.approx(60.0, rel=0.01)
    assert abs(clock.now_ms() - exchange.now_ms()) < 6_000


def test_states_only_what_the_exchange_said():
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, 60.0)
    exchange.answer(clock)
    told_ms = clock.stated_ms

    hands.seconds += 30

    assert clock.stated_ms == told_ms
    exchange.event(clock)
    assert told_ms < clock.stated_ms <= exchange.now_ms()


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_one_wrong_time_at_the_start_is_unsaid_by_the_next(speed):
    hands = Hands()
    clock, exchange = MarketClock(monotonic=hands), Exchange(hands, speed)
    exchange.answer(clock)
    clock.observe_event(exchange.now_ms() + 30 * 86_400_000)

    for _ in range(10):
        hands.seconds += 0.3
        exchange.event(clock)

    assert clock.stated_ms <= exchange.now_ms()

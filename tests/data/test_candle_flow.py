import random

import pytest

from data.candle_flow import GRACE_SECONDS, CandleFlow
from market.candles import candle_table
from tests.data.loopback_exchange import START, STEP, candle


def flow_from(last_number=0):
    flow = CandleFlow("BTCUSDT", STEP)
    flow.last_ms = candle(last_number).open_ms
    return flow


def numbers(ready):
    return [(one.open_ms - START) // STEP for one, _ in ready]


def repair(*given):
    return candle_table([candle(number) for number in given])


def test_the_next_candle_is_ready_at_once():
    flow = flow_from(0)

    assert flow.take_closed(candle(1), now=0.0) == [(candle(1), False)]
    assert not flow.is_missing


def test_the_first_candle_of_an_unknown_symbol_is_the_beginning():
    flow = CandleFlow("BTCUSDT", STEP)

    assert numbers(flow.take_closed(candle(7), now=0.0)) == [7]
    assert numbers(flow.take_closed(candle(8), now=0.0)) == [8]


def test_what_follows_a_hole_waits_for_the_repair():
    flow = flow_from(0)

    assert flow.take_closed(candle(3), now=0.0) == []
    assert flow.is_due(now=0.0, market_ms=candle(4).open_ms, speed=1.0)
    ready = flow.take_repair(repair(1, 2, 3), now=0.0)

    assert ready == [(candle(1), True), (candle(2), True), (candle(3), False)]
    assert not flow.is_missing


def test_a_closing_event_has_a_moment_to_arrive_after_its_successor():
    flow = flow_from(0)
    market_ms = candle(2).open_ms

    flow.prove(market_ms, now=10.0)

    assert not flow.is_due(10.0 + GRACE_SECONDS / 2, market_ms, speed=1.0)
    assert flow.is_due(10.0 + GRACE_SECONDS, market_ms, speed=1.0)
    assert numbers(flow.take_closed(candle(1), now=10.6)) == [1]
    assert not flow.is_due(99.0, market_ms, speed=1.0)


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_a_candle_that_does_not_come_is_late_after_ten_seconds_of_ours(speed):
    flow = flow_from(0)
    close_ms = candle(2).open_ms

    assert not flow.is_due(0.0, close_ms + int(9_900 * speed), speed)
    assert flow.is_due(0.0, close_ms + int(10_100 * speed), speed)


def test_asking_in_vain_makes_it_wait():
    flow = flow_from(0)
    late_ms = candle(9).open_ms
    assert flow.is_due(100.0, late_ms, speed=1.0)

    flow.take_repair(repair(), now=100.0)

    assert not flow.is_due(100.1, late_ms, speed=1.0)
    assert flow.is_due(101.0, late_ms, speed=1.0)


def test_the_end_of_a_hole_is_asked_about_at_once_however_long_it_was_in_vain():
    flow, other = flow_from(0), flow_from(0)
    for one in (flow, other):
        for second in range(20):
            one.take_repair(repair(), now=float(second))

    flow.take_closed(candle(5), now=20.0)
    other.take_repair(repair(5), now=20.0)

    assert flow.is_due(20.0, candle(6).open_ms, speed=1.0)
    assert other.is_due(20.6, candle(6).open_ms, speed=1.0)


def test_a_hole_for_ever_is_stepped_over_after_several_answers():
    flow = flow_from(0)
    flow.take_closed(candle(2), now=0.0)

    answers = [numbers(flow.take_repair(repair(2), now=0.0)) for _ in range(4)]

    assert answers == [[], [], [], [2]]
    assert flow.is_gapped(warm_candles=2)
    flow.take_closed(candle(3), now=0.0)
    assert not flow.is_gapped(warm_candles=2)


def test_answers_that_do_not_show_what_follows_a_hole_prove_nothing():
    flow = flow_from(0)
    flow.take_closed(candle(3), now=0.0)

    answers = [numbers(flow.take_repair(repair(), now=0.0)) for _ in range(30)]

    assert answers == [[]] * 30
    assert numbers(flow.take_repair(repair(1, 2), now=0.0)) == [1, 2, 3]


def test_what_was_refused_is_not_taken_for_a_hole_too_soon():
    flow = flow_from(0)
    flow.take_closed(candle(2), now=0.0)

    answers = [numbers(flow.take_repair(repair(2), now=0.0, refused=1)) for _ in range(20)]

    assert answers == [[]] * 19 + [[2]]


def test_one_answer_with_a_hole_is_not_believed():
    flow = flow_from(0)
    flow.take_closed(candle(4), now=0.0)

    first = flow.take_repair(repair(1, 3), now=0.0)
    second = flow.take_repair(repair(2, 3), now=0.0)

    assert (numbers(first), numbers(second)) == ([1], [2, 3, 4])


def test_after_a_loss_it_asks_only_for_what_closed_meanwhile():
    quiet, missed = flow_from(0), flow_from(0)

    quiet.resume(stated_ms=candle(2).open_ms - 1, now=0.0)
    missed.resume(stated_ms=candle(2).open_ms, now=0.0)

    assert not quiet.is_due(0.0, candle(2).open_ms, speed=1.0)
    assert missed.is_due(0.0, candle(2).open_ms, speed=1.0)


def test_what_waits_is_bounded_and_nothing_is_lost_by_it():
    flow = flow_from(0)
    for number in range(2, 1_500):
        flow.take_closed(candle(number), now=0.0)
    waiting = len(flow._held)

    ready = flow.take_repair(repair(*range(1, 1_500)), now=0.0)

    assert waiting == 500
    assert numbers(ready) == list(range(1, 1_500))


@pytest.mark.parametrize("seed", range(20))
def test_any_loss_repetition_and_disorder_ends_in_the_true_series(seed):
    dice, flow = random.Random(seed), flow_from(0)
    out, now = [], 0.0
    events = [number for number in range(1, 300) for _ in range(dice.choice([0, 1, 1, 1, 2]))]
    for at in range(0, len(events) - 3, 3):
        if dice.random() < 0.3:
            events[at : at + 3] = dice.sample(events[at : at + 3], 3)

    for number in [*events, 300]:
        now += 1.0
        out += flow.take_closed(candle(number), now)
        market_ms = candle(number + 1).open_ms
        if flow.is_due(now, market_ms, speed=1.0) and dice.random() < 0.5:
            since = (flow.last_ms - START) // STEP + 1
            out += flow.take_repair(repair(*range(since, number + 1)), now)
    since = (flow.last_ms - START) // STEP + 1
    out += flow.take_repair(repair(*range(since, 301)), now)

    assert [one for one, _ in out] == [candle(number) for number in range(1, 301)]

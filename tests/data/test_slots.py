import threading

import pytest

from data.slots import ROOM, SlotQueue
from tests.data.loopback_exchange import candle


def test_gathers_what_opened_at_the_same_time():
    slots = SlotQueue()
    slots.expect(2)
    slots.put([(candle(1, "BTCUSDT"), False)])
    slots.put([(candle(1, "ETHUSDT"), True)])

    slot = next(slots.slots(idle_seconds=1.0))

    assert slot.candles == [candle(1, "BTCUSDT"), candle(1, "ETHUSDT")]
    assert slot.repaired == {"ETHUSDT"}


def test_waits_no_longer_than_the_gathering_time_for_who_does_not_come():
    slots = SlotQueue()
    slots.expect(50)
    slots.put([(candle(1, "BTCUSDT"), False)])

    slot = next(slots.slots(idle_seconds=60.0))

    assert len(slot.candles) == 1


def test_there_is_no_room_for_more_than_memory_should_hold():
    slots = SlotQueue()
    slots.put([(candle(number), False) for number in range(ROOM)])
    is_full = not slots.has_room

    next(slots.slots(idle_seconds=0.0))

    assert is_full
    assert slots.has_room


def test_yields_the_oldest_first_and_each_symbol_once_a_slot():
    slots = SlotQueue()
    slots.expect(1)
    slots.put([(candle(number), False) for number in (2, 1, 3)])

    taken = slots.slots(idle_seconds=0.0)

    assert [next(taken).candles for _ in range(4)] == [[candle(1)], [candle(2)], [candle(3)], []]


def test_nothing_is_dropped_while_nobody_takes():
    slots = SlotQueue()
    for number in range(5_000):
        slots.put([(candle(number), False)])
    slots.expect(1)

    taken = slots.slots(idle_seconds=0.0)

    assert [next(taken).candles[0].open_ms for _ in range(5_000)] == [candle(n).open_ms for n in range(5_000)]


def test_closing_ends_a_waiting_taker():
    slots = SlotQueue()
    taken = []
    thread = threading.Thread(target=lambda: taken.extend(slots.slots(idle_seconds=60.0)))
    thread.start()

    slots.close()
    thread.join(10)

    assert not thread.is_alive()
    assert taken == []


def test_a_failure_behind_it_reaches_the_taker():
    slots = SlotQueue()

    slots.close(ZeroDivisionError("the feed broke"))

    with pytest.raises(ZeroDivisionError, match="the feed broke"):
        list(slots.slots(idle_seconds=0.0))

import pytest

from data.candle_flow import CandleFlow
from data.feed_status import FeedState, Line, Moment, feed_state, is_silent, symbol_state

STEP, NOW = 60_000, 1_000.0
LAST_MS = 1_700_000_040_000


@pytest.mark.parametrize(
    ("age", "is_connected", "is_stream_refused", "is_rest_refused", "state"),
    [
        (None, False, False, False, "connecting"),
        (None, True, False, False, "connecting"),
        (None, False, True, False, "connecting"),
        (None, False, True, True, "down"),
        (1.0, True, False, False, "live"),
        (1.0, True, False, True, "live"),
        (5.5, True, False, False, "stale"),
        (1.0, False, False, False, "stale"),
        (9.0, False, True, False, "stale"),
        (9.0, False, True, True, "down"),
    ],
)
def test_state_of_the_feed(age, is_connected, is_stream_refused, is_rest_refused, state):
    message_seconds = None if age is None else NOW - age

    line = Line(message_seconds, is_connected, is_stream_refused, is_rest_refused)

    assert feed_state(line, NOW) == state


def flow(**facts):
    made = CandleFlow("BTCUSDT", STEP)
    made.last_ms, made.message_seconds = LAST_MS, NOW - 1
    for name, value in facts.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("facts", "feed", "late_seconds", "state", "reason"),
    [
        ({}, "live", 0, "live", None),
        ({}, "live", 9, "live", None),
        ({}, "live", 11, "stale", "late"),
        ({}, "stale", 0, "stale", "not live"),
        ({"last_ms": None}, "live", 0, "stale", "no candle yet"),
        ({"message_seconds": NOW - 11}, "live", 0, "stale", "silent"),
        ({"message_seconds": NOW - 11, "replaced_seconds": NOW - 5}, "live", 0, "live", None),
        ({"message_seconds": None}, "live", 0, "stale", "silent"),
        ({"hole_ms": LAST_MS - 3 * STEP}, "live", 0, "gapped", "lacks"),
        ({"hole_ms": LAST_MS - 30 * STEP}, "live", 0, "live", None),
        ({"_proven_ms": LAST_MS + 2 * STEP}, "live", 0, "gapped", "asked for"),
        ({"is_closed": True}, "down", 99, "closed", "does not trade"),
    ],
)
@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_state_of_a_symbol_and_its_reason(facts, feed, late_seconds, state, reason, speed):
    market_ms = LAST_MS + 2 * STEP + int(late_seconds * 1_000 * speed)

    found, why = symbol_state(flow(**facts), FeedState(feed), Moment(NOW, market_ms, speed), warm_candles=10)

    assert found == state
    assert (why is None) if reason is None else (reason in why)


def test_a_closed_symbol_is_never_silent():
    assert is_silent(flow(message_seconds=None), NOW)
    assert not is_silent(flow(message_seconds=None, is_closed=True), NOW)

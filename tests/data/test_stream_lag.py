import pytest

from data.stream_lag import StreamLag

NOW, MARKET_MS = 1_000.0, 1_700_000_000_000


class Clock:
    """An exchange's clock that stands at `MARKET_MS` when ours stands at `NOW`."""

    def __init__(self, speed, ours=NOW):
        self.speed, self.ours = speed, ours

    def now_ms(self):
        return int(MARKET_MS + (self.ours - NOW) * 1_000 * self.speed)


def test_before_the_first_event_nothing_is_known():
    assert StreamLag(Clock(1.0)).seconds(NOW) is None


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_the_lag_is_the_age_of_the_newest_event_in_our_seconds(speed):
    lag = StreamLag(Clock(speed, ours=NOW + 0.5))

    for seconds in (4.0, 3.2, 9.0):
        lag.note(int(MARKET_MS - seconds * 1_000 * speed), NOW)

    assert lag.seconds(NOW + 0.5) == pytest.approx(3.2)


def test_an_odd_stamp_of_the_future_is_forgotten_in_a_second():
    lag = StreamLag(Clock(1.0, ours=NOW + 1.5))
    lag.note(MARKET_MS + 60_000, NOW)

    lag.note(MARKET_MS - 500, NOW + 1.5)

    assert lag.seconds(NOW + 1.5) == pytest.approx(2.0)

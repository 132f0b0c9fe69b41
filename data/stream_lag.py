"""Measure how far behind the exchange's clock the events of one connection are when they are read."""

from utils.clock import MarketClock

_WINDOW_SECONDS = 1.0  # the newest event counts for so long, then any other may be the newest


class StreamLag:
    """The age of the newest event, which is the least any event is late: one odd stamp among many says nothing."""

    def __init__(self, clock: MarketClock) -> None:
        """Measure against the exchange's clock as it is known."""
        self._clock = clock
        self._newest_ms = 0
        self._behind_seconds = 0.0
        self._read_seconds = float("-inf")

    def note(self, event_ms: int, now: float) -> None:
        """Take in the stamp of an event that is read at `now`; cheap enough to call for each."""
        if event_ms > self._newest_ms or now - self._read_seconds > _WINDOW_SECONDS:
            self._newest_ms, self._read_seconds = event_ms, now

    def seconds(self, now: float) -> float | None:
        """Return how old the newest event was when it was read, in our seconds; None when none has been read."""
        if not self._newest_ms:
            return None
        market_ms = self._clock.now_ms() - (now - self._read_seconds) * 1_000 * self._clock.speed
        return max(0.0, (market_ms - self._newest_ms) / 1_000 / self._clock.speed)

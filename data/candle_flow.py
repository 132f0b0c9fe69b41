"""The closed candles of one symbol, in order and without holes: what waits, what is missing, what is ready."""

from dataclasses import dataclass, field

import numpy as np

from market.candles import Candle
from utils.resilience import Backoff

GRACE_SECONDS = 1.0  # the closing event may come a moment after the first of the next candle
LATE_SECONDS = 10.0
_SHORT_ANSWERS = 4  # so many answers that show what is around a candle and not the candle: it does not exist
_REFUSED_ANSWERS = 20  # so many when rows of them were refused: what is missing may be among those
_MAX_HELD = 500  # more can be asked for again


@dataclass(slots=True)
class CandleFlow:
    """One symbol of the feed. `last_ms`: open time of the newest candle handed out (None: none yet).

    A candle newer than a hole waits until the hole is filled, or is known to be one for ever.
    """

    symbol: str
    interval_ms: int
    last_ms: int | None = None
    price: float | None = None
    change_24h_percent: float | None = None
    message_seconds: float | None = None  # monotonic time of its newest message
    replaced_seconds: float = float("-inf")  # when REST last gave its price instead
    is_closed: bool = False  # the exchange says it does not trade
    is_repairing: bool = False
    hole_ms: int | None = None  # newest candle the exchange turned out not to have
    retry_at: float = 0.0
    gap_since: tuple[int, int] | None = None  # of a gap that goes on: its first candle, and when it was found
    repaired_ms: int | None = None  # newest candle that REST brought, or a hole ended with
    has_caught_up: bool = False  # with the time before the first connection
    is_unsure: bool = True  # the connection is new: did something close before it?
    _proven_ms: int = 0  # candles that open before this have closed
    _missing_since: float | None = None
    _short_answers: float = 0.0
    _held: dict[int, tuple[Candle, bool]] = field(default_factory=dict)
    _backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0, floor_seconds=0.25))

    @property
    def is_missing(self) -> bool:
        """Return whether a candle that is known to have closed has not come."""
        return self.last_ms is not None and self.last_ms + self.interval_ms < self._proven_ms

    def take_closed(self, candle: Candle, now: float) -> list[tuple[Candle, bool]]:
        """Take in a closed candle from the stream; repeated ones are ignored.

        Returns what is ready, oldest first, each with whether REST brought it.
        """
        if self.last_ms is None:
            self.last_ms = candle.open_ms - self.interval_ms
        if candle.open_ms <= self.last_ms:
            return []
        was_waiting = bool(self._held)
        self._held.setdefault(candle.open_ms, (candle, False))
        if len(self._held) > _MAX_HELD:
            del self._held[min(self._held)]
        self.prove(candle.open_ms + self.interval_ms, now)
        ready = self._flush()
        if self._held and not was_waiting:
            self._ask_anew()
        self.has_caught_up = self.has_caught_up or bool(ready)
        return ready

    def is_news(self, open_ms: int) -> bool:
        """Return whether a candle that opens then tells more than is known of which candles have closed."""
        return open_ms > self._proven_ms

    def prove(self, open_ms: int, now: float) -> None:
        """Note that all candles opening before `open_ms` have closed by now."""
        self._proven_ms = max(self._proven_ms, open_ms)
        if self.is_missing and self._missing_since is None:
            self._missing_since = now

    def resume(self, stated_ms: int, now: float) -> None:
        """Go on after a loss: `stated_ms` is the exchange's time at a moment when its events came in again.

        If a candle closed before that, its event is lost; else nothing is.
        """
        self.is_unsure = False
        self._ask_anew()
        if self.last_ms is not None and stated_ms >= self.last_ms + 2 * self.interval_ms:
            self.prove(self.last_ms + 2 * self.interval_ms, now - GRACE_SECONDS)

    def is_due(self, now: float, market_ms: int, speed: float) -> bool:
        """Return whether REST should be asked now: a candle is missing, or late."""
        if self.is_repairing or self.is_closed or self.last_ms is None or now < self.retry_at:
            return False
        if self.is_missing and (self._held or now - (self._missing_since or now) >= GRACE_SECONDS):
            return True
        return self.is_late(market_ms, speed)

    def is_late(self, market_ms: int, speed: float) -> bool:
        """Return whether the next closed candle is more than 10 s of our time late."""
        if self.last_ms is None:
            return True
        return market_ms - self.last_ms - 2 * self.interval_ms > LATE_SECONDS * 1_000 * speed

    def take_repair(self, table: np.ndarray, now: float, refused: int = 0) -> list[tuple[Candle, bool]]:
        """Take in what REST has since the last candle; return what is ready, as `take_closed` does.

        `refused`: how many more rows the answer had that could not be believed.
        """
        was_waiting = bool(self._held)
        for row in table.tolist():
            if self.last_ms is not None and row[0] > self.last_ms:
                self._held.setdefault(row[0], (Candle(self.symbol, *row), True))
                self._proven_ms = max(self._proven_ms, row[0] + self.interval_ms)
        ready = self._flush()
        if self.is_missing and self.last_ms is not None and len(table) and table["open_ms"][-1] > self.last_ms:
            self._short_answers += _SHORT_ANSWERS / _REFUSED_ANSWERS if refused else 1.0
            if self._short_answers >= _SHORT_ANSWERS - 1e-9:
                ready += self._step_over_hole()
        if ready or (self._held and not was_waiting):
            self._ask_anew()
        if not ready or self.is_missing:
            self.postpone(now)
        return ready

    def postpone(self, now: float) -> None:
        """Let the next question to REST wait: the last one failed or brought nothing."""
        self.retry_at = now + self._backoff.next_seconds()

    def is_gapped(self, warm_candles: int) -> bool:
        """Return whether a candle is missing now, or one of the last `warm_candles` never existed."""
        if self.hole_ms is not None and self.last_ms is not None:
            return self.is_missing or self.last_ms - self.hole_ms < warm_candles * self.interval_ms
        return self.is_missing

    def _ask_anew(self) -> None:
        # The pauses that questions in vain have led to mean nothing once there is more to be had: a hole has its end.
        self.retry_at = 0.0
        self._backoff.reset()

    def _flush(self) -> list[tuple[Candle, bool]]:
        ready = []
        while self.last_ms is not None and self.last_ms + self.interval_ms in self._held:
            self.last_ms += self.interval_ms
            ready.append(self._held.pop(self.last_ms))
            if ready[-1][1]:
                self.repaired_ms = self.last_ms
        if not self.is_missing:
            self._missing_since, self._short_answers = None, 0.0
        return ready

    def _step_over_hole(self) -> list[tuple[Candle, bool]]:
        next_ms = min(self._held)
        self.hole_ms = next_ms - self.interval_ms
        self.last_ms = self.repaired_ms = self.hole_ms
        self._short_answers = 0.0
        return self._flush()

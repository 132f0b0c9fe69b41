"""Spend the exchange's request weight so that it never has to refuse: one budget for all requests of a process."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum

from market.errors import RateLimited, SourceUnavailable

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60.0
DEFAULT_LIMIT = 6_000  # Binance's, until exchangeInfo says otherwise


class Priority(IntEnum):
    """Who gives way to whom when weight is short."""

    REPAIR = 0
    BACK_FILL = 1
    COSMETIC = 2


# What is left above each share belongs to the more urgent ones, and to others behind the same address.
_SHARE = {Priority.REPAIR: 0.95, Priority.BACK_FILL: 0.8, Priority.COSMETIC: 0.6}


class WeightBudget:
    """The weight used in the last minute, ours and what the exchange counted, and who may spend the rest."""

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Start with nothing used; `sleep` is how a spender waits (by default until `close`)."""
        self._limit = limit
        self._monotonic = monotonic
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._lock = threading.Lock()
        self._spent: deque[tuple[float, int]] = deque()
        self._own = 0
        self._counted = 0
        self._counted_until = 0.0
        self._silent_until = 0.0

    @property
    def limit(self) -> int:
        """Return the weight the exchange allows in a minute."""
        return self._limit

    @property
    def used(self) -> int:
        """Return the weight used in the last minute, by the higher of the two counts."""
        with self._lock:
            return self._used(self._monotonic())

    def set_limit(self, limit: int) -> None:
        """Take over the limit the exchange states."""
        self._limit = max(1, limit)

    def spend(self, weight: int, priority: Priority, patience_seconds: float = 2 * WINDOW_SECONDS) -> None:
        """Book `weight`, waiting until the minute allows it; RateLimited when that takes longer than the patience.

        SourceUnavailable after `close`.
        """
        give_up_at = self._monotonic() + patience_seconds
        while (wait_seconds := self._try(weight, priority)) > 0:
            if self._closed.is_set():
                raise SourceUnavailable("no more requests: Candela is stopping")
            if self._monotonic() + wait_seconds > give_up_at:
                raise RateLimited(
                    f"the exchange allows no request for {wait_seconds:.0f} s; waiting for it", wait_seconds
                )
            self._sleep(wait_seconds)

    def note_used(self, used: int) -> None:
        """Take over what the exchange counted for this address (header X-MBX-USED-WEIGHT-1M)."""
        with self._lock:
            self._counted = used
            self._counted_until = self._monotonic() + WINDOW_SECONDS

    def silence(self, seconds: float) -> None:
        """Send nothing for so long: the exchange answered 429 or 418 with Retry-After."""
        with self._lock:
            self._silent_until = max(self._silent_until, self._monotonic() + seconds)
        logger.warning("request limit hit silent_seconds=%.0f", seconds)

    def close(self) -> None:
        """Wake all who wait and let nobody spend any more."""
        self._closed.set()

    def _try(self, weight: int, priority: Priority) -> float:
        """Book and return 0, or return how long to wait before asking again."""
        if self._closed.is_set():
            raise SourceUnavailable("no more requests: Candela is stopping")
        with self._lock:
            now = self._monotonic()
            if now < self._silent_until:
                return self._silent_until - now
            allowed = max(weight, int(self._limit * _SHARE[priority]))
            if self._used(now) + weight <= allowed:
                self._spent.append((now, weight))
                self._own += weight
                return 0.0
            return self._wait_seconds(now, weight, allowed)

    def _used(self, now: float) -> int:
        while self._spent and self._spent[0][0] <= now - WINDOW_SECONDS:
            self._own -= self._spent.popleft()[1]
        return max(self._own, self._counted_now(now))

    def _counted_now(self, now: float) -> int:
        if now >= self._counted_until:
            return 0
        # The exchange's count is as old as its answer; what was sent since comes on top.
        counted_at = self._counted_until - WINDOW_SECONDS
        since = 0
        for at, weight in reversed(self._spent):
            if at <= counted_at:
                break
            since += weight
        return self._counted + since

    def _wait_seconds(self, now: float, weight: int, allowed: int) -> float:
        wait_seconds = 0.05
        if self._counted_now(now) + weight > allowed:
            # Its minute ends at a moment only it knows: look again now and then, at the latest a minute later.
            wait_seconds = min(self._counted_until - now, 5.0)
        too_much = self._own + weight - allowed
        for at, spent in self._spent:
            if too_much <= 0:
                break
            too_much -= spent
            wait_seconds = max(wait_seconds, at + WINDOW_SECONDS - now)
        return max(wait_seconds, 0.001)

"""Closed candles on their way to the engine, gathered by the time they opened."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from market.candles import Candle
from market.gaps import Gap

GATHER_SECONDS = 0.05  # one close is gathered for at most so long
PAUSE_SECONDS = 0.02  # without news after a close: time for what could wait
ROOM = 20_000  # candles that may wait, about 5 MB; those of three hours of 500 symbols at 5m


@dataclass(frozen=True, slots=True)
class Slot:
    """Candles that opened at the same time, at most one a symbol; `repaired` names those that REST brought.

    `gaps`: those that have ended since the last slot. Without candles it only says that time passes.
    """

    candles: list[Candle] = field(default_factory=list)
    repaired: frozenset[str] = frozenset()
    gaps: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class _Gathering:
    since: float
    candles: dict[str, Candle] = field(default_factory=dict)
    repaired: set[str] = field(default_factory=set)


class SlotQueue:
    """Many threads put candles in, one takes slots out, oldest first; nothing that is in is ever dropped."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start empty and open."""
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._slots: dict[int, _Gathering] = {}
        self._is_closed = False
        self._failure: BaseException | None = None
        self._expected = 0
        self._gaps: list[Gap] = []
        self._waiting = 0

    @property
    def has_room(self) -> bool:
        """Return whether candles may still be put in. What does not come in now must be fetched again later."""
        return self._waiting < ROOM

    def note(self, gap: Gap) -> None:
        """Add a gap that has ended; it comes with a slot after its candles."""
        with self._changed:
            self._gaps.append(gap)

    def expect(self, symbols: int) -> None:
        """Say how many symbols close a candle at each time: a slot that has them all waits no longer."""
        self._expected = symbols

    def put(self, candles: list[tuple[Candle, bool]]) -> None:
        """Add closed candles of any symbols, each with whether REST brought it."""
        with self._changed:
            is_news = False
            for candle, is_repair in candles:
                slot = self._slots.get(candle.open_ms)
                if slot is None:
                    is_news = True
                    slot = self._slots[candle.open_ms] = _Gathering(self._monotonic())
                self._waiting += candle.symbol not in slot.candles
                slot.candles[candle.symbol] = candle
                is_news = is_news or len(slot.candles) == self._expected
                if is_repair:
                    slot.repaired.add(candle.symbol)
            if is_news:  # 500 wake-ups for 500 candles that close together would cost more than all the rest
                self._changed.notify()

    def close(self, failure: BaseException | None = None) -> None:
        """End `slots`; with a failure, end it by raising that."""
        with self._changed:
            self._is_closed = True
            self._failure = self._failure or failure
            self._changed.notify_all()

    def slots(self, idle_seconds: float) -> Iterator[Slot]:
        """Yield slots until `close`; an empty one whenever `idle_seconds` pass without any, and soon after a close."""
        wait_seconds = idle_seconds
        while True:
            with self._changed:
                slot = self._next(wait_seconds)
            if slot is None:
                break
            yield slot
            wait_seconds = min(PAUSE_SECONDS, idle_seconds) if slot.candles else idle_seconds
        if self._failure is not None:
            raise self._failure

    def _next(self, idle_seconds: float) -> Slot | None:
        if not self._slots and not self._is_closed:
            self._changed.wait(idle_seconds)
        while self._slots and not self._is_closed:
            oldest_ms = min(self._slots)
            oldest = self._slots[oldest_ms]
            left = oldest.since + GATHER_SECONDS - self._monotonic()
            if left <= 0 or len(oldest.candles) >= self._expected:
                del self._slots[oldest_ms]
                self._waiting -= len(oldest.candles)
                return Slot(list(oldest.candles.values()), frozenset(oldest.repaired))
            self._changed.wait(left)
        if self._is_closed:
            return None
        ended, self._gaps = self._gaps, []
        return Slot(gaps=ended)

"""Count what was turned away at the door, by reason."""

import threading
from collections import Counter


class Refusals:
    """How many rows, events and bodies were refused since the start, by reason; safe to use from any thread."""

    def __init__(self) -> None:
        """Start with nothing refused."""
        self._lock = threading.Lock()
        self._by_reason: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        """Count `count` more refused for `reason`."""
        with self._lock:
            self._by_reason[reason] += count

    def by_reason(self) -> dict[str, int]:
        """Return the counts so far, the largest first."""
        with self._lock:
            return dict(self._by_reason.most_common())

    @property
    def total(self) -> int:
        """Return how many were refused altogether."""
        with self._lock:
            return self._by_reason.total()

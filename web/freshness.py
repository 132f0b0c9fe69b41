"""Tell in microseconds whether anything that answers show has changed: the heartbeat, the database, the ledger."""

import threading
import time
from dataclasses import dataclass, replace

from data.commits import Commits, Mark
from web.heartbeat import Heartbeat
from web.stores import VENUE_NAME, Stores

# A look makes three calls that let other threads in, a third of what a kept answer costs; an answer is longer than this
# on its way.
_GOOD_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Freshness:
    """What an answer was made from; two answers made from the same show the same, but for ages."""

    beat: Heartbeat
    mark: Mark
    stamp: str  # of the ledger
    mono_s: float

    def has_ledger_of(self, other: "Freshness", seconds: float) -> bool:
        """Return whether the ledger is the one of `other`, looked at within so many seconds before, or later."""
        return other.mono_s > self.mono_s or (self.stamp == other.stamp and self.mono_s - other.mono_s < seconds)

    def is_moment_of(self, other: "Freshness", seconds: float) -> bool:
        """Return whether nothing was written since `other`, looked at within so many seconds before, or later."""
        is_same = self.beat is other.beat and self.mark == other.mark
        return other.mono_s > self.mono_s or (is_same and self.mono_s - other.mono_s < seconds)


class Watch:
    """Looks at the state of one instance; one database of each market is watched."""

    def __init__(self, stores: Stores) -> None:
        """Look at what these stores read; nothing is opened before the first look."""
        self._stores = stores
        self._lock = threading.Lock()
        self._commits: dict[str, Commits] = {}
        self._last: _Look | None = None

    def look(self) -> Freshness | None:
        """Return how it is now; None while there is no database. SourceUnavailable when it cannot be read."""
        now_s, last = time.monotonic(), self._last
        if last is None or now_s - last.at_s > _GOOD_SECONDS:
            last = self._last = self._look(now_s, last)
        if last is None:
            return None
        return Freshness(last.beat, last.mark, last.stamp, self._stores.mono_s())

    def glance(self) -> Freshness | None:
        """Return what `look` would, if nothing was written since it was called last; else None.

        It opens nothing, asks the database nothing but how often it was written to, and waits for nobody.
        """
        now_s, last = time.monotonic(), self._last
        if last is None:
            return None
        if now_s - last.at_s > _GOOD_SECONDS:
            commits = self._commits.get(last.beat.venue or "")
            if commits is None or commits.mark() != last.mark or self._stores.heartbeat() is not last.beat:
                return None
            last = self._last = replace(last, at_s=now_s)
        return Freshness(last.beat, last.mark, last.stamp, self._stores.mono_s())

    def close(self) -> None:
        """Let go of the databases."""
        with self._lock:
            for commits in self._commits.values():
                commits.close()

    def _look(self, now_s: float, last: "_Look | None") -> "_Look | None":
        beat = self._stores.heartbeat()
        if beat.venue is None or not VENUE_NAME.fullmatch(beat.venue):
            return None
        mark = self._watched(beat.venue).mark()
        if mark is None:
            return None
        key = (beat.venue, beat.interval, mark)
        if last is not None and (last.beat.venue, last.beat.interval, last.mark) == key:
            return _Look(beat, mark, last.stamp, now_s)
        # Read after the mark: a commit in between makes the next mark another one, so no old stamp is believed.
        return _Look(beat, mark, self._stores.stamp(), now_s)

    def _watched(self, venue: str) -> Commits:
        with self._lock:
            if venue not in self._commits:
                self._commits[venue] = Commits(self._stores.instance_dir / f"{venue}.db")
            return self._commits[venue]


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen, and when, on this machine's own clock."""

    beat: Heartbeat
    mark: Mark
    stamp: str
    at_s: float

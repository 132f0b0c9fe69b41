"""Tell in microseconds whether anything that answers show has changed: the heartbeat, the database, the ledger."""

import threading
from dataclasses import dataclass

from data.commits import Commits, Mark
from web.heartbeat import Heartbeat
from web.stores import VENUE_NAME, Stores


@dataclass(frozen=True, slots=True)
class Freshness:
    """What an answer was made from; two answers made from the same show the same, but for ages."""

    beat: Heartbeat
    mark: Mark | None
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
        self._last: tuple[str | None, str, Mark, str] | None = None  # venue, interval, mark, and the stamp then

    def look(self) -> Freshness | None:
        """Return how it is now; None while there is no database. SourceUnavailable when it cannot be read."""
        beat = self._stores.heartbeat()
        if beat.venue is None or not VENUE_NAME.fullmatch(beat.venue):
            return None
        mark = self._watched(beat.venue).mark()
        if mark is None:
            return None
        last = self._last
        if last is not None and last[:3] == (beat.venue, beat.interval, mark):
            return Freshness(beat, mark, last[3], self._stores.mono_s())
        # Read after the mark: a commit in between makes the next mark another one, so no old stamp is believed.
        stamp = self._stores.stamp()
        self._last = (beat.venue, beat.interval, mark, stamp)
        return Freshness(beat, mark, stamp, self._stores.mono_s())

    def close(self) -> None:
        """Let go of the databases."""
        with self._lock:
            for commits in self._commits.values():
                commits.close()

    def _watched(self, venue: str) -> Commits:
        with self._lock:
            if venue not in self._commits:
                self._commits[venue] = Commits(self._stores.instance_dir / f"{venue}.db")
            return self._commits[venue]

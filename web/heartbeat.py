"""What the engine last said of itself, and how old that is."""

import logging
import os
import time
from pathlib import Path

import msgspec

from utils.sizes import Emptied

logger = logging.getLogger(__name__)

ALIVE_SECONDS = 2.5  # the engine writes twice a second


class Feed(msgspec.Struct, frozen=True):
    """The state of the market feed; counters since engine start."""

    state: str = "connecting"
    last_message_mono_s: float | None = None
    lag_s: float | None = None  # how old the newest events were when they were read
    conflated: int = 0  # states that a newer one replaced unread
    reconnects: int = 0
    renewals: int = 0
    gaps_found: int = 0
    gaps_repaired: int = 0
    rejected_rows: int = 0
    rejected_by_reason: dict[str, int] = {}
    weight_used_1m: int | None = None
    weight_limit_1m: int | None = None


class SymbolState(msgspec.Struct, frozen=True):
    """One symbol: what the exchange says of it and how fresh it is."""

    symbol: str
    base: str = ""
    quote: str = ""
    status: str = "UNKNOWN"
    price_digits: int = 8
    tick: float | str | None = None
    step: float | str | None = None
    min_notional: float | str | None = None
    state: str = "stale"
    reason: str | None = None  # why it is not live
    last_candle_open_ms: int | None = None
    last_message_mono_s: float | None = None
    price: float | None = None
    change_24h_percent: float | None = None


class Training(msgspec.Struct, frozen=True):
    """How far a long work of the engine has come."""

    step: str | None = None
    done: float | None = None
    total: float | None = None
    eta_s: float | None = None
    horizons: tuple[str, ...] = ()
    is_first: bool = False  # no model of these horizons speaks yet, so it goes at full speed


class Load(msgspec.Struct, frozen=True):
    """How long a model took to load, and how large it is in memory."""

    load_ms: float
    bytes: int


class Models(msgspec.Struct, frozen=True):
    """What the engine says of its models beyond what lies in the database."""

    definition: str = ""  # of the features, by which models must have been made
    alarms: tuple[str, ...] = ()
    drifts: tuple[str, ...] = ()  # champions that see another market than that of their training
    loads: dict[str, Load] = {}
    training_failure: str | None = None  # of the last one
    leaks: Training | None = None  # the leak tests that run
    leaks_failure: str | None = None


class Sealing(msgspec.Struct, frozen=True):
    """The job that seals old months."""

    is_running: bool = False
    failure: str | None = None


class Timing(msgspec.Struct, frozen=True):
    """How often one of the engine's functions ran, and how long its newest calls took."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Cache(msgspec.Struct, frozen=True):
    """A cache: counts since the start of its process, what it holds, and when it was emptied last."""

    hits: int
    misses: int
    size: int
    max_size: int | None  # entries; None where bytes are limited
    evictions: int
    size_bytes: int = 0
    max_bytes: int | None = None
    emptied: Emptied | None = None


class Performance(msgspec.Struct, frozen=True):
    """What the engine measures of itself every few seconds."""

    processor_share: float = 0.0  # of one processor
    functions: dict[str, Timing] = {}
    caches: dict[str, Cache] = {}


class Fault(msgspec.Struct, frozen=True):
    """What the engine cannot write, in words, and since when."""

    text: str
    since_mono_s: float


class Heartbeat(msgspec.Struct, frozen=True):
    """The engine's own words; times named `mono` are this machine's monotonic clock in seconds."""

    pid: int | None = None
    started_mono_s: float | None = None
    written_mono_s: float | None = None
    market: str | None = None
    venue: str | None = None
    interval: str = "5m"
    horizons: tuple[str, ...] = ()
    speed: float = 1.0
    market_ms: float | None = None
    ahead_ms: float | None = None  # the market's clock less this machine's, once it is learned
    version: int = 0
    rss_mb: float | None = None
    cost_bps: float = 0.0
    feed: Feed = Feed()
    symbols: tuple[SymbolState, ...] = ()
    training: Training | None = None
    fetching: Training | None = None  # the history, before anything else
    models: Models = Models()
    sealing: Sealing = Sealing()
    performance: Performance = Performance()
    note: str | None = None
    fault: Fault | None = None

    def age_s(self, mono_s: float) -> float | None:
        """Return the seconds since this was written; None when the engine has never run."""
        return None if self.written_mono_s is None else max(0.0, mono_s - self.written_mono_s)

    def is_alive(self, mono_s: float) -> bool:
        """Return whether the engine that wrote this still runs."""
        age_s = self.age_s(mono_s)
        return age_s is not None and age_s < ALIVE_SECONDS and self.pid is not None and _runs(self.pid)

    def market_now_ms(self, mono_s: float) -> int:
        """Return the market's time, carried on from the last heartbeat at the market's speed."""
        if self.market_ms is None or self.written_mono_s is None:
            return time.time_ns() // 1_000_000
        return int(self.market_ms + (mono_s - self.written_mono_s) * 1_000 * self.speed)

    def feed_state(self, mono_s: float) -> str:
        """Return the feed's state; a dead engine has no live feed."""
        if self.is_alive(mono_s):
            return self.feed.state
        return "connecting" if self.feed.last_message_mono_s is None else "stale"

    def symbol_state(self, entry: SymbolState, mono_s: float) -> str:
        """Return a symbol's state; nothing is live when the engine is not."""
        return "stale" if entry.state == "live" and not self.is_alive(mono_s) else entry.state


class HeartbeatFile:
    """The engine's heartbeat, read again when the file was replaced; what was read last stays when it goes."""

    def __init__(self, path: Path, before: Heartbeat) -> None:
        """Read `path`; `before` is what to believe until it exists."""
        self._path = path
        self._newest = before
        self._stamp: tuple[int, int] | None = None

    def read(self, mono_s: float) -> Heartbeat:
        """Return the newest heartbeat; `mono_s` is the monotonic clock's reading now."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                beat = msgspec.json.decode(self._path.read_bytes(), type=Heartbeat)
                self._newest = _of_this_boot(beat, mono_s, time.time() - found.st_mtime)
                self._stamp = stamp
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            logger.warning("heartbeat cannot be read path=%s reason=%s", self._path.name, error)
        return self._newest


def _of_this_boot(beat: Heartbeat, mono_s: float, age_s: float) -> Heartbeat:
    """Return the heartbeat with its monotonic times moved when they come from before the machine was started."""
    if beat.written_mono_s is None or beat.written_mono_s <= mono_s + 1.0:
        return beat
    moved = beat.written_mono_s - mono_s + max(age_s, 0.0)
    feed = msgspec.structs.replace(beat.feed, last_message_mono_s=_earlier(beat.feed.last_message_mono_s, moved))
    symbols = tuple(
        msgspec.structs.replace(entry, last_message_mono_s=_earlier(entry.last_message_mono_s, moved))
        for entry in beat.symbols
    )
    return msgspec.structs.replace(
        beat,
        written_mono_s=beat.written_mono_s - moved,
        started_mono_s=_earlier(beat.started_mono_s, moved),
        feed=feed,
        symbols=symbols,
    )


def _earlier(mono_s: float | None, by_s: float) -> float | None:
    return None if mono_s is None else mono_s - by_s


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

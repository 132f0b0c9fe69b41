"""Hand each event of the engine to every open stream: encoded once, the latest price wins, no prediction is lost.

Predictions are kept in order as long as the reader keeps up; a reader that falls further behind than `MAX_WAITING`
is told to load everything anew. Prices and states are replaced by newer ones while they wait.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from data.ledger_writing import ROWS_A_VERSION
from market.errors import MarketError, SourceUnavailable
from utils.datagrams import Mailbox
from web.answers import json_bytes
from web.situation import is_behind
from web.stores import Stores

logger = logging.getLogger(__name__)

MAX_STREAMS = 56  # each holds one of the 64 threads of `app.WEB_THREADS`; the others answer pages
MAX_WAITING = 256  # prediction events kept for a slow reader, and for one that comes back
HEARTBEAT_SECONDS = 15.0
LIFETIME_SECONDS = 15 * 60.0  # then the reader connects anew and goes on where it was
RETRY_MS = 2_000
_LOOK_SECONDS = 0.5
_STATUS_SECONDS = 1.0


class _Event(msgspec.Struct, frozen=True):
    event: str
    version: int
    data: msgspec.Raw


class StreamsFullError(MarketError):
    """Every place is taken; come back later."""


class Stream:
    """What waits for one reader."""

    def __init__(self) -> None:
        """Start with nothing waiting."""
        self._changed = threading.Condition()
        self._predictions: deque[bytes] = deque()
        self._latest: dict[str, bytes] = {}
        self._is_lost = False
        self._is_closed = False

    def put_prediction(self, frame: bytes) -> None:
        """Let a prediction event wait; when too many do, forget them and say so."""
        with self._changed:
            if len(self._predictions) >= MAX_WAITING:
                self.lose()
            else:
                self._predictions.append(frame)
            self._changed.notify()

    def put_latest(self, name: str, frame: bytes) -> None:
        """Let this event wait in place of an older one of its name."""
        with self._changed:
            self._latest[name] = frame
            self._changed.notify()

    def lose(self) -> None:
        """Tell the reader to load everything anew."""
        with self._changed:
            self._predictions.clear()
            self._is_lost = True
            self._changed.notify()

    def close(self) -> None:
        """End the stream at its next look."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def take(self, timeout_seconds: float) -> list[bytes] | None:
        """Return what waits, predictions first, or nothing after the timeout; None when the stream is closed."""
        with self._changed:
            if not (self._predictions or self._latest or self._is_lost or self._is_closed):
                self._changed.wait(timeout_seconds)
            if self._is_closed:
                return None
            lost = [_frame("resync", b"{}")] if self._is_lost else []
            taken = [*lost, *self._predictions, *self._latest.values()]
            self._predictions.clear()
            self._latest.clear()
            self._is_lost = False
            return taken


class Frames:
    """The frames of one open stream; closing it frees its place, also when nobody has begun to read."""

    def __init__(self, frames: Iterator[bytes], leave: Callable[[], None]) -> None:
        """Hand out `frames`; call `leave` once they are not wanted any more."""
        self._frames = frames
        self._leave = leave

    def __iter__(self) -> "Frames":
        return self

    def __next__(self) -> bytes:
        return next(self._frames)

    def close(self) -> None:
        """Give the place back."""
        self._leave()


class Live:
    """The streams of this process and the one thread that feeds them; it starts with the first stream."""

    def __init__(self, stores: Stores, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Receive what the engine of these stores sends."""
        self._stores = stores
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._history: deque[tuple[int, bytes]] = deque(maxlen=MAX_WAITING)
        self._known_since = 0  # every prediction event after this version is in the history
        self._version = 0
        self._venue: str | None = None
        self._mailbox: Mailbox | None = None
        self._is_over = threading.Event()

    def open(self, last_version: int | None) -> "Frames":
        """Return the frames of a new stream, from the event after `last_version` on when that is given.

        StreamsFullError when `MAX_STREAMS` are open.
        """
        stream = Stream()
        with self._lock:
            if len(self._streams) >= MAX_STREAMS:
                raise StreamsFullError
            self._start()
            self._streams.add(stream)
            missed = self._since(last_version)
        try:
            missed = self._everything() if missed is None else missed
        except MarketError:
            self._leave(stream)
            raise
        return Frames(self._frames(stream, missed), lambda: self._leave(stream))

    def close(self) -> None:
        """End every stream and the thread."""
        self._is_over.set()
        self.end_streams()

    def end_streams(self) -> None:
        """End every stream; who may have one connects anew."""
        with self._lock:
            for stream in self._streams:
                stream.close()

    def _frames(self, stream: Stream, missed: list[bytes]) -> Iterator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        yield from missed
        yield self._status_frame()
        ends_s = self._monotonic() + LIFETIME_SECONDS
        quiet_s = self._monotonic() + HEARTBEAT_SECONDS
        # When the server's main thread is over the process waits for this one: let it go.
        while self._monotonic() < ends_s and threading.main_thread().is_alive():
            frames = stream.take(_LOOK_SECONDS)
            if frames is None:
                return
            if frames:
                yield b"".join(frames)
                quiet_s = self._monotonic() + HEARTBEAT_SECONDS
            elif self._monotonic() >= quiet_s:
                yield b": still here\n\n"
                quiet_s = self._monotonic() + HEARTBEAT_SECONDS

    def _leave(self, stream: Stream) -> None:
        with self._lock:
            self._streams.discard(stream)

    def _start(self) -> None:
        if self._mailbox is None:
            self._mailbox = Mailbox(self._stores.live_dir)
            self._known_since = self._version = self._stores.version()
            self._venue = self._stores.heartbeat().venue
            threading.Thread(target=self._run, args=(self._mailbox,), name="live", daemon=True).start()

    def _run(self, mailbox: Mailbox) -> None:
        next_status_s, missed = 0.0, 0
        while not self._is_over.is_set():
            message = mailbox.receive(_LOOK_SECONDS)
            if message is not None:
                self._take(message)
            if mailbox.missed != missed:
                missed = mailbox.missed
                self._lose()
            if self._monotonic() >= next_status_s:
                next_status_s = self._monotonic() + _STATUS_SECONDS
                self._tell_status()
        mailbox.close()

    def _take(self, message: bytes) -> None:
        try:
            event = msgspec.json.decode(message, type=_Event)
        except msgspec.MsgspecError as error:
            logger.warning("event from the engine cannot be read reason=%s", error)
            return
        with self._lock:
            if event.event == "prediction":
                self._publish(event)
            elif event.event == "price":
                frame = _frame("price", bytes(event.data), self._version)
                for stream in self._streams:
                    stream.put_latest("price", frame)

    def _publish(self, event: _Event) -> None:
        frame = _frame("prediction", bytes(event.data), event.version)
        self._version = event.version
        if len(self._history) == MAX_WAITING:
            self._known_since = self._history[0][0]
        self._history.append((event.version, frame))
        for stream in self._streams:
            stream.put_prediction(frame)

    def _tell_status(self) -> None:
        venue = self._stores.heartbeat().venue
        with self._lock:
            has_readers = bool(self._streams)
            is_other = venue != self._venue
            self._venue = venue
        if is_other:
            self._lose()
        if has_readers:
            frame = self._status_frame()
            with self._lock:
                for stream in self._streams:
                    stream.put_latest("status", frame)

    def _status_frame(self) -> bytes:
        """Return the state of the house without its symbols: their ages come with the prices."""
        try:
            status = self._stores.status()
        except SourceUnavailable as error:
            logger.warning("status not told reason=%s", error)
            return b": no status now\n\n"
        beat = self._stores.heartbeat()
        shown = {name: value for name, value in status.items() if name != "symbols"}
        shown |= {"speed": beat.speed, "is_behind": is_behind(beat, self._stores.mono_s())}
        return _frame("status", json_bytes(shown), self._version)

    def _lose(self) -> None:
        """Tell every reader to load anew: events were missed, or the market is another one."""
        version = self._stores.version()
        with self._lock:
            self._history.clear()
            self._known_since = self._version = version
            for stream in self._streams:
                stream.lose()

    def _since(self, version: int | None) -> list[bytes] | None:
        """Return the prediction events after `version`; None when they are not known any more."""
        if version is None:
            return []
        if not self._known_since <= version <= max(self._version, self._known_since):
            return None if version != self._stores.version() else []
        return [frame for number, frame in self._history if number > version]

    def _everything(self) -> list[bytes]:
        """Return the newest row of each symbol and horizon as prediction events; who has the last one has all."""
        version, rows = self._stores.version(), self._stores.latest()
        starts = range(0, len(rows), ROWS_A_VERSION)
        parts = [json_bytes({"version": version, "items": rows[at : at + ROWS_A_VERSION]}) for at in starts]
        return [_frame("prediction", part, None if part is not parts[-1] else version) for part in parts]


def _frame(event: str, data: bytes, version: int | None = None) -> bytes:
    number = b"" if version is None else b"id: %d\n" % version
    return b"%sevent: %s\ndata: %s\n\n" % (number, event.encode(), data)

"""Pass short messages between processes of one machine through a folder of sockets; a slow reader never stops a writer.

Unix datagram sockets, one a reader, named `*.sock`. A message is `MAX_BYTES` long at most; the writer splits more.
"""

import contextlib
import hashlib
import itertools
import os
import socket
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

MAX_BYTES = 180_000  # what one datagram carries with the kernel's usual limits
_BUFFER_BYTES = 4 * MAX_BYTES
_MAX_PATH_BYTES = 100  # the kernel takes 107
_WAITING_MESSAGES = 64  # kept for a reader whose queue in the kernel (10 by default) is full
_TICK_NS = 20_000_000  # longer than a tick of any kernel
_HEADER_BYTES = 8  # the message's number, so that a reader knows when it missed one
_SUFFIX = ".sock"
_counter = itertools.count()


class Postman:
    """Sends each message to every reader of a folder; safe to use from any thread."""

    def __init__(self, folder: Path) -> None:
        """Serve the readers of `folder`, now and later."""
        self._folder = _socket_folder(folder)
        self._readers: dict[str, _Reader] = {}
        self._looked_at_ns = -1
        self._lock = threading.Lock()

    def send(self, message: bytes) -> int:
        """Hand `message` to every reader without waiting; return how many readers there are.

        A reader that is behind gets it with a later call; when more than 64 wait for it, the oldest is dropped, and the
        reader can tell. ValueError when the message is longer than `MAX_BYTES`.
        """
        if len(message) > MAX_BYTES:
            raise ValueError(f"a message of {len(message)} bytes does not fit; split it into parts of {MAX_BYTES}")
        with self._lock:
            self._look()
            gone = [name for name, reader in self._readers.items() if not reader.send(message)]
            for name in gone:
                self._readers.pop(name).close()
                with contextlib.suppress(OSError):  # a read-only folder keeps its name
                    (self._folder / name).unlink(missing_ok=True)
            return len(self._readers)

    def close(self) -> None:
        """Let go of all readers."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()
            self._looked_at_ns = -1

    def _look(self) -> None:
        """Find the readers that came or went since the last look."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            changed_ns = -1
        if changed_ns == self._looked_at_ns:
            return
        # What has just changed may change again within the same tick of the kernel's clock: then it is looked at again.
        self._looked_at_ns = changed_ns if time.time_ns() - changed_ns > _TICK_NS else -2
        names = {path.name for path in self._folder.glob(f"*{_SUFFIX}")} if changed_ns >= 0 else set()
        for name in self._readers.keys() - names:
            self._readers.pop(name).close()
        for name in names - self._readers.keys():
            self._readers[name] = _Reader(self._folder / name)


class Mailbox:
    """Receives what a `Postman` sends to the folder from the moment it exists."""

    def __init__(self, folder: Path) -> None:
        """Open a mailbox in `folder`, which is made if need be and open to this user only."""
        home = _socket_folder(folder)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = home / f"{os.getpid()}-{next(_counter)}{_SUFFIX}"
        self._path.unlink(missing_ok=True)
        self._socket = _datagram_socket()
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        self._last_number: int | None = None
        self.missed = 0  # messages dropped because this reader was too far behind

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the next message, or None when none came in time."""
        self._socket.settimeout(timeout_seconds)
        try:
            datagram = self._socket.recv(MAX_BYTES + _HEADER_BYTES)
        except (TimeoutError, BlockingIOError):
            return None
        number = int.from_bytes(datagram[:_HEADER_BYTES], "big")
        if self._last_number is not None and number > self._last_number + 1:
            self.missed += number - self._last_number - 1
        self._last_number = number  # a lower one: the writer was started anew
        return datagram[_HEADER_BYTES:]

    def close(self) -> None:
        """Close the mailbox and remove its name."""
        self._path.unlink(missing_ok=True)
        self._socket.close()


class _Reader:
    """One mailbox as its postman sees it."""

    def __init__(self, path: Path) -> None:
        self._waiting: deque[bytes] = deque(maxlen=_WAITING_MESSAGES)
        self._number = 0
        self._socket = _datagram_socket()
        self._socket.setblocking(False)
        self._is_connected = True
        try:
            self._socket.connect(str(path))
        except OSError:
            self._is_connected = False

    def send(self, message: bytes) -> bool:
        """Hand over what waits, then this; return False when nobody reads there any more."""
        self._number += 1
        self._waiting.append(self._number.to_bytes(_HEADER_BYTES, "big") + message)
        while self._waiting and self._is_connected:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return True
            except OSError:
                return False
            self._waiting.popleft()
        return self._is_connected

    def close(self) -> None:
        self._socket.close()


def _datagram_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return made


def _socket_folder(folder: Path) -> Path:
    """Return the folder itself, or a short one of this user's when the name of a socket in it would be too long."""
    longest = folder / f"{2**22}-{10**6}{_SUFFIX}"
    if len(os.fsencode(longest)) <= _MAX_PATH_BYTES:
        return folder
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"candela-{os.getuid()}-{name}"
    if short.is_symlink() or (short.exists() and short.stat().st_uid != os.getuid()):
        raise PermissionError(f"{short} belongs to somebody else; remove it or use a shorter INSTANCE_DIR")
    return short

"""One WebSocket connection: what it listens to, and how it is kept from holding up the others."""

import asyncio
import time
from collections import deque
from typing import Protocol

from aiohttp import web

from simulator.messages import Message, control_frame

MOST_STREAMS = 1_024
MOST_COMMANDS_A_SECOND = 5
PING, PONG = 0x9, 0xA
_GOODBYE_SECONDS = 0.5
_CROWDED_BYTES = 1 << 20  # in the socket's buffer: from here on the newest open states only
_HOPELESS_BYTES = 32 << 20  # of closed candles waiting for a reader that takes nothing


class Line(Protocol):
    """The way to one client: what a connection needs of an `asyncio.Transport`."""

    def write(self, data: bytes, /) -> None:
        """Send bytes, or keep them until they can be sent."""

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""

    def is_closing(self) -> bool:
        """Return whether it is closed or about to be."""

    def abort(self) -> None:
        """Close it at once."""


class Connection:
    """A listener. Closed candles wait in a queue for a slow one, of everything else it gets the newest state."""

    def __init__(self, socket: web.WebSocketResponse, transport: Line, units_per_ms: int) -> None:
        """Write to `transport`, the one `socket` reads from."""
        self.socket = socket
        self.streams: dict[str, None] = {}
        self.is_wrapped = False
        self.is_ending = False
        self._opened_seconds = time.monotonic()
        self._pings: dict[bytes, float] = {}
        self._goodbye: asyncio.Task[None] | None = None
        self._transport = transport
        self._units_per_ms = units_per_ms
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._newest: dict[str, bytes] = {}
        self._commands: deque[float] = deque(maxlen=MOST_COMMANDS_A_SECOND)

    def take(self, message: Message) -> None:
        """Put a message into the next flush; it replaces one of the same stream that is not final."""
        frame = message.frame(self.is_wrapped, self._units_per_ms)
        if not message.is_final:
            self._newest[message.stream] = frame
            return
        self._newest.pop(message.stream, None)
        self.keep(frame)

    def keep(self, frame: bytes) -> None:
        """Put a frame that must arrive into the next flush."""
        self._kept.append(frame)
        self._kept_bytes += len(frame)

    def flush(self) -> None:
        """Write what waits if the reader keeps up; cut a reader that is hopelessly behind."""
        if not (self._kept or self._newest) or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() < _CROWDED_BYTES:
            self._transport.write(b"".join((*self._kept, *self._newest.values())))
            self._kept, self._kept_bytes = [], 0
            self._newest = {}
        elif self._kept_bytes > _HOPELESS_BYTES:
            self.cut()

    def forget(self, stream: str) -> None:
        """End a subscription; what waits of it is not sent."""
        self.streams.pop(stream, None)
        self._newest.pop(stream, None)

    def ping(self, payload: bytes) -> None:
        """Ask for a sign of life: a pong with the same payload."""
        self._pings[payload] = time.monotonic()
        self._transport.write(control_frame(PING, payload))

    def pong(self, payload: bytes) -> None:
        """Answer the client's ping."""
        self._transport.write(control_frame(PONG, payload))

    def silent_seconds(self) -> float:
        """Return how long the oldest ping has been waiting for its pong."""
        return time.monotonic() - min(self._pings.values()) if self._pings else 0.0

    def answered(self, payload: bytes) -> None:
        """Note a pong; it answers the pings sent before that one too."""
        sent = self._pings.get(bytes(payload))
        if sent is not None:
            self._pings = {other: seconds for other, seconds in self._pings.items() if seconds > sent}

    def age_seconds(self) -> float:
        """Return how long the connection has lasted."""
        return time.monotonic() - self._opened_seconds

    def end_soon(self, code: int, reason: str) -> None:
        """Say goodbye without waiting for the answer."""
        self.is_ending = True
        self._goodbye = asyncio.get_running_loop().create_task(self.close(code, reason))

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye; a client that does not answer is cut."""
        try:
            await asyncio.wait_for(self.socket.close(code=code, message=reason.encode()), _GOODBYE_SECONDS)
        except (TimeoutError, ConnectionError):
            self.cut()

    def cut(self) -> None:
        """End the connection at once, without a close frame."""
        self._transport.abort()

    def is_within_limit(self) -> bool:
        """Note one incoming message; return whether there were at most five within one second."""
        now = time.monotonic()
        is_crowded = len(self._commands) == MOST_COMMANDS_A_SECOND and now - self._commands[0] < 1.0
        self._commands.append(now)
        return not is_crowded

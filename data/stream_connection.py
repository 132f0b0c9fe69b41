"""A line to the exchange's streams that comes back for ever: cut, silent or refused; renewed before it is cut."""

import asyncio
import logging
import time
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import picows

from utils.resilience import Backoff

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 4.5  # with a quarter of a second between two looks it is noticed within five
MAX_STREAMS = 1_024  # Binance's rule for one connection
RENEWAL_SECONDS = 23.5 * 3_600  # it is cut at 24 h
_ATTEMPT_SECONDS = 1.5  # 300 attempts in 5 minutes are allowed
_CONNECT_SECONDS, _HANDSHAKE_SECONDS = 5.0, 4.0
_LOOK_SECONDS = 0.25
_OVERLAP_SECONDS, _OVERLAP_LOOK_SECONDS = 10.0, 0.05  # how long a new socket may take to speak before the old one goes
_URL_LENGTH = 4_000
_COMMAND_STREAMS = 200
_COMMAND_SECONDS = 0.25  # 5 messages a second are allowed, pongs included
_MAX_MESSAGE_BYTES = 10 * 1024 * 1024

_TEXT = picows.WSMsgType.TEXT
_PARTS = (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION)

_quiet = logging.getLogger("picows.candela")
_quiet.setLevel(logging.WARNING)


class _Socket(picows.WSListener):  # type: ignore[misc]
    """One WebSocket: puts frames together to messages; pings are answered by picows itself."""

    def __init__(self, take: Callable[[bytes], None], on_open: Callable[["_Socket"], None]) -> None:
        self._take = take
        self._on_open = on_open
        self._parts = bytearray()
        self._transport: picows.WSTransport | None = None
        self.opened_seconds = 0.0
        self.has_spoken = False  # since somebody asked last
        self.subscribing: asyncio.Task[None] | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        self.opened_seconds = time.monotonic()
        self._on_open(self)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind == _TEXT and frame.fin:
            self.has_spoken = True
            self._take(frame.get_payload_as_bytes())
        elif kind in _PARTS:
            self._gather(transport, frame)
        elif kind == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    async def wait_ended(self) -> None:
        """Return when the other side, or the line, has closed it."""
        if self._transport is not None:
            await self._transport.wait_disconnected()

    async def drop(self) -> None:
        """Close it without a word, and return when that is done."""
        tasks = [self.subscribing] if self.subscribing else []
        for task in tasks:
            task.cancel()
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
        await asyncio.gather(self.wait_ended(), *tasks, return_exceptions=True)

    def _gather(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > _MAX_MESSAGE_BYTES:
            transport.disconnect(graceful=False)
        elif frame.fin:
            message, self._parts = bytes(self._parts), bytearray()
            self.has_spoken = True
            self._take(message)


class StreamConnection:
    """Keeps up to 1024 streams flowing into `on_message`.

    `on_change` is called at each connection after a break, and at each break. A renewal is none: the next socket is
    open and speaking before the one it follows is closed, and for a moment both bring the same messages.
    Everything runs in one asyncio loop.
    """

    def __init__(
        self,
        root_url: str,
        streams: list[str],
        on_message: Callable[[bytes], None],
        on_change: Callable[[], None],
        is_traffic_expected: Callable[[], bool],
        renewal_seconds: float = RENEWAL_SECONDS,
    ) -> None:
        """Connect nothing yet."""
        self.is_connected = False
        self.is_refused = False  # whether the last attempt was refused
        self.breaks = 0  # how often it had to be connected again
        self.renewals = 0
        self._spoke_seconds: float | None = None
        self._socket: _Socket | None = None
        self._on_message = on_message
        self._on_change = on_change
        self._is_traffic_expected = is_traffic_expected
        self._renewal_seconds = renewal_seconds
        in_url = _fitting(streams)
        self._url = f"{root_url.rstrip('/')}/stream?streams={quote('/'.join(streams[:in_url]), safe='/@_!')}"
        self._later_streams = streams[in_url:]
        self._pause = Backoff(_ATTEMPT_SECONDS + 0.2, _ATTEMPT_SECONDS + 0.2, floor_seconds=_ATTEMPT_SECONDS)
        self._must_renew = False

    @property
    def message_seconds(self) -> float | None:
        """Return the monotonic time of the newest message, to a quarter of a second."""
        self._listen()
        return self._spoke_seconds

    @property
    def is_hearing(self) -> bool:
        """Return whether a message has come in over the socket there is now."""
        spoke = self.message_seconds
        return self.is_connected and self._socket is not None and (spoke or 0.0) >= self._socket.opened_seconds

    def renew(self) -> None:
        """Open a new socket at once: the exchange is about to close this one."""
        self._must_renew = True

    async def run(self) -> None:
        """Connect, watch, and connect again, until cancelled."""
        lost_at: float | None = None
        while True:
            started = time.monotonic()
            socket = await self._connect(self._opened)
            self._note_refusal(socket is None)
            if socket is not None:
                if lost_at is not None:
                    self.breaks += 1
                    logger.warning("source reconnected source=stream down_seconds=%.1f", time.monotonic() - lost_at)
                reason = await self._stay(socket)
                lost_at = time.monotonic()
                logger.warning("source lost source=stream reason=%r", reason)
            await asyncio.sleep(started + self._pause.next_seconds() - time.monotonic())

    def _opened(self, socket: _Socket) -> None:
        self._socket, self.is_connected, self._must_renew = socket, True, False
        self._on_change()

    def _note_refusal(self, is_refused: bool) -> None:
        if is_refused and not self.is_refused:
            logger.warning("source refused source=stream")
        self.is_refused = is_refused

    def _listen(self) -> None:
        socket = self._socket
        if socket is not None and socket.has_spoken:
            socket.has_spoken = False
            self._spoke_seconds = time.monotonic()

    async def _connect(self, on_open: Callable[[_Socket], None]) -> _Socket | None:
        """Return a socket that subscribes to everything, or None where there is none to be had."""
        socket = _Socket(self._on_message, on_open)
        attempt = picows.ws_connect(
            lambda: socket,
            self._url,
            websocket_handshake_timeout=_HANDSHAKE_SECONDS,
            logger_name=_quiet,
            max_redirects=0,  # each would be one more attempt
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):  # wait_for of Python 3.11 may lose a cancel at this moment
                transport, _ = await attempt
        except (OSError, picows.WSError, TimeoutError, ValueError):
            return None
        except asyncio.CancelledError:
            await socket.drop()
            raise
        socket.subscribing = asyncio.ensure_future(self._subscribe(transport))
        return socket

    async def _stay(self, socket: _Socket) -> str:
        """Return why the line is broken, after dropping its last socket."""
        try:
            while (reason := await self._watch(socket)) is None:
                socket = self._socket = await self._renewed(socket)
            return reason
        finally:
            self.is_connected = False
            await socket.drop()
            self._on_change()

    async def _watch(self, socket: _Socket) -> str | None:
        """Return why the socket is over, or None when it is time for another."""
        ended = asyncio.ensure_future(socket.wait_ended())
        try:
            while True:
                done, _ = await asyncio.wait([ended], timeout=_LOOK_SECONDS)
                self._listen()
                now = time.monotonic()
                if done:
                    return "connection closed"
                if self._must_renew or now - socket.opened_seconds > self._renewal_seconds:
                    return None
                last = max(socket.opened_seconds, self._spoke_seconds or 0.0)
                if self._is_traffic_expected() and now - last > SILENCE_SECONDS:
                    return f"no message for {SILENCE_SECONDS:g} s"
        finally:
            ended.cancel()

    async def _renewed(self, old: _Socket) -> _Socket:
        """Return a new socket that speaks, after dropping the old one; or the old one where there is no other."""
        fresh = await self._connect(lambda socket: None)
        if fresh is None or not await _speaks(fresh):
            await asyncio.sleep(_ATTEMPT_SECONDS)
            return old
        self._must_renew = False
        self.renewals += 1
        await old.drop()
        self._on_change()
        logger.info("source renewed source=stream")
        return fresh

    async def _subscribe(self, transport: picows.WSTransport) -> None:
        for number, at in enumerate(range(0, len(self._later_streams), _COMMAND_STREAMS), start=1):
            await asyncio.sleep(_COMMAND_SECONDS)
            names = self._later_streams[at : at + _COMMAND_STREAMS]
            command = {"method": "SUBSCRIBE", "params": names, "id": number}
            transport.send(picows.WSMsgType.TEXT, msgspec.json.encode(command))


async def _speaks(socket: _Socket) -> bool:
    """Return whether the socket brings something in time; one that does not is dropped."""
    until = time.monotonic() + _OVERLAP_SECONDS
    try:
        while not socket.has_spoken and time.monotonic() < until:
            await asyncio.sleep(_OVERLAP_LOOK_SECONDS)
    finally:
        if not socket.has_spoken:
            await socket.drop()
    return socket.has_spoken


def _fitting(streams: list[str]) -> int:
    """Return how many of the streams find room in the URL."""
    length = 0
    for count, stream in enumerate(streams):
        length += len(stream) + 1
        if length > _URL_LENGTH:
            return count
    return len(streams)

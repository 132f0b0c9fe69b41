"""One socket to the exchange's streams that comes back for ever: cut, silent, refused or renewed."""

import asyncio
import logging
import time
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import picows

from utils.resilience import Backoff

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 5.0
MAX_STREAMS = 1_024  # Binance's rule for one connection
_RENEWAL_SECONDS = 23.5 * 3_600  # it is cut at 24 h
_ATTEMPT_SECONDS = 1.5  # 300 attempts in 5 minutes are allowed
_CONNECT_SECONDS, _HANDSHAKE_SECONDS = 5.0, 4.0
_LOOK_SECONDS = 0.25
_URL_LENGTH = 4_000
_COMMAND_STREAMS = 200
_COMMAND_SECONDS = 0.25  # 5 messages a second are allowed, pongs included
_MAX_MESSAGE_BYTES = 10 * 1024 * 1024

_quiet = logging.getLogger("picows.candela")
_quiet.setLevel(logging.WARNING)


class _Listener(picows.WSListener):  # type: ignore[misc]
    """Puts frames together to messages; pings are answered by picows itself."""

    def __init__(self, connection: "StreamConnection") -> None:
        self._connection = connection
        self._parts = bytearray()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._connection.opened()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind == picows.WSMsgType.TEXT and frame.fin:
            self._connection.receive(frame.get_payload_as_memoryview())
        elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION):
            self._gather(transport, frame)
        elif kind == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def _gather(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > _MAX_MESSAGE_BYTES:
            transport.disconnect(graceful=False)
        elif frame.fin:
            message, self._parts = bytes(self._parts), bytearray()
            self._connection.receive(message)


class StreamConnection:
    """Keeps up to 1024 streams flowing into `on_message`.

    `on_change` is called at each connection and each loss. Everything runs in one asyncio loop.
    """

    def __init__(
        self,
        root_url: str,
        streams: list[str],
        on_message: Callable[[bytes | memoryview], None],
        on_change: Callable[[], None],
        is_traffic_expected: Callable[[], bool],
    ) -> None:
        """Connect nothing yet."""
        self.is_connected = False
        self.is_refused = False  # whether the last attempt was refused
        self.connections = 0
        self.message_seconds: float | None = None  # monotonic time of the newest message
        self._connected_seconds = 0.0
        self._on_message = on_message
        self._on_change = on_change
        self._is_traffic_expected = is_traffic_expected
        in_url = _fitting(streams)
        self._url = f"{root_url.rstrip('/')}/stream?streams={quote('/'.join(streams[:in_url]), safe='/@_!')}"
        self._later_streams = streams[in_url:]
        self._pause = Backoff(_ATTEMPT_SECONDS + 0.2, _ATTEMPT_SECONDS + 0.2, floor_seconds=_ATTEMPT_SECONDS)
        self._must_renew = False

    @property
    def is_hearing(self) -> bool:
        """Return whether a message has come in over the connection there is now."""
        return self.is_connected and (self.message_seconds or 0.0) >= self._connected_seconds

    def opened(self) -> None:
        """Note that the socket is up; its first message may follow at once."""
        self.is_refused, self.is_connected, self._must_renew = False, True, False
        self.connections += 1
        self._connected_seconds = time.monotonic()
        self._on_change()

    def receive(self, message: bytes | memoryview) -> None:
        """Pass one whole message on."""
        self.message_seconds = time.monotonic()
        self._on_message(message)

    def renew(self) -> None:
        """Open a new connection at once: the exchange is about to close this one."""
        self._must_renew = True

    async def run(self) -> None:
        """Connect, watch, and connect again, until cancelled."""
        lost_at = time.monotonic()
        while True:
            started = time.monotonic()
            transport = await self._connect()
            if transport is not None:
                if self.connections > 1:
                    logger.warning("source reconnected source=stream down_seconds=%.1f", time.monotonic() - lost_at)
                reason = await self._stay(transport)
                lost_at = time.monotonic()
                logger.warning("source lost source=stream reason=%r", reason)
            await asyncio.sleep(started + self._pause.next_seconds() - time.monotonic())

    async def _connect(self) -> picows.WSTransport | None:
        attempt = picows.ws_connect(
            lambda: _Listener(self),
            self._url,
            websocket_handshake_timeout=_HANDSHAKE_SECONDS,
            logger_name=_quiet,
            max_redirects=0,  # each would be one more attempt
        )
        try:
            transport, _ = await asyncio.wait_for(attempt, _CONNECT_SECONDS)
        except (OSError, picows.WSError, TimeoutError, ValueError) as error:
            if not self.is_refused:
                logger.warning("source refused source=stream reason=%s", type(error).__name__)
            self.is_refused = True
            return None
        return transport

    async def _stay(self, transport: picows.WSTransport) -> str:
        """Return why the connection is over, after dropping it."""
        subscribing = asyncio.ensure_future(self._subscribe(transport))
        ended = asyncio.ensure_future(transport.wait_disconnected())
        try:
            return await self._watch(ended)
        finally:
            self.is_connected = False
            subscribing.cancel()
            transport.disconnect(graceful=False)
            await _settled(ended, subscribing)
            self._on_change()

    async def _watch(self, ended: "asyncio.Future[None]") -> str:
        while True:
            done, _ = await asyncio.wait([ended], timeout=_LOOK_SECONDS)
            now = time.monotonic()
            if done:
                return "connection closed"
            if self._must_renew:
                return "the exchange shuts this connection down"
            if now - self._connected_seconds > _RENEWAL_SECONDS:
                return "renewal before the exchange's 24 h"
            last = max(self._connected_seconds, self.message_seconds or 0.0)
            if self._is_traffic_expected() and now - last > SILENCE_SECONDS:
                return f"no message for {SILENCE_SECONDS:.0f} s"

    async def _subscribe(self, transport: picows.WSTransport) -> None:
        for number, at in enumerate(range(0, len(self._later_streams), _COMMAND_STREAMS), start=1):
            await asyncio.sleep(_COMMAND_SECONDS)
            names = self._later_streams[at : at + _COMMAND_STREAMS]
            command = {"method": "SUBSCRIBE", "params": names, "id": number}
            transport.send(picows.WSMsgType.TEXT, msgspec.json.encode(command))


def _fitting(streams: list[str]) -> int:
    """Return how many of the streams find room in the URL."""
    length = 0
    for count, stream in enumerate(streams):
        length += len(stream) + 1
        if length > _URL_LENGTH:
            return count
    return len(streams)


async def _settled(*tasks: "asyncio.Future[None]") -> None:
    """Wait for tasks whose failure says nothing that is not known already."""
    await asyncio.gather(*tasks, return_exceptions=True)

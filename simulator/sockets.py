"""The WebSocket side: /ws and /stream, commands, pings, and the end after 24 hours."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import WSMsgType, web

from simulator.commands import CommandError, Commands, checked_streams
from simulator.connection import MOST_STREAMS, Connection, Line
from simulator.hub import Hub
from simulator.messages import text_frame
from simulator.pump import Pump

_POLICY_VIOLATION, _GOING_AWAY = 1008, 1001
_LONGEST_COMMAND_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long connections last and how soon they must answer, in wall seconds."""

    ping_seconds: float = 20.0
    pong_seconds: float = 60.0
    connection_seconds: float = 24 * 3_600.0


class Sockets:
    """All WebSocket connections of the exchange."""

    def __init__(
        self, hub: Hub, pump: Pump, patience: Patience, line: Callable[[asyncio.Transport], Line] = lambda it: it
    ) -> None:
        """Let connections listen at `hub`, whose streams `pump` fills; `line` makes the way to each client."""
        self._hub, self._pump, self._patience, self._line = hub, pump, patience, line
        self._commands = Commands(self._listen, self._hub.leave)

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and what answers them."""
        return [
            web.get("/ws", self._serve),
            web.get("/ws/{streams:.*}", self._serve),
            web.get("/stream", self._serve),
        ]

    async def watch(self) -> None:
        """Ping, and end connections that are silent or too old; until cancelled."""
        period = min(1.0, self._patience.ping_seconds / 4, self._patience.connection_seconds / 4)
        loop = asyncio.get_running_loop()
        next_ping = loop.time() + self._patience.ping_seconds
        while True:
            await asyncio.sleep(period)
            for connection in list(self._hub.connections):
                self._check(connection)
            if loop.time() >= next_ping:
                next_ping += self._patience.ping_seconds
                for connection in self._hub.connections:
                    connection.ping(str(int(loop.time() * 1_000)).encode())
            # A reader that was slow gets what waits for it as soon as it reads again.
            self._hub.flush()

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(each.close(_GOING_AWAY, "Going away") for each in list(self._hub.connections)))

    def _check(self, connection: Connection) -> None:
        if connection.silent_seconds() > self._patience.pong_seconds:
            connection.cut()
        elif connection.age_seconds() > self._patience.connection_seconds and not connection.is_ending:
            connection.end_soon(_GOING_AWAY, "Connection is 24 hours old")

    def _listen(self, connection: Connection, streams: list[str]) -> None:
        self._hub.listen(connection, streams)
        self._pump.wake()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_LONGEST_COMMAND_BYTES, timeout=1.0)
        await socket.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return socket
        is_micro = request.query.get("timeUnit", "").upper() == "MICROSECOND"
        connection = Connection(socket, self._line(transport), 1_000 if is_micro else 1)
        self._hub.join(connection)
        try:
            await self._talk(connection, request)
        finally:
            self._hub.part(connection)
        return socket

    async def _talk(self, connection: Connection, request: web.Request) -> None:
        try:
            streams = checked_streams(_asked_streams(request))
        except CommandError as error:
            await connection.close(_POLICY_VIOLATION, error.message)
            return
        if len(set(streams)) > MOST_STREAMS:
            await connection.close(_POLICY_VIOLATION, f"More than {MOST_STREAMS} streams")
            return
        connection.is_wrapped = request.path == "/stream"
        self._listen(connection, streams)
        async for message in connection.socket:
            if not connection.is_within_limit():
                await connection.close(_POLICY_VIOLATION, "Too many requests")
                return
            if message.type is WSMsgType.PING:
                connection.pong(message.data)
            elif message.type is WSMsgType.PONG:
                connection.answered(message.data)
            elif message.type is WSMsgType.TEXT:
                connection.keep(text_frame(self._commands.answer(connection, message.data)))
                connection.flush()
            else:
                await connection.close(_POLICY_VIOLATION, "Invalid request")
                return


def _asked_streams(request: web.Request) -> list[str]:
    if request.path == "/stream":
        text = request.query.get("streams", "")
    else:
        text = unquote(request.match_info.get("streams", ""))
    return [name for name in text.split("/") if name]

"""How faults get into the HTTP side: orders come in at /_faults, and every answer passes by."""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from market.errors import ConfigError
from simulator.faults.catalogue import read_orders
from simulator.faults.kinds import Answer
from simulator.faults.stage import Stage
from simulator.faults.wire import Wire

PATH = "/_faults"
_REST = "/api/v3/"
_SILENCING = (418, 429)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Takes orders from this machine: POST one or a list, GET what is going on, DELETE to end it all."""

    def __init__(self, stage: Stage) -> None:
        """Play at `stage`."""
        self._stage = stage

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and what answers them."""
        return [web.post(PATH, self._order), web.get(PATH, self._tell), web.delete(PATH, self._clear)]

    async def _order(self, request: web.Request) -> web.Response:
        _only_from_here(request)
        try:
            faults = read_orders(await request.read())
        except ConfigError as error:
            return web.json_response({"error": str(error)}, status=400)
        self._stage.order(faults)
        return web.json_response({"ordered": len(faults)})

    async def _tell(self, request: web.Request) -> web.Response:
        _only_from_here(request)
        return web.json_response(self._stage.describe())

    async def _clear(self, request: web.Request) -> web.Response:
        _only_from_here(request)
        await self._stage.clear()
        return web.json_response(self._stage.describe())


def spoiling(stage: Stage) -> Middleware:
    """Return the middleware that lets faults refuse requests and change answers."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == PATH:
            return await handler(request)
        is_rest = request.path.startswith(_REST)
        if stage.is_refused("rest" if is_rest else "stream"):
            _reset(request)
            return web.Response(status=503)
        if not is_rest:
            return await handler(request)
        stage.note_request()
        return await _spoiled(stage, request, await handler(request))

    return middleware


async def _spoiled(stage: Stage, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    headers = {name: value for name, value in response.headers.items() if not name.startswith("Content-")}
    path = request.path.removeprefix(_REST)
    answer = stage.answered(Answer(path, response.status, response.body, headers))
    await asyncio.sleep(answer.wait_seconds)
    if answer.sent_share < 1.0:
        return await _cut_short(request, answer)
    if answer.status in _SILENCING and request.transport is not None:
        stage.note_silence(float(answer.headers.get("Retry-After", 0)))
    return web.Response(
        body=answer.body,
        status=answer.status,
        headers=answer.headers,
        content_type=answer.content_type,
        charset="utf-8",
    )


async def _cut_short(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Send a part of what was promised, then cut the line."""
    promised = {**answer.headers, "Content-Length": str(len(answer.body))}
    response = web.StreamResponse(status=answer.status, headers=promised)
    await response.prepare(request)
    await response.write(answer.body[: int(len(answer.body) * answer.sent_share)])
    _reset(request)
    return response


def _reset(request: web.Request) -> None:
    if isinstance(request.transport, asyncio.Transport):
        Wire(request.transport).reset()


def _only_from_here(request: web.Request) -> None:
    if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104
        raise web.HTTPForbidden(text=json.dumps({"error": "faults are ordered from this machine only"}))

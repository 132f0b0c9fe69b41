"""Put the exchange on a port and keep it there."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpProcessingError

from market.errors import ConfigError
from simulator.doorway import Doorway
from simulator.exchange import Exchange
from simulator.faults.control import Control, spoiling
from simulator.faults.kinds import Fault
from simulator.faults.market import UnreliableExchange
from simulator.faults.stage import Stage
from simulator.hub import Hub
from simulator.market_clock import Heartbeat, write_heartbeat
from simulator.pump import Pump
from simulator.rest import Rest
from simulator.sockets import Patience, Sockets
from simulator.weights import WeightLimit

logger = logging.getLogger(__name__)
_http = logging.getLogger("simulator.http")
# What is no HTTP is answered with 400 and needs nobody's attention.
_http.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))

_HEARTBEAT_SECONDS = 1.0
_GOODBYE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where the exchange is served and how patient it is; port 0 is any free one."""

    host: str = "127.0.0.1"
    port: int = 0
    patience: Patience = field(default_factory=Patience)
    state_file: Path | None = None
    market: str = ""  # names the market in the state file
    scenario: tuple[Fault, ...] = ()  # faults to be played, counted from the start
    is_controlled: bool = False  # whether faults may be ordered over HTTP


@dataclass(frozen=True, slots=True)
class Served:
    """A running exchange."""

    host: str
    port: int

    @property
    def rest_url(self) -> str:
        """Return the root of the REST side."""
        return f"http://{self._authority}"

    @property
    def stream_url(self) -> str:
        """Return the root of the WebSocket side."""
        return f"ws://{self._authority}"

    @property
    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@contextlib.asynccontextmanager
async def running(exchange: Exchange, place: Place) -> AsyncIterator[Served]:
    """Serve `exchange` inside the block; ConfigError when the port cannot be had."""
    door = Doorway(place.host, place.port)
    stage = Stage(exchange, door) if isinstance(exchange, UnreliableExchange) else None
    hub = Hub() if stage is None else stage.hub
    pump = Pump(exchange, hub)
    sockets = Sockets(hub, pump, place.patience) if stage is None else Sockets(hub, pump, place.patience, stage.wire)
    application = web.Application(middlewares=[] if stage is None else [spoiling(stage)])
    application.add_routes([*Rest(exchange, WeightLimit()).routes(), *sockets.routes()])
    if stage is not None and place.is_controlled:
        application.add_routes(Control(stage).routes())
    runner = web.AppRunner(application, access_log=None, logger=_http, shutdown_timeout=_GOODBYE_SECONDS)
    await runner.setup()
    try:
        host, port = await door.first_open(runner)
        if place.state_file is not None:
            _first_beat(exchange, place.state_file, place.market)
        async with _tasks(pump, sockets, exchange, place), _playing(stage, place):
            yield Served(host, port)
            await door.shut()
            await sockets.close()
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _playing(stage: Stage | None, place: Place) -> AsyncIterator[None]:
    """Play the scenario, and what is ordered, while the block lasts."""
    if stage is None:
        yield
        return
    stage.order(place.scenario)
    try:
        yield
    finally:
        await stage.clear()


def _first_beat(exchange: Exchange, file: Path, market: str) -> None:
    try:
        _beat(exchange, file, market)
    except OSError as error:
        raise ConfigError(
            f"the state file {str(file)!r} cannot be written ({error.strerror}): choose another"
        ) from error


@contextlib.asynccontextmanager
async def _tasks(pump: Pump, sockets: Sockets, exchange: Exchange, place: Place) -> AsyncIterator[None]:
    """Run what goes on by itself; when one of it fails, so does the block."""
    works = [pump.run(), pump.look_ahead(), sockets.watch()]
    if place.state_file is not None:
        works.append(_keep_heartbeat(exchange, place.state_file, place.market))
    tasks = [asyncio.create_task(work) for work in works]
    block = asyncio.current_task()
    for task in tasks:
        task.add_done_callback(lambda ended: None if ended.cancelled() or block is None else block.cancel())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def _beat(exchange: Exchange, file: Path, market: str) -> None:
    clock = exchange.clock
    write_heartbeat(file, Heartbeat(market, clock.now_ms(), round(time.time() * 1_000), clock.speed))


async def _keep_heartbeat(exchange: Exchange, file: Path, market: str) -> None:
    is_written = True
    while True:
        await asyncio.sleep(_HEARTBEAT_SECONDS)
        try:
            # In a thread: a disk that takes its time must not hold up a closing candle.
            await asyncio.to_thread(_beat, exchange, file, market)
        except OSError as error:
            if is_written:
                logger.warning("state not written file=%s reason=%s", file, error.strerror)
            is_written = False
        else:
            is_written = True

"""Which exchange the house listens to: Binance, or a simulated one started beside it."""

import hashlib
import http.client
import json
import socket
import sys
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import CHECKOUT, Config, child_environment
from data.binance_client import is_on_this_machine
from utils.processes import cap_threads

PROBE_SECONDS = 3.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Source:
    """An exchange: its two roots, whether it is the real one, and the name of the database its data go to."""

    market: str  # binance or simulated
    venue: str
    rest_url: str
    stream_url: str
    speed: float  # market seconds a second, as far as is known before its clock is learned


def binance_source(config: Config) -> Source:
    """Return Binance, at the roots of the settings."""
    return Source("binance", "binance", config.BINANCE_REST_URL, config.BINANCE_STREAM_URL, 1.0)


def simulated_source(config: Config, port: int) -> Source:
    """Return the simulated exchange that listens on `port`."""
    at = f"{_LOOPBACK}:{port}"
    return Source("simulated", venue_of(config), f"http://{at}", f"ws://{at}", config.SIMULATOR_SPEED)


def venue_of(config: Config) -> str:
    """Return the name of the simulated market these settings make: another seed or folder is another market."""
    if config.SIMULATOR_REPLAY is None:
        return f"simulated-{config.SIMULATOR_SEED}"
    names = sorted(f"{file.name} {file.stat().st_size}" for file in config.SIMULATOR_REPLAY.iterdir())
    return f"simulated-replay-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:8]}"


def binance_answers(config: Config, timeout_seconds: float = PROBE_SECONDS) -> bool:
    """Return whether the Binance root answers a ping in time."""
    request = urllib.request.Request(f"{config.BINANCE_REST_URL}/api/v3/ping")  # noqa: S310 - scheme checked in config
    proxies: dict[str, str] | None = {} if is_on_this_machine(config.BINANCE_REST_URL) else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(request, timeout=timeout_seconds) as answer:
            return bool(answer.status == 200 and answer.read(64).strip() == b"{}")
    except (OSError, http.client.HTTPException, ValueError):
        return False


def simulator_command(config: Config, port: int) -> list[str]:
    """Return the command that starts the simulated exchange of these settings; its clock goes on where it stopped."""
    command = [sys.executable, "-m", "simulator", "--host", _LOOPBACK, "--port", str(port)]
    command += ["--seed", str(config.SIMULATOR_SEED), "--speed", f"{config.SIMULATOR_SPEED:g}"]
    command += ["--state", str(state_file(config))]
    if config.SIMULATOR_REPLAY is not None:
        command += ["--replay", str(config.SIMULATOR_REPLAY)]
    return command


def state_file(config: Config) -> Path:
    """Return where the simulated exchange keeps its clock between two starts."""
    return config.INSTANCE_DIR / f"{venue_of(config)}.clock.json"


def free_port() -> int:
    """Return a loopback port nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((_LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def engine_command(source: Source) -> list[str]:
    """Return the command that starts the engine on `source`."""
    command = [sys.executable, "-m", "engine", "--market", source.market, "--venue", source.venue]
    return [*command, "--rest-url", source.rest_url, "--stream-url", source.stream_url, "--speed", f"{source.speed:g}"]


def first_trainer_command(source: Source, market_ms: int, horizons: Sequence[str] = ()) -> list[str]:
    """Return the command that trains on what is known of `source` at market time `market_ms`, as fast as it can.

    `horizons` are trained in this order; none: all.
    """
    command = [sys.executable, "-m", "engine.trainer", "--market", source.market, "--venue", source.venue]
    chosen = ["--horizons", ",".join(horizons)] if horizons else []
    return [*command, "--market-ms", str(market_ms), *chosen]


def trainer_command(source: Source, market_ms: int, horizons: Sequence[str] = ()) -> list[str]:
    """Return the command that does the same beside a loop that predicts, without holding it up."""
    return [*first_trainer_command(source, market_ms, horizons), "--beside-loop"]


def leaks_command(source: Source) -> list[str]:
    """Return the command that runs the leak tests on what is stored of `source`; its report is a file."""
    return [sys.executable, "-m", "engine.leaks", "--venue", source.venue]


def sealer_command(source: Source, before_ms: int) -> list[str]:
    """Return the command that seals the months of `source` that end before that moment of the market."""
    command = [sys.executable, "-m", "engine.sealer", "--venue", source.venue]
    return [*command, "--before-ms", str(before_ms)]


def choose_source(config: Config, say: Callable[[str], None]) -> Source:
    """Return the exchange MARKET asks for; for `auto` that is Binance when it answers within 3 s."""
    if config.MARKET == "binance":
        return binance_source(config)
    if config.MARKET == "auto":
        if binance_answers(config):
            return binance_source(config)
        say(f"Binance does not answer within {PROBE_SECONDS:.0f} s: going on with the simulated market")
    return simulated_source(config, free_port())


def house_environment() -> dict[str, str]:
    """Return the environment in which `python -m engine` and its like find this checkout from any directory."""
    return child_environment({"PYTHONPATH": str(CHECKOUT)})


def work_environment() -> dict[str, str]:
    """Return that of children that compute for long: libraries start no threads they were not asked for."""
    return cap_threads(house_environment(), 1)

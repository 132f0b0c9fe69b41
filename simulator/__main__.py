"""python -m simulator: start the exchange from a shell."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from market.candles import LAST_VALID_MS
from market.errors import ConfigError
from simulator.coins import EPOCH_MS
from simulator.exchange import Exchange
from simulator.faults.catalogue import read_scenario
from simulator.faults.market import UnreliableExchange
from simulator.generated_tape import GeneratedTape
from simulator.kline_files import read_folder
from simulator.listings import DEFAULT_SYMBOLS, MAX_SYMBOLS, MIN_SYMBOLS
from simulator.market_clock import MarketClock, read_heartbeat
from simulator.market_model import market_model
from simulator.replay_tape import ReplayTape
from simulator.server import Place, Served, running
from simulator.sockets import Patience

N = TypeVar("N", int, float)

BAD_ARGUMENTS, INTERRUPTED = 2, 130
_SLOWEST, _FASTEST = 0.01, 3_600.0
_HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Market:
    """A tape, where its clock starts, when it begins and ends, and what it is called."""

    tape: GeneratedTape | ReplayTape
    start_ms: int
    first_ms: int
    end_ms: int
    name: str


def main(arguments: list[str]) -> int:
    """Run until told to stop; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_serve(options))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_ARGUMENTS


async def _serve(options: argparse.Namespace) -> int:
    stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, INTERRUPTED)):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stop, code)
    market = _replayed(options.replay) if options.replay else _generated(options)
    scenario = tuple(read_scenario(options.scenario)) if options.scenario else ()
    clock = MarketClock(_start_ms(options, market), options.speed)
    patience = Patience(connection_seconds=options.connection_hours * _HOUR_SECONDS)
    place = Place(options.host, options.port, patience, options.state, market.name, scenario, options.faults)
    kind = UnreliableExchange if options.faults or scenario else Exchange
    async with running(kind(market.tape, clock), place) as served:
        sys.stdout.write(_ready_line(options, market, clock, served) + "\n")
        sys.stdout.flush()
        return await stop


def _stop(stop: asyncio.Future[int], code: int) -> None:
    if not stop.done():
        stop.set_result(code)


def _generated(options: argparse.Namespace) -> Market:
    tape = GeneratedTape(market_model(options.seed, options.symbols))
    return Market(tape, round(time.time() * 1_000), EPOCH_MS, LAST_VALID_MS, f"seed {options.seed}")


def _replayed(folder: Path) -> Market:
    files = list(read_folder(folder))
    for file in files:
        if file.refused:
            reasons = ", ".join(f"{count} {reason}" for reason, count in file.refused.items())
            sys.stderr.write(f"{file.name}: {file.refused.total()} rows refused: {reasons}\n")
    if not any(len(file.rows) for file in files):
        raise ConfigError(f"the replay folder {str(folder)!r} holds no usable row: see the lines above")
    tape = ReplayTape(files)
    return Market(tape, tape.start_ms(), tape.first_ms(), tape.end_ms(), f"replay of {folder.resolve().name}")


def _start_ms(options: argparse.Namespace, market: Market) -> int:
    heartbeat = read_heartbeat(options.state) if options.state else None
    if heartbeat is not None and heartbeat.market == market.name:
        resumed_ms = heartbeat.resumed_ms(round(time.time() * 1_000), options.speed)
        if resumed_ms >= market.end_ms:
            sys.stderr.write(f"{market.name} is over, nothing trades: remove {options.state} to start anew\n")
        return resumed_ms
    if heartbeat is not None:
        sys.stderr.write(f"{options.state} is of another market ({heartbeat.market}): starting anew\n")
    start_ms = market.start_ms if options.start is None else options.start
    if start_ms < market.first_ms:
        raise ConfigError(
            f"--start {_iso(start_ms)} is before the first candle: start at {_iso(market.first_ms)} or later"
        )
    if start_ms >= market.end_ms:
        raise ConfigError(f"--start {_iso(start_ms)} is after the last candle: start before {_iso(market.end_ms)}")
    return start_ms


def _ready_line(options: argparse.Namespace, market: Market, clock: MarketClock, served: Served) -> str:
    now_ms = clock.now_ms()
    if not options.json:
        return (
            f"exchange at {served.rest_url} and {served.stream_url}: {market.name}, {options.speed:g} times the speed "
            f"of time, {len(market.tape.listings)} symbols, market time {_iso(now_ms)}"
        )
    return json.dumps(
        {
            "event": "ready",
            "rest_url": served.rest_url,
            "stream_url": served.stream_url,
            "host": served.host,
            "port": served.port,
            "seed": None if options.replay else options.seed,
            "replay": str(options.replay) if options.replay else None,
            "speed": options.speed,
            "symbols": len(market.tape.listings),
            "market_ms": now_ms,
        }
    )


def _iso(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one sentence and leave."""
        sys.stderr.write(f"{self.prog}: {message} (see --help)\n")
        sys.exit(BAD_ARGUMENTS)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m simulator",
        description="A Binance-compatible exchange on one port, with a generated or a replayed market.",
    )
    parser.add_argument("--port", type=_number(int, 0, 65_535), required=True, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--seed", type=_number(int, 0, 2**63 - 1), default=1, help="which generated market (1)")
    parser.add_argument(
        "--speed", type=_number(float, _SLOWEST, _FASTEST), default=60.0, help="market seconds a second (60)"
    )
    parser.add_argument(
        "--symbols",
        type=_number(int, MIN_SYMBOLS, MAX_SYMBOLS),
        default=DEFAULT_SYMBOLS,
        help=f"how many, the two control symbols among them ({DEFAULT_SYMBOLS})",
    )
    parser.add_argument(
        "--replay", type=Path, help="a folder of kline CSV files to replay instead of a generated market"
    )
    parser.add_argument(
        "--start", type=_time, help="market time to start at, ISO-8601 UTC (now; in a replay near its end)"
    )
    parser.add_argument(
        "--state", type=Path, help="file that keeps the market's time, so that a restart goes on from there"
    )
    parser.add_argument(
        "--connection-hours", type=_number(float, 1e-4, 24.0), default=24.0, help="life of a WebSocket (24)"
    )
    parser.add_argument(
        "--faults", action="store_true", help="take orders for faults at /_faults, from this machine only"
    )
    parser.add_argument("--scenario", type=Path, help="a file with one order for a fault a line, to be played")
    parser.add_argument("--json", action="store_true", help="print the line that says where it listens as JSON")
    return parser


def _number(kind: type[N], least: float, most: float) -> Callable[[str], N]:
    def parse(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return parse


def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO-8601 time such as 2026-01-31T12:00:00Z") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

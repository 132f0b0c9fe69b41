"""The feed beside python-binance: messages handled, the whole engine under load, and fetching history."""

import asyncio
import contextlib
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from load_exchange import symbols

from data.binance_rest import BinanceRest
from data.candle_flow import CandleFlow
from data.candle_store import CandleStore
from data.data_fetcher import back_fill
from data.database import open_database
from data.refusals import Refusals
from data.stream_connection import StreamConnection
from data.stream_door import StreamDoor
from market.intervals import DAY_MS
from tests.simulator_process import SimulatorProcess
from utils.clock import MarketClock

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
SYMBOLS, STEP_MS = 500, 60_000
FLOOD_SECONDS, ROUNDS = 2.0, 3
HISTORY_MS = 10 * DAY_MS
PRICES = (90.0, 110.0)  # what the flood sends


@contextlib.contextmanager
def load_exchange(*options):
    """Run the exchange of load until the block ends; yield its process and port."""
    command = [sys.executable, str(HERE / "load_exchange.py"), "--symbols", str(SYMBOLS), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def feed_messages():
    """Messages handled for each second of processor time, the same flood of klines and tickers of 500 symbols."""
    with load_exchange() as (_, port), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the library leaves its sessions open
        figures = [(asyncio.run(_theirs(port)), asyncio.run(_ours(port))) for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(column) for column in zip(*((one, two[0]) for one, two in figures), strict=True))
    return {
        "anchor": "python-binance socket manager",
        "anchor_value": theirs,
        "ours_value": ours,
        "unit": "messages a CPU second",
        "is_more_better": True,
        "goal": ">= 20x",
        "gate": "passed" if all(is_right for _, (_, is_right) in figures) else "failed",
    }


async def _theirs(port):
    from binance import AsyncClient, BinanceSocketManager

    manager = BinanceSocketManager(AsyncClient(), max_queue_size=10_000_000)
    manager.STREAM_URL = f"ws://127.0.0.1:{port}/"
    prices = {}
    async with manager.multiplex_socket(["s000usdt@kline_1m"]) as stream:

        async def take(seconds):
            count, until = 0, time.monotonic() + seconds
            while time.monotonic() < until:
                event = (await stream.recv())["data"]
                prices[event["s"]] = float(event["k"]["c"] if "k" in event else event["c"])
                count += 1
            return count

        await take(0.5)
        begun = time.process_time()
        return await take(FLOOD_SECONDS) / (time.process_time() - begun)


async def _ours(port):
    """Return the rate, and whether every symbol has a price and nothing was refused."""
    count = 0

    def note(message):
        nonlocal count
        count += 1

    async with running_feed(port, on_message=note) as (flows, refusals):
        await asyncio.sleep(0.5)
        before, begun = count, time.process_time()
        await asyncio.sleep(FLOOD_SECONDS)
        rate = (count - before) / (time.process_time() - begun)
    has_prices = all(flow.price is not None and PRICES[0] <= flow.price <= PRICES[1] for flow in flows.values())
    return rate, has_prices and not refusals.total


@contextlib.asynccontextmanager
async def running_feed(port, on_message=None, on_ticker=None):
    """Run one connection and its door; `on_message` hears of each message, `on_ticker` of each ticker that is read."""
    names, refusals = symbols(SYMBOLS), Refusals()
    flows = {name: CandleFlow(name, STEP_MS) for name in names}
    by_stream = {f"{name.lower()}@{kind}": flow for name, flow in flows.items() for kind in ("kline_1m", "miniTicker")}
    door = _WatchedDoor(by_stream, MarketClock(), refusals, lambda ready: None, lambda: None)
    door.on_ticker = on_ticker

    def take(message):
        on_message(message)
        door.take(message)

    connection = StreamConnection(
        f"ws://127.0.0.1:{port}",
        list(by_stream)[:20],
        take if on_message else door.take,
        on_change=lambda: None,
        is_traffic_expected=lambda: True,
    )
    running = asyncio.ensure_future(connection.run())
    yield flows, refusals
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class _WatchedDoor(StreamDoor):
    """A door that tells of the tickers it has read."""

    on_ticker = None

    def _read(self, message):
        super()._read(message)
        if self.on_ticker is not None and b"miniTicker" in message:
            self.on_ticker(message)


def history_fetch():
    """Ten days of 1 m candles of one symbol from the simulator, durable in the store, seconds."""
    with SimulatorProcess(symbols=4, speed=1) as simulator, tempfile.TemporaryDirectory() as folder:
        rest = BinanceRest(simulator.rest_url)
        end_ms = rest.server_time_ms() // STEP_MS * STEP_MS
        start_ms = end_ms - HISTORY_MS
        begun = time.perf_counter()
        theirs = _their_history(simulator.rest_url, start_ms, end_ms)
        between = time.perf_counter()
        store = CandleStore(open_database(Path(folder) / "candles.db"), "1m")
        filled = back_fill(rest, store, ["BTCUSDT"], "1m", start_ms, end_ms)
        ended = time.perf_counter()
        ours = [[row[0], *row[1:6]] for row in store.load("BTCUSDT").tolist()]
        rest.close()
    return {
        "anchor": "python-binance get_historical_klines",
        "anchor_value": between - begun,
        "ours_value": ended - between,
        "unit": "s",
        "goal": ">= 5x",
        "gate": "passed" if ours == theirs and not filled.refused else "failed",
    }


def _their_history(rest_url, start_ms, end_ms):
    from binance.client import Client

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # the library takes one that it never uses here
    client = Client(ping=False)
    client.API_URL = f"{rest_url}/api"
    rows = client.get_historical_klines("BTCUSDT", "1m", start_ms, end_ms - 1)
    client.close_connection()
    loop.close()
    return [[row[0], *map(float, row[1:6])] for row in rows]


BENCHMARKS = (feed_messages, history_fetch)

"""The whole engine under load: its own process, 500 symbols, real sockets, a real ledger, a model a horizon."""

import asyncio
import contextlib
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from feed_benchmarks import FLOOD_SECONDS, STEP_MS, SYMBOLS, load_exchange, running_feed
from load_exchange import START_MS, symbols

from data.model_seal import KEY_FILE
from data.model_store import ModelStore
from features.feature_engineering import COLUMNS, SCALE, definition_hash
from market.intervals import duration_ms
from models.panel import Panel
from models.served import content_id
from models.training import TrainingSettings, train_horizon
from utils.datagrams import Mailbox
from utils.times import parse_utc

CHECKOUT = Path(__file__).resolve().parents[2]
RATE, SPEED = 10_000, 10.0  # a candle of a minute closes every six seconds
HORIZONS = ("1h", "4h", "1d")
SETTLE_SECONDS, SECONDS, OVERLOAD_SECONDS = 8.0, 30.0, 60.0
START_DEADLINE_SECONDS = 120.0


def engine_10k():
    """Processor share of the whole engine at 10,000 messages a second, 500 symbols, 3 horizons, percent of a core."""
    load = load_exchange("--rate", str(RATE), "--speed", str(SPEED))
    with (
        tempfile.TemporaryDirectory() as folder,
        load as (exchange, port),
        running_engine(Path(folder), port) as engine,
    ):
        measured = _measured(Path(folder), exchange, engine)
    delays, rss_mb = measured["delays_ms"], measured["rss_mb"]
    return {
        "work": (
            f"10,000 msg/s, 500 symbols, 3 horizons, {rss_mb:.0f} MB; from the last closing frame to all "
            f"{len(delays)} x 1,500 predictions published: median {statistics.median(delays):.1f} ms, "
            f"worst {max(delays):.1f} ms"
        ),
        "anchor": "budget",
        "anchor_value": 6.0,
        "ours_value": measured["cpu_percent"],
        "unit": "% of a core",
        "goal": "<= 6",
        "gate": "passed" if measured["is_whole"] else "failed",
    }


def engine_100k():
    """Ten times the rated load for a minute: how far behind the exchange's clock states ever are, seconds."""
    load = load_exchange("--rate", str(10 * RATE), "--speed", str(SPEED))
    with (
        tempfile.TemporaryDirectory() as folder,
        load as (exchange, port),
        running_engine(Path(folder), port) as engine,
    ):
        lags = queue.SimpleQueue()
        threading.Thread(target=_note_lag, args=(Path(folder), lags), daemon=True).start()
        measured = _measured(Path(folder), exchange, engine, OVERLOAD_SECONDS)
        worst = max(lags.get() for _ in range(lags.qsize()))
        gaps = heartbeat(Path(folder))["feed"]["gaps_found"]
    return {
        "work": (
            f"100,000 msg/s for {OVERLOAD_SECONDS:.0f} s, 500 symbols, {measured['cpu_percent']:.0f} % of a core, "
            f"{measured['rss_mb']:.0f} MB; {len(measured['delays_ms'])} closes all published, worst after "
            f"{max(measured['delays_ms']):.0f} ms; {gaps} gaps"
        ),
        "anchor": "budget",
        "anchor_value": 1.0,
        "ours_value": worst,
        "unit": "s",
        "goal": "<= 1",
        "gate": "passed" if measured["is_whole"] and not gaps else "failed",
    }


def receive_to_state():
    """From sending a ticker to its symbol's state, 10,000 messages a second, 99th percentile, milliseconds."""
    with load_exchange("--rate", str(RATE)) as (_, port):
        ages = asyncio.run(_ages(port))
    return {
        "anchor": "budget",
        "anchor_value": 1.0,
        "ours_value": float(np.percentile(ages, 99)) * 1e3,
        "unit": "ms",
        "goal": "<= 1",
        "gate": "passed" if len(ages) > RATE * FLOOD_SECONDS / 4 else "failed",
    }


async def _ages(port):
    """Return how old tickers are when their symbol's price is set."""
    ages = []

    def note(message):
        ages.append(time.monotonic() - float(message.rpartition(b'"v":"')[2].partition(b'"')[0]))

    async with running_feed(port, on_ticker=note):
        await asyncio.sleep(1.0)
        ages.clear()
        await asyncio.sleep(FLOOD_SECONDS)
    return ages


@contextlib.contextmanager
def running_engine(folder, port, count=SYMBOLS, horizons=HORIZONS):
    """Run the engine with a model for each horizon; yield it once it follows the streams of `count` symbols."""
    given = {"MARKET": "binance", "INTERVAL": "1m", "HISTORY_DAYS": "1", "HORIZONS": ",".join(horizons)}
    given |= {"BINANCE_REST_URL": f"http://127.0.0.1:{port}", "BINANCE_STREAM_URL": f"ws://127.0.0.1:{port}"}
    given |= {"SYMBOLS": ",".join(symbols(count)), "INSTANCE_DIR": folder, "SAVED_MODELS_DIR": folder / "models"}
    environ = {**os.environ, **{f"CANDELA_{name}": str(value) for name, value in given.items()}}
    _save_models(folder, horizons)
    command = [sys.executable, "-m", "engine"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environ, start_new_session=True) as process:
        try:
            _wait_until_live(folder, process)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _save_models(folder, horizons):
    """Train one small forest and keep it in the instance under the name of every horizon, as made a moment ago."""
    random = np.random.default_rng(1)
    features = np.abs(random.normal(size=(40, 600, len(COLUMNS)))).astype(np.float32)
    closes = random.uniform(99.0, 101.0, (40, 600))
    times = START_MS - np.arange(600)[::-1] * STEP_MS
    panel = Panel(tuple(symbols(40)), COLUMNS, SCALE, times, features, closes)
    trained = train_horizon(panel, "1m", "1h", 12, TrainingSettings(replay_candles=100, folds=1))
    for horizon in horizons:
        model = replace(trained.model, horizon=horizon, horizon_candles=duration_ms(horizon) // STEP_MS)
        answer = float(model.predict(np.array([trained.check_row])).probability_up[0])
        whole = replace(trained, model=replace(model, id=content_id(model)), check_probability=answer)
        ModelStore(folder / "models", folder / KEY_FILE).save(whole, "binance", (0, START_MS), definition_hash())


def _wait_until_live(folder, process):
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            if heartbeat(folder)["feed"]["state"] == "live":
                return
        time.sleep(0.2)
    raise RuntimeError("the engine does not follow the load")


def heartbeat(folder):
    """Return what the engine last said of itself."""
    return json.loads((folder / "run" / "engine.json").read_bytes())


def _note_lag(folder, lags):
    """Note how far behind the feed says it is, until the folder is gone."""
    with contextlib.suppress(OSError):
        while True:
            lags.put(heartbeat(folder)["feed"]["lag_s"] or 0.0)
            time.sleep(0.5)


def _measured(folder, exchange, engine, seconds=SECONDS):
    """Return what the engine spends and how soon it publishes, over so many seconds after it has settled."""
    told = {}  # candle -> when its last frame had been sent
    threading.Thread(target=note_closes, args=(exchange.stdout, told), daemon=True).start()
    mailbox = Mailbox(folder / "run" / "live")
    note_published(mailbox, {}, time.monotonic() + SETTLE_SECONDS)
    before, published = sum(engine.cpu_times()[:2]), {}
    note_published(mailbox, published, time.monotonic() + seconds)
    spent = sum(engine.cpu_times()[:2]) - before
    mailbox.close()
    whole = {open_ms: (count, last) for open_ms, (count, last) in published.items() if open_ms in told}
    return {
        "cpu_percent": spent / seconds * 100,
        "rss_mb": engine.memory_info().rss / 2**20,
        "delays_ms": [(last - told[open_ms]) * 1e3 for open_ms, (_, last) in whole.items()],
        "is_whole": len(whole) >= 3 and all(count == SYMBOLS * len(HORIZONS) for count, _ in whole.values()),
    }


def note_closes(lines, told):
    """Note for each candle, as the exchange tells, the monotonic second at which its last frame had been sent."""
    for line in lines:
        open_ms, seconds = line.split()
        told[int(open_ms)] = float(seconds)


def note_published(mailbox, found, until):
    """Note in `found` for each candle how many predictions came, and when the last of them did."""
    while (left := until - time.monotonic()) > 0:
        message = mailbox.receive(left)
        now = time.monotonic()
        if message is None or not message.startswith(b'{"event":"prediction"'):
            continue
        # Read as little as possible: a slow reader would measure itself.
        open_ms = parse_utc(message.partition(b'"candle_open_time":"')[2][:24].decode())
        found[open_ms] = (found.get(open_ms, (0, 0.0))[0] + message.count(b'"candle_open_time":"'), now)


BENCHMARKS = (engine_10k, engine_100k, receive_to_state)

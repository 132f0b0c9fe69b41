"""What the first view of the board weighs on the wire."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import brotli
import numpy as np

from config import Config
from data.candle_store import CandleStore
from data.database import open_database
from data.prediction_store import PredictionStore
from market.candles import CANDLES
from market.intervals import duration_ms
from market.predictions import Origin, Prediction, Reason, Verdict
from web.site import create_site
from web.stores import Stores

SEED_BYTES = 200_000
GOAL_BYTES = 60_000
SYMBOLS = [f"COIN{number}USDT" for number in range(50)]
STEP_MS = 300_000
CANDLE_COUNT = 400
NOW_MS = 1_763_640_000_000
NOW_S = 1_000.0  # the clock stands still: the engine of this instance is always alive
HORIZON = "4h"
COST_BPS = 24.0
_LINK = re.compile(r'(?:href|src)="(/static/[^"#]+)')
_IMPORT = re.compile(r'(?:from|import) "(\./[^"]+)"')


def first_view_bytes() -> dict[str, Any]:
    """Return the row of everything a browser fetches for the board of 50 symbols, headers included, as brotli."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder)
        config = Config(INSTANCE_DIR=folder, SAVED_MODELS_DIR=folder, HORIZONS=HORIZON)
        stores = Stores(folder, folder, lambda: NOW_S)
        client = create_site(stores, config).test_client()
        answers = dict(_fetch_all(client, f"/?horizon={HORIZON}"))
        is_whole = _is_whole(client, answers)
        stores.close()
    total = sum(len(answer.data) + _header_bytes(answer) for answer in answers.values())
    return {
        "anchor": "board of seed 004",
        "anchor_value": SEED_BYTES,
        "ours_value": total,
        "unit": "B",
        "goal": f"<= {GOAL_BYTES}",
        "gate": "passed" if is_whole else "failed",
    }


def fill(folder: Path) -> dict[str, float]:
    """Leave what an engine leaves: candles, a scored record, a newest prediction of each symbol, a heartbeat.

    Return the price of each symbol.
    """
    engine = open_database(folder / "simulated-1.db")
    random = np.random.default_rng(1)
    tables = [(symbol, _walk(random)) for symbol in SYMBOLS]
    CandleStore(engine, "5m").append_tables(tables)
    ledger = PredictionStore(engine, "simulated", "5m")
    past = range(0, CANDLE_COUNT - 50, 6)
    ledger.add_replayed(
        [_call(symbol, table[at], random, Origin.REPLAYED) for symbol, table in tables for at in past], []
    )
    ledger.score(NOW_MS)
    ledger.publish([_call(symbol, table[-1], random, Origin.LIVE) for symbol, table in tables])
    ledger.settle()
    engine.dispose()
    prices = {symbol: float(table["close"][-1]) for symbol, table in tables}
    beat(folder, prices, NOW_S)
    return prices


def _walk(random: np.random.Generator) -> np.ndarray:
    close = random.uniform(0.01, 9_000) * np.exp(np.cumsum(random.normal(0, 0.001, CANDLE_COUNT)))
    table = np.empty(CANDLE_COUNT, CANDLES)
    table["open_ms"] = NOW_MS - STEP_MS * np.arange(CANDLE_COUNT, 0, -1)
    table["open"], table["close"], table["volume"] = close, close, 5.0
    table["high"], table["low"] = close * 1.001, close * 0.999
    return table


def _call(symbol: str, candle: np.void, random: np.random.Generator, origin: Origin) -> Prediction:
    up = float(random.uniform(0.35, 0.65))
    expected, made_ms = (up - 0.5) * 300, int(candle["open_ms"]) + STEP_MS
    edge = abs(expected) - COST_BPS
    verdict = (Verdict.UP if expected > 0 else Verdict.DOWN) if edge > 0 else Verdict.ABSTAIN
    return Prediction(
        symbol=symbol,
        interval="5m",
        horizon=HORIZON,
        candle_open_ms=made_ms - STEP_MS,
        made_ms=made_ms,
        due_ms=made_ms + duration_ms(HORIZON),
        price=float(candle["close"]),
        cost_bps=COST_BPS,
        verdict=verdict,
        reason=None if edge > 0 else Reason.COST,
        origin=origin,
        model="random_forest-4h-0123456789ab",
        probability_up=up,
        expected_return_bps=expected,
        low_bps=expected - 90,
        high_bps=expected + 90,
        coverage=0.8,
        edge_bps=edge,
    )


def beat(folder: Path, prices: dict[str, float], now_s: float) -> None:
    """Write the heartbeat of an engine that is this process, at this reading of the monotonic clock."""
    symbols = [
        {
            "symbol": symbol,
            "base": symbol.removesuffix("USDT"),
            "quote": "USDT",
            "status": "TRADING",
            "price_digits": 4,
            "state": "live",
            "last_candle_open_ms": NOW_MS - STEP_MS,
            "last_message_mono_s": now_s,
            "price": price,
            "change_24h_percent": 1.25,
        }
        for symbol, price in prices.items()
    ]
    state = {"pid": os.getpid(), "started_mono_s": now_s, "written_mono_s": now_s, "market": "simulated"}
    state |= {
        "venue": "simulated-1",
        "interval": "5m",
        "horizons": [HORIZON],
        "market_ms": NOW_MS,
        "cost_bps": COST_BPS,
    }
    state |= {"feed": {"state": "live", "last_message_mono_s": now_s}, "symbols": symbols}
    (folder / "run").mkdir(exist_ok=True)
    fresh = folder / "run" / "engine.new"
    fresh.write_text(json.dumps(state))
    fresh.replace(folder / "run" / "engine.json")


def _fetch_all(client: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every answer the page needs: itself, what it names, and what its scripts import."""
    waiting, seen = [path], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path, headers={"Accept-Encoding": "br"})
        text = client.get(path, headers={"Accept-Encoding": "identity"}).text
        waiting += _LINK.findall(text) if answer.mimetype == "text/html" else []
        waiting += [urljoin(path, name) for name in _IMPORT.findall(text)] if path.endswith(".js") else []
        yield path, answer


def _is_whole(client: Any, answers: dict[str, Any]) -> bool:
    """Return whether every answer is there, compressed without loss, and the page shows every symbol's prediction."""
    for path, answer in answers.items():
        plain = client.get(path, headers={"Accept-Encoding": "identity"}).data
        is_same = answer.headers.get("Content-Encoding") != "br" or len(brotli.decompress(answer.data)) == len(plain)
        if answer.status_code != 200 or not is_same:
            return False
    page = brotli.decompress(next(iter(answers.values())).data).decode()
    return page.count('<tr id="r-') == len(SYMBOLS) == page.count('data-kind="probability"')


def _header_bytes(answer: Any) -> int:
    return sum(len(name) + len(value) + 4 for name, value in answer.headers.items())


BENCHMARKS = (first_view_bytes,)

"""A small instance the way an engine leaves it: a real database, real stores, a heartbeat, a clock moved by hand."""

import json
import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from werkzeug.serving import make_server

from config import Config
from data.candle_store import CandleStore
from data.database import open_database
from data.explanation_store import Explanation, ExplanationStore, ModelWords
from data.foreign_store import ForeignStore
from data.gap_store import GapStore
from data.ledger_inputs import Inputs
from data.prediction_store import PredictionStore
from data.signal_file import Signal
from market.candles import CANDLES, Candle
from market.gaps import Gap
from market.intervals import duration_ms, interval_ms
from market.predictions import Origin, Prediction, Reason, Verdict
from tests.web.browser_page import FLAGS, watch
from utils.datagrams import Postman
from web.site import create_site
from web.stores import Stores

T0 = 1_763_640_000_000  # 2025-11-20T12:00:00Z, on every grid up to 4h
HORIZONS = ("1h", "4h")
SYMBOLS = ("BTCUSDT", "DOGEUSDT", "EDGEUSDT")
COST = 24.0


class House:
    """An instance and the site over it."""

    def __init__(self, folder, interval="5m", symbols=SYMBOLS):
        self.folder, self.interval, self.symbols = folder, interval, symbols
        self.length_ms = interval_ms(interval)
        self.now_s = 1_000.0
        self.market_ms = T0
        self.states, self.reasons = {}, {}
        self.config = Config(INSTANCE_DIR=folder, SAVED_MODELS_DIR=folder / "models", HORIZONS=",".join(HORIZONS))
        self.stores = Stores(folder, self.config.SAVED_MODELS_DIR, lambda: self.now_s)
        self.site = create_site(self.stores, self.config)
        (folder / "run").mkdir(exist_ok=True)
        self._venues = {}
        self.venue = "simulated-1"

    def get(self, path, **options):
        return self.site.test_client().get(path, **options)

    def items(self, path):
        return self.get(path).json["items"]

    @property
    def _engine(self):
        if self.venue not in self._venues:
            self._venues[self.venue] = open_database(self.folder / f"{self.venue}.db")
        return self._venues[self.venue]

    @property
    def ledger(self):
        return PredictionStore(self._engine, "simulated", self.interval, ["rsi", "roc"])

    @property
    def candles(self):
        return CandleStore(self._engine, self.interval)

    def add_candles(self, count, symbol="BTCUSDT", last_open_ms=None, seed=1):
        """Keep `count` candles that end with the one that closed last."""
        last_open_ms = T0 - self.length_ms if last_open_ms is None else last_open_ms
        close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.001, count)))
        table = np.empty(count, CANDLES)
        table["open_ms"] = last_open_ms - (count - 1 - np.arange(count)) * self.length_ms
        table["open"] = np.r_[100.0, close[:-1]]
        table["high"] = np.maximum(table["open"], close) + 0.1
        table["low"] = np.minimum(table["open"], close) - 0.1
        table["close"], table["volume"] = close, 10.0
        self.candles.append_table(symbol, table)
        return table

    def add_candle(self, symbol, open_ms, close):
        self.candles.append([Candle(symbol, open_ms, close, close, close, close, 1.0)])
        self.candles.settle()

    def add_gap(self, symbol="BTCUSDT", candles=3, is_repaired=True, found_ms=T0 - 60_000):
        """Keep a gap of so many candles up to the one that closed last; REST took two seconds of market time."""
        gap = Gap(symbol, T0 - candles * self.length_ms, T0, found_ms, found_ms + 2_000, is_repaired)
        GapStore(self._engine, self.interval).keep([gap])

    def prediction(self, symbol="BTCUSDT", horizon="1h", candle_open_ms=None, up=0.6, **changes):
        """Return a prediction made at the last close; a move of 40 bps for each tenth of probability beyond a half."""
        open_ms = T0 - self.length_ms if candle_open_ms is None else candle_open_ms
        made_ms = open_ms + self.length_ms
        expected = None if up is None else (up - 0.5) * 400
        edge = None if up is None else abs(expected) - COST
        is_call = edge is not None and edge > 0
        verdict = (Verdict.UP if expected > 0 else Verdict.DOWN) if is_call else Verdict.ABSTAIN
        facts = {
            "price": 100.0,
            "cost_bps": COST,
            "verdict": verdict,
            "reason": None if is_call else Reason.COST if up is not None else Reason.TOO_FEW_CANDLES,
            "origin": Origin.LIVE,
            "model": f"random_forest-{horizon}-0123456789ab",
            "probability_up": up,
            "expected_return_bps": expected,
            "low_bps": None if up is None else expected - 80,
            "high_bps": None if up is None else expected + 80,
            "coverage": None if up is None else 0.8,
            "edge_bps": edge,
        }
        due_ms = made_ms + duration_ms(horizon)
        return Prediction(symbol, self.interval, horizon, open_ms, made_ms, due_ms, **(facts | changes))

    def publish(self, *predictions):
        inputs = [Inputs(one.symbol, one.candle_open_ms, np.array([51.5, np.nan])) for one in predictions]
        published = self.ledger.publish(predictions, inputs)
        self.ledger.settle()
        return published

    def lengthen(self, hours=12):
        """Replay so many hours of BTCUSDT before those of the lively instance, and score them."""
        opens = [T0 - hour * 3_600_000 - self.length_ms for hour in range(9, 9 + hours)]
        self.add_candles(12 * hours + 36, last_open_ms=T0 - 121 * self.length_ms)
        rows = [self.prediction("BTCUSDT", "1h", open_ms, 0.55, origin=Origin.REPLAYED) for open_ms in opens]
        self.ledger.add_replayed(rows, [])
        self.ledger.score(T0)

    def add_signals(self, source, symbol="BTCUSDT", count=12):
        """Import somebody's signals of the hours before the last one, and score them."""
        opens = [T0 - (hours + 1) * 3_600_000 - self.length_ms for hours in range(1, count + 1)]
        said = {"direction": None, "low_bps": -90.0, "high_bps": 130.0, "coverage": 0.8}
        signals = [
            Signal(line, source, symbol, "1h", open_ms, probability_up=0.6, expected_return_bps=40.0, **said)
            for line, open_ms in enumerate(opens, start=2)
        ]
        return ForeignStore(self._engine, "simulated", self.interval).keep(signals, COST)

    def explain(self, symbol, horizon, strangeness=0.4, open_ms=None):
        """Keep what moved the prediction of the last close, and three cases like it, of which two rose."""
        open_ms = T0 - self.length_ms if open_ms is None else open_ms
        cases = np.array([[0, T0 - days * 86_400_000] for days in (1, 2, 3)])
        columns = [("rsi", "Gains against losses"), ("roc", "Move, in usual moves")]
        words = ModelWords(0.5, columns, ["EDGEUSDT"], cases, np.array([31.0, -12.5, 4.0]))
        points, strange = np.array([[0.05, -0.01]]), np.array([strangeness])
        model = f"random_forest-{horizon}-0123456789ab"
        shifts, near = np.zeros(1), np.array([[0, 1, 2]])
        one = Explanation(open_ms, horizon, model, [symbol], shifts, points, strange, near)
        ExplanationStore(self._engine, self.interval).keep([one], lambda _: words)

    def beat(self, **changes):
        """Write the heartbeat of an engine that is this very process."""
        symbols = [
            {
                "symbol": name,
                "base": name.removesuffix("USDT"),
                "quote": "USDT",
                "status": "TRADING",
                "price_digits": 2,
                "tick": "0.01",
                "step": "0.001",
                "min_notional": "5",
                "state": self.states.get(name, "live"),
                "reason": self.reasons.get(name),
                "last_candle_open_ms": self.market_ms - self.length_ms,
                "last_message_mono_s": self.now_s - 0.5,
                "price": 2547.61,
                "change_24h_percent": -1.25,
            }
            for name in self.symbols
        ]
        feed = {"state": "live", "last_message_mono_s": self.now_s - 0.5, "reconnects": 2, "weight_used_1m": 40}
        state = {
            "pid": os.getpid(),
            "started_mono_s": self.now_s - 60,
            "written_mono_s": self.now_s,
            "market": "simulated",
            "venue": self.venue,
            "interval": self.interval,
            "horizons": list(HORIZONS),
            "speed": 60.0,
            "market_ms": self.market_ms,
            "version": self.ledger.version(),
            "rss_mb": 123.4,
            "cost_bps": COST,
            "feed": feed | changes.pop("feed", {}),
            "symbols": symbols,
            "training": None,
            "note": None,
        }
        target = self.folder / "run" / "engine.json"
        fresh = target.with_suffix(".new")
        fresh.write_text(json.dumps(state | changes))
        fresh.replace(target)

    def close(self):
        self.site.extensions["live"].close()
        for engine in self._venues.values():
            engine.dispose()
        self.stores.close()


@pytest.fixture
def house(tmp_path):
    """Return an instance whose engine has not run yet."""
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
def lively(house):
    """Return an instance with three symbols, candles, a prediction of each and a scored record."""
    return enliven(house)


def enliven(house):
    """Return the instance with three symbols, candles, a prediction of each and a scored record."""
    for seed, symbol in enumerate(house.symbols):
        house.add_candles(120, symbol, seed=seed)
    past = [
        house.prediction(symbol, "1h", T0 - hours * 3_600_000 - house.length_ms, up, origin=Origin.REPLAYED)
        for symbol, up in (("BTCUSDT", 0.55), ("EDGEUSDT", 0.7), ("DOGEUSDT", 0.3))
        for hours in range(1, 9)
    ]
    house.ledger.add_replayed(past, [])
    house.ledger.score(T0)
    house.publish(
        house.prediction("BTCUSDT", "1h", up=0.52),
        house.prediction("EDGEUSDT", "1h", up=0.71),
        house.prediction("DOGEUSDT", "1h", up=0.31),
        house.prediction("BTCUSDT", "4h", up=None),
    )
    house.beat()
    return house


@pytest.fixture
def served(lively):
    """Return the address of a running server over the lively instance, the instance, and its postman."""
    server = make_server("127.0.0.1", 0, lively.site, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    postman = Postman(lively.folder / "run" / "live")
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", house=lively, postman=postman)
    lively.site.extensions["live"].close()
    postman.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium(require_program):
    """Return a running Chromium; skip where there is none, fail where CI promised one.

    It ends with its module: its driver keeps an event loop running in which other tests cannot start theirs.
    """
    path = require_program("chromium", "apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=20_000)  # a busy machine needs more than 5 s; a green run does not wait
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, served):
    """Return a function that opens a page in a window of its own and collects what the browser complains about."""
    contexts = []

    def open_one(path, size=(1366, 900), theme="dark", javascript=True, **options):
        looks = {
            "viewport": {"width": size[0], "height": size[1]},
            "color_scheme": theme,
            "timezone_id": "Asia/Tokyo",
            **options,
        }
        contexts.append(chromium.new_context(**looks, java_script_enabled=javascript))
        page = watch(contexts[-1].new_page())
        page.goto(served.url + path, wait_until="load")
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def send(served):
    """Return a function that sends an event as the engine does, once a page listens."""

    def send_one(page, name, version, /, **data):
        message = json.dumps({"event": name, "version": version, "data": data}).encode()
        deadline = time.monotonic() + 30
        while not served.postman.send(message):
            assert time.monotonic() < deadline, "no page listens"
            page.wait_for_timeout(50)

    return send_one

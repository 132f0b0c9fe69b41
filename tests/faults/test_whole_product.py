"""The whole product against random faults: afterwards its candles are those of an exchange that never failed."""

import json
import sqlite3
import struct
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from engine.source import free_port
from market.intervals import DAY_MS, MINUTE_MS
from tests.faults.fault_plan import KINDS, fault_plan
from tests.house_process import HouseProcess
from tests.simulator_process import SimulatorProcess

SEED = 20_260_731
FAULTS = 210
SPAN_SECONDS = 120.0
MARKET = {"seed": 5, "speed": 60, "symbols": 6}
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "WALKUSDT", "EDGEUSDT"]
NOTICE_SECONDS = 10.0
BACK_SECONDS = 60.0
PAGE = 1_000


class Watch:
    """Asks /healthz and /api/v1/status again and again, and keeps what was not as it should be."""

    def __init__(self, house):
        self.house, self.bad_health, self.states = house, [], []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        while not self._is_over.wait(0.2):
            try:
                self.house.get("/healthz")
                self.states.append((time.monotonic(), self.house.get("/api/v1/status")["feed"]["state"]))
            except (OSError, urllib.error.URLError, ValueError) as error:
                self.bad_health.append(repr(error))

    def seconds_until(self, since, is_wanted):
        """Return how long after `since` such a state was told first; wait for it no longer than `BACK_SECONDS`."""
        deadline = since + BACK_SECONDS
        while time.monotonic() < deadline:
            seen = [at - since for at, state in list(self.states) if at >= since and is_wanted(state)]
            if seen:
                return seen[0]
            time.sleep(0.1)
        raise AssertionError(f"no such state within {BACK_SECONDS} s: {self.states[-5:]}")


def status(house):
    return house.get("/api/v1/status")


def kept(folder):
    """Return every row of the candle store, as bytes."""
    with sqlite3.connect(f"file:{folder / 'instance' / 'binance.db'}?mode=ro", uri=True) as store:
        rows = store.execute("SELECT symbol, interval_ms, open_ms, open, high, low, close, volume FROM candles")
        return sorted((*row[:3], struct.pack("<5d", *row[3:])) for row in rows)


def truth(first_ms, last_ms, missing):
    """Return what an undisturbed exchange of the same seed has in that span, without what was made to be missing."""
    start = datetime.fromtimestamp((last_ms + 2 * DAY_MS) / 1_000, UTC).isoformat()
    rows = []
    with SimulatorProcess(**MARKET, start=start) as simulator:
        for symbol in SYMBOLS:
            for from_ms in range(first_ms, last_ms + 1, PAGE * MINUTE_MS):
                to_ms = min(last_ms, from_ms + (PAGE - 1) * MINUTE_MS)
                query = f"symbol={symbol}&interval=1m&startTime={from_ms}&endTime={to_ms}&limit={PAGE}"
                with urllib.request.urlopen(f"{simulator.rest_url}/api/v3/klines?{query}") as answer:
                    rows += [(symbol, row) for row in json.load(answer)]
    return sorted(
        (symbol, MINUTE_MS, row[0], struct.pack("<5d", *map(float, row[1:6])))
        for symbol, row in rows
        if not any(one["symbol"] == symbol and one["from_ms"] <= row[0] < one["to_ms"] for one in missing)
    )


def doubled_rows(folder):
    with sqlite3.connect(f"file:{folder / 'instance' / 'binance.db'}?mode=ro", uri=True) as store:
        query = "SELECT count(*) - count(DISTINCT symbol || interval || horizon || candle_open_ms) FROM predictions"
        return store.execute(query).fetchone()[0]


def differences(ours, true):
    """Return the candles that are wrong or doubled, and those that are lost, in words."""
    extra, lost = sorted(set(ours) - set(true)), sorted(set(true) - set(ours))
    return {
        "wrong": [row[:3] for row in extra],
        "lost": [row[:3] for row in lost],
        "doubled": len(ours) - len(set(ours)),
    }


@pytest.mark.slow
def test_random_faults_leave_the_candles_of_an_undisturbed_run(tmp_path):
    plan = fault_plan(SEED, FAULTS, SYMBOLS, SPAN_SECONDS)
    replay = f"seed {SEED}; the scenario:\n" + "\n".join(json.dumps(order) for order in plan)
    with SimulatorProcess(**MARKET, faults=True) as simulator:
        roots = {"BINANCE_REST_URL": simulator.rest_url, "BINANCE_STREAM_URL": simulator.stream_url}
        given = {"MARKET": "binance", "SYMBOLS": ",".join(SYMBOLS), "HISTORY_DAYS": 1, **roots}
        with HouseProcess(tmp_path, free_port(), **given) as house:
            house.wait_for("live feed", 90, lambda: status(house)["feed"]["state"] == "live")
            with Watch(house) as watch:
                simulator.order(*plan)
                told = _told_when_over(simulator, SPAN_SECONDS + BACK_SECONDS)
                over = time.monotonic()
                house.wait_for("quiet", 90, lambda: _is_quiet(house, simulator))
                assert watch.seconds_until(over, lambda state: state == "live") < BACK_SECONDS

                lost = time.monotonic()
                simulator.order({"fault": "refused", "for_seconds": 12})
                noticed = watch.seconds_until(lost, lambda state: state != "live")
                watch.seconds_until(lost + 12.0, lambda state: state == "live")
                house.wait_for("quiet", 90, lambda: _is_quiet(house, simulator))
            house.stop()

    ours = kept(tmp_path)
    last_ms = min(max(row[2] for row in ours if row[0] == symbol) for symbol in SYMBOLS)  # stopped amid a close
    ours = [row for row in ours if row[2] <= last_ms]
    found = differences(ours, truth(min(row[2] for row in ours), last_ms, told["missing"]))
    assert found == {"wrong": [], "lost": [], "doubled": 0}, f"{found}\n{replay}\n{house.log()}"
    assert doubled_rows(tmp_path) == 0, replay
    assert watch.bad_health == [], replay
    assert noticed < NOTICE_SECONDS
    assert told["disobeyed"] == 0, replay
    assert {fault["fault"] for fault in told["past"]} == set(KINDS)


def _told_when_over(simulator, seconds):
    """Return what the simulator tells of the faults once all are over; its port may be shut at times."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            told = simulator.told()
        except OSError:
            time.sleep(0.2)
            continue
        if not told["waiting"] and not told["on"]:
            return told
        time.sleep(0.5)
    raise AssertionError("the faults did not end")


def _is_quiet(house, simulator):
    """Return whether every symbol has the candles of the last few minutes, and none waits for a repair."""
    with urllib.request.urlopen(f"{simulator.rest_url}/api/v3/time") as answer:
        now_ms = json.load(answer)["serverTime"]
    opens = [
        datetime.fromisoformat(one["last_candle_open"]).timestamp() * 1_000 if one["last_candle_open"] else 0.0
        for one in status(house)["symbols"]
    ]
    return now_ms - min(opens) < 5 * MINUTE_MS

"""The whole house seals old months beside its work, and its pages read them without growing."""

import json
import urllib.request
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.candle_store import CandleStore
from data.database import open_database
from engine.source import free_port
from market.intervals import DAY_MS, MINUTE_MS
from tests.data.sealing_house import table
from tests.house_process import HouseProcess
from tests.simulator_process import SimulatorProcess
from utils.times import parse_utc

pytestmark = pytest.mark.slow
COUNT = 1_000


def test_old_months_are_sealed_by_a_child_and_read_by_the_api(tmp_path):
    with SimulatorProcess(symbols=5, speed=60) as exchange:
        old = old_candles(exchange)
        (tmp_path / "instance").mkdir()
        engine = open_database(tmp_path / "instance" / "binance.db")
        CandleStore(engine, "1m").append_table("BTCUSDT", old)
        engine.dispose()
        roots = {"BINANCE_REST_URL": exchange.rest_url, "BINANCE_STREAM_URL": exchange.stream_url}
        with HouseProcess(tmp_path, free_port(), MARKET="binance", HISTORY_DAYS=1, **roots) as house:
            folder = tmp_path / "instance" / "binance.sealed" / "candles-1m"
            house.wait_for("sealed month", 90, lambda: list(folder.glob("*.parquet")) and not live_rows(house, old))

            oldest = house.get(f"/api/v1/candles/BTCUSDT?start={old['open_ms'][0]}&limit=500")["items"]
            longer = house.get(f"/api/v1/candles/BTCUSDT?interval=1h&start={old['open_ms'][0]}&limit=5")["items"]
            processes = psutil.Process(house.process.pid).children(recursive=True)
            with_arrow = [" ".join(one.cmdline()) for one in processes if "libarrow" in mapped(one)]
            status = house.get("/api/v1/status")

    assert [parse_utc(item["open_time"]) for item in oldest] == old["open_ms"][:500].tolist()
    assert [item["close"] for item in oldest] == old["close"][:500].tolist()
    assert [item["close"] for item in longer] == old["close"][59 : 5 * 60 : 60].tolist()
    assert all("data.segment_reader" in one or "engine.sealer" in one for one in with_arrow)
    assert any("data.segment_reader" in one for one in with_arrow)
    assert status["engine"]["alive"]


def old_candles(exchange):
    """Return candles of a whole number of hours, a hundred days before the exchange's time."""
    with urllib.request.urlopen(f"{exchange.rest_url}/api/v3/time", timeout=10) as answer:
        now_ms = json.loads(answer.read())["serverTime"]
    candles = table(200)[:COUNT]
    candles["open_ms"] = (now_ms - 100 * DAY_MS) // DAY_MS * DAY_MS + np.arange(len(candles)) * MINUTE_MS
    return candles


def live_rows(house, old):
    engine = open_database(house.folder / "instance" / "binance.db", is_read_only=True)
    try:
        first_ms, last_ms = int(old["open_ms"][0]), int(old["open_ms"][-1])
        return len(CandleStore(engine, "1m").load_live("BTCUSDT", first_ms, last_ms + 1))
    finally:
        engine.dispose()


def mapped(process):
    try:
        return Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:  # it has left
        return ""

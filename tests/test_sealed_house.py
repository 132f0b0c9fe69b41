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
from market.candles import CANDLES
from market.intervals import DAY_MS
from tests.house_process import HouseProcess
from tests.simulator_process import SimulatorProcess
from utils.times import parse_utc

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path):
    """Run the house on an exchange that is not its own, with a thousand candles of three months ago in its store."""
    with SimulatorProcess(symbols=5, speed=60) as exchange:
        (tmp_path / "instance").mkdir()
        engine = open_database(tmp_path / "instance" / "binance.db")
        CandleStore(engine, "1m").append_table("BTCUSDT", old_candles(exchange))
        engine.dispose()
        roots = {"BINANCE_REST_URL": exchange.rest_url, "BINANCE_STREAM_URL": exchange.stream_url}
        with HouseProcess(tmp_path, free_port(), MARKET="binance", HISTORY_DAYS=1, **roots) as house:
            house.old = old_candles(exchange)
            yield house


def test_old_months_are_sealed_by_a_child_and_read_by_the_api(house):
    old = house.old
    house.wait_for("sealed months", 90, lambda: sealed(house) and not live_rows(house))

    oldest = house.get(f"/api/v1/candles/BTCUSDT?start={old['open_ms'][0]}&limit=500")["items"]
    longer = house.get(f"/api/v1/candles/BTCUSDT?interval=1h&start={old['open_ms'][0]}&limit=5")["items"]
    with_arrow = commands_with_arrow(house)

    assert [parse_utc(item["open_time"]) for item in oldest] == old["open_ms"][:500].tolist()
    assert [item["close"] for item in oldest] == old["close"][:500].tolist()
    assert [item["close"] for item in longer] == old["close"][59 : 5 * 60 : 60].tolist()
    assert all("data.segment_reader" in one or "engine.sealer" in one for one in with_arrow)
    assert any("data.segment_reader" in one for one in with_arrow)
    house.wait_for("engine", 20, lambda: house.get("/api/v1/status")["engine"]["alive"])


def test_a_damaged_month_is_fetched_again(house):
    house.wait_for("sealed months", 90, lambda: sealed(house) and not live_rows(house))
    assert house.stop() == 0
    path = sealed(house)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    path.write_bytes(content)

    house.start()
    house.wait_for("damage", 60, lambda: list(path.parent.glob("*.damaged-*")))
    house.wait_for("sealed months", 90, lambda: sealed(house) and not live_rows(house))

    found = opened(house, lambda store: store.load("BTCUSDT", *span(house)))
    assert found.tobytes() == house.old.tobytes()
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def old_candles(exchange):
    """Return the first thousand candles of a day three months ago, as the exchange tells them."""
    now_ms = ask(exchange, "time")["serverTime"]
    start_ms = (now_ms - 100 * DAY_MS) // (30 * DAY_MS) * 30 * DAY_MS
    rows = ask(exchange, f"klines?symbol=BTCUSDT&interval=1m&limit=1000&startTime={start_ms}")
    candles = np.empty(len(rows), dtype=CANDLES)
    for place, name in enumerate(CANDLES.names):
        candles[name] = [float(row[place]) for row in rows]
    return candles


def ask(exchange, question):
    with urllib.request.urlopen(f"{exchange.rest_url}/api/v3/{question}", timeout=10) as answer:
        return json.loads(answer.read())


def sealed(house):
    return sorted((house.folder / "instance" / "binance.sealed" / "candles-1m").glob("*.parquet"))


def live_rows(house):
    return len(opened(house, lambda store: store.load_live("BTCUSDT", *span(house))))


def span(house):
    return int(house.old["open_ms"][0]), int(house.old["open_ms"][-1]) + 1


def opened(house, question):
    """Return what the store answers a reader of its own."""
    engine = open_database(house.folder / "instance" / "binance.db", is_read_only=True)
    try:
        return question(CandleStore(engine, "1m"))
    finally:
        engine.dispose()


def commands_with_arrow(house):
    """Return the command lines of the house's processes that have loaded pyarrow."""
    found = []
    for process in psutil.Process(house.process.pid).children(recursive=True):
        try:
            if "libarrow" in Path(f"/proc/{process.pid}/maps").read_text():
                found.append(" ".join(process.cmdline()))
        except (OSError, psutil.Error):  # it has left
            continue
    return found

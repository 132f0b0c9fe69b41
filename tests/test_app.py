"""The whole house over its own simulated exchange: from an empty folder to scored predictions, and through a kill."""

import json
import os
import re
import signal
import time
import urllib.request

import psutil
import pytest

from engine.health import HEARTBEAT_SECONDS
from engine.source import free_port
from tests.house_process import HouseProcess, environment, refused
from utils.times import parse_utc

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with HouseProcess(tmp_path_factory.mktemp("house"), free_port()) as house:
        yield house


def test_the_page_answers_before_anything_is_known(house):
    page = house.wait_for("page", 60, lambda: house.get("/"))

    assert "Candela" in page
    assert house.get("/healthz") == {"status": "ok"}


def test_an_empty_folder_has_probabilities_within_two_minutes(house):
    def with_probability():
        rows = house.get("/api/v1/predictions?limit=500")["items"]
        return rows if len({row["symbol"] for row in rows if row["probability_up"] is not None}) == 5 else None

    rows = house.wait_for("probabilities", 300, with_probability)

    assert {row["market"] for row in rows} == {"simulated"}
    assert house.get("/readyz")


def test_the_record_is_not_empty_on_day_one_and_ends_before_the_live_one(house):
    replayed = house.wait_for(
        "record", 60, lambda: house.get("/api/v1/ledger?origin=replayed&symbol=BTCUSDT&horizon=15m&limit=500")["items"]
    )
    live = house.get("/api/v1/ledger?origin=live&symbol=BTCUSDT&horizon=15m&limit=500")["items"]
    skill = house.wait_for("skill", 60, lambda: house.get("/api/v1/skill?origin=replayed")["items"])

    assert len(replayed) >= 300
    assert max(row["made_at"] for row in replayed) < min(row["made_at"] for row in live)
    assert {item["symbol"] for item in skill} == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "WALKUSDT", "EDGEUSDT"}


def test_a_live_row_gets_the_outcome_of_the_candle_that_closes_when_it_is_due(house):
    def scored():
        return house.get("/api/v1/ledger?origin=live&state=scored&horizon=15m&limit=5")["items"]

    row = house.wait_for("scored live row", 60, scored)[0]
    candles = house.get(f"/api/v1/candles/{row['symbol']}?limit=500")["items"]
    last = [candle for candle in candles if candle["close_time"] < row["due_at"]][-1]

    assert row["scored_at"] >= row["due_at"]
    assert row["outcome_return_bps"] == pytest.approx((last["close"] / row["price"] - 1) * 10_000)


def test_a_row_keeps_its_inputs(house):
    rows = house.get("/api/v1/predictions?symbol=BTCUSDT")["items"]

    inputs = house.get(f"/api/v1/predictions/{rows[0]['id']}")["inputs"]

    assert len(inputs) >= 12
    assert all(value is None or isinstance(value, float) for value in inputs.values())


def test_a_heartbeat_comes_with_a_close_and_not_when_the_next_one_is_due(house):
    heartbeat, written = house.folder / "instance" / "run" / "engine.json", []

    def is_early():
        written.append(json.loads(heartbeat.read_bytes())["written_mono_s"])
        return 0 < written[-1] - written[-2] < 0.9 * HEARTBEAT_SECONDS if len(written) > 1 else False

    assert house.wait_for("heartbeat between two others", 30, is_early)


def test_a_page_shows_the_close_of_the_version_that_was_told(house):
    for version, made_ms in _told(house, 5):
        page = house.wait_for("page of the version", 60, lambda v=version: _page_since(house, v))

        assert int(re.search(r'data-close="(\d+)"', page)[1]) >= made_ms


def _told(house, count):
    """Yield the version and the close of so many prediction events of the stream."""
    with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/api/v1/stream", timeout=30) as stream:
        for line in stream:
            told = json.loads(line[6:]) if line.startswith(b'data: {"version"') else {}
            if count and told.get("items"):
                yield told["version"], parse_utc(told["items"][0]["made_at"])
                count -= 1
            if not count:
                return


def _page_since(house, version):
    page = house.get("/")
    return page if int(re.search(r'data-version="(\d+)"', page)[1]) >= version else None


def test_a_second_start_on_the_same_folder_is_refused(house):
    code, said = refused(house.environ)

    assert code == 2
    assert f"already running, pid {house.process.pid}" in said


def test_a_taken_port_is_refused_by_name(house, tmp_path):
    house.wait_for("page", 60, lambda: house.get("/healthz"))

    code, said = refused(environment(tmp_path, house.port))

    assert code == 2
    assert f"port {house.port} is taken by" in said
    assert "Traceback" not in said


def test_a_killed_engine_is_missed_and_comes_back_with_its_ledger(house):
    before = house.get("/api/v1/ledger?limit=500")["items"]
    pid = house.get("/api/v1/status")["engine"]["pid"]
    os.kill(pid, signal.SIGKILL)

    def is_back():
        engine = house.get("/api/v1/status")["engine"]
        return engine["alive"] and engine["pid"] != pid

    house.wait_for("new engine", 60, is_back)
    house.wait_for("live feed", 120, lambda: house.get("/api/v1/status")["feed"]["state"] == "live")
    after, cursor = {}, ""
    while cursor is not None:
        page = house.get(f"/api/v1/ledger?origin=live&limit=500{cursor and '&cursor=' + cursor}")
        after |= {row["id"]: row for row in page["items"]}
        cursor = page["next_cursor"]
    keys = [(row["symbol"], row["horizon"], row["candle_open_time"]) for row in after.values()]
    newest = max(row["made_at"] for row in before)
    assert {
        row["reason"] for row in after.values() if row["made_at"] > newest and row["probability_up"] is None
    } == set()
    assert {row["id"] for row in before if row["origin"] == "live"} <= after.keys()
    assert len(keys) == len(set(keys))


def test_it_leaves_in_order_within_ten_seconds(house):
    children = psutil.Process(house.process.pid).children(recursive=True)
    started = time.monotonic()

    assert house.stop() == 0
    assert time.monotonic() - started < 20
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_a_second_start_goes_on_where_the_first_stopped(house):
    house.start()

    def has_live_rows():
        return house.get("/api/v1/status")["feed"]["state"] == "live"

    house.wait_for("live feed", 120, has_live_rows)
    rows = house.get("/api/v1/predictions?limit=500")["items"]

    assert {row["reason"] for row in rows if row["probability_up"] is None} == set()


def test_killing_the_supervisor_takes_its_children_along(house):
    children = psutil.Process(house.process.pid).children(recursive=True)
    house.process.kill()
    house.process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)

    assert len(children) >= 3
    assert alive == []

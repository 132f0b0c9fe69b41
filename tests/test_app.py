"""The whole house over its own simulated exchange: from an empty folder to scored predictions, and through a kill."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MINUTE_S = 60.0

pytestmark = pytest.mark.slow


@dataclass
class House:
    """A running `python app.py` and how to ask it."""

    process: subprocess.Popen
    port: int
    environ: dict

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer) if "json" in answer.headers["Content-Type"] else answer.read().decode()

    def wait_for(self, what, seconds, ask):
        """Return the first true answer of `ask`; the deadline is generous, a green run does not wait for it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := ask():
                    return found
            except (OSError, urllib.error.URLError):
                pass
            assert self.process.poll() is None, "the supervisor has ended"
            time.sleep(0.1)
        raise AssertionError(f"no {what} within {seconds} s; status: {self.get('/api/v1/status')}")


def start(folder, port, **settings):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CANDELA_")}
    environ |= {
        "CANDELA_MARKET": "simulated",
        "CANDELA_PORT": str(port),
        "CANDELA_INSTANCE_DIR": str(folder / "instance"),
        "CANDELA_SAVED_MODELS_DIR": str(folder / "models"),
        "CANDELA_SYMBOLS": "BTCUSDT,ETHUSDT,SOLUSDT,WALKUSDT,EDGEUSDT",
        "CANDELA_INTERVAL": "1m",
        "CANDELA_HORIZONS": "15m,1h",
        "CANDELA_HISTORY_DAYS": "2",
        "CANDELA_SIMULATOR_SPEED": "60",
        **settings,
    }
    log = (folder / "house.log").open("ab")
    process = subprocess.Popen([sys.executable, str(ROOT / "app.py")], cwd=folder, env=environ, stdout=log, stderr=log)
    log.close()
    return House(process, port, environ)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    from engine.source import free_port

    house = start(tmp_path_factory.mktemp("house"), free_port())
    yield house
    if house.process.poll() is None:
        house.process.send_signal(signal.SIGTERM)
        house.process.wait(20)


def test_the_page_answers_before_anything_is_known(house):
    page = house.wait_for("page", 20, lambda: house.get("/"))

    assert "Candela" in page
    assert house.get("/healthz") == {"status": "ok"}


def test_an_empty_folder_has_probabilities_within_two_minutes(house):
    def with_probability():
        rows = house.get("/api/v1/predictions?limit=500")["items"]
        return rows if len({r["symbol"] for r in rows if r["probability_up"] is not None}) == 5 else None

    rows = house.wait_for("probabilities", 120, with_probability)

    assert {row["market"] for row in rows} == {"simulated"}
    assert house.get("/readyz")


def test_the_record_is_not_empty_on_day_one_and_ends_before_the_live_one(house):
    page = house.get("/api/v1/ledger?origin=replayed&symbol=BTCUSDT&horizon=15m&limit=500")
    live = house.get("/api/v1/ledger?origin=live&symbol=BTCUSDT&horizon=15m&limit=500")["items"]
    scored = house.get("/api/v1/skill?origin=replayed")["items"]

    assert len(page["items"]) >= 300
    assert max(row["made_at"] for row in page["items"]) < min(row["made_at"] for row in live)
    assert min(item["n"] for item in scored) >= 300


def test_live_rows_are_scored_when_their_horizon_has_passed(house):
    def scored():
        return house.get("/api/v1/ledger?origin=live&state=scored&horizon=15m&limit=5")["items"]

    row = house.wait_for("scored live row", 60, scored)[0]
    closes = {
        candle["close_time"]: candle["close"]
        for candle in house.get(f"/api/v1/candles/{row['symbol']}?limit=500")["items"]
    }
    outcome = closes[row["due_at"][:-5].replace(":00", ":00") + ".000Z"] if row["due_at"] in closes else None

    assert row["scored_at"] >= row["due_at"]
    assert row["outcome_return_bps"] is not None
    assert outcome is None or outcome > 0


def test_a_row_keeps_its_inputs(house):
    rows = house.get("/api/v1/predictions?symbol=BTCUSDT")["items"]
    row = house.get(f"/api/v1/predictions/{rows[0]['id']}")

    assert len(row["inputs"]) >= 12
    assert all(value is None or isinstance(value, float) for value in row["inputs"].values())


def test_a_second_start_on_the_same_folder_is_refused(house):
    second = subprocess.run(
        [sys.executable, str(ROOT / "app.py")], env=house.environ, capture_output=True, text=True, timeout=20
    )

    assert second.returncode == 2
    assert f"already running, pid {house.process.pid}" in second.stderr


def test_a_taken_port_is_refused_by_name(house, tmp_path):
    environ = {**house.environ, "CANDELA_INSTANCE_DIR": str(tmp_path)}
    second = subprocess.run([sys.executable, str(ROOT / "app.py")], env=environ, capture_output=True, text=True, timeout=20)

    assert second.returncode == 2
    assert f"port {house.port} is taken by" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_killed_engine_is_missed_and_comes_back_with_its_ledger(house):
    before = house.get("/api/v1/ledger?limit=500")["items"]
    pid = house.get("/api/v1/status")["engine"]["pid"]
    os.kill(pid, signal.SIGKILL)

    def is_back():
        engine = house.get("/api/v1/status")["engine"]
        return engine["alive"] and engine["pid"] != pid

    house.wait_for("new engine", 15, is_back)
    house.wait_for("live feed", 20, lambda: house.get("/api/v1/status")["feed"]["state"] == "live")
    after = {}
    cursor = ""
    while cursor is not None and len(after) < 3_000:
        page = house.get(f"/api/v1/ledger?limit=500{cursor and '&cursor=' + cursor}")
        after |= {row["id"]: row for row in page["items"]}
        cursor = page["next_cursor"]
    assert all(row["id"] in after for row in before)
    keys = [(row["symbol"], row["horizon"], row["candle_open_time"]) for row in after.values()]
    assert len(keys) == len(set(keys))


def test_it_leaves_in_order_within_ten_seconds(house):
    import psutil

    children = psutil.Process(house.process.pid).children(recursive=True)
    started = time.monotonic()
    house.process.send_signal(signal.SIGTERM)

    assert house.process.wait(15) == 0
    assert time.monotonic() - started < 10
    _, alive = psutil.wait_procs(children, timeout=2)
    assert alive == []


def test_wrong_settings_are_all_named_at_once(tmp_path):
    environ = {**os.environ, "CANDELA_PORT": "99999", "CANDELA_HORIZON": "1h", "CANDELA_MARKET": "moon"}
    environ["CANDELA_INSTANCE_DIR"] = str(tmp_path)
    done = subprocess.run([sys.executable, str(ROOT / "app.py")], env=environ, capture_output=True, text=True, timeout=20)

    assert done.returncode == 2
    assert all(word in done.stderr for word in ("CANDELA_PORT", "99999", "CANDELA_HORIZON", "HORIZONS", "moon"))
    assert "Traceback" not in done.stderr


def test_killing_the_supervisor_takes_its_children_along(tmp_path):
    import psutil

    from engine.source import free_port

    house = start(tmp_path, free_port())
    house.wait_for("engine", 30, lambda: house.get("/api/v1/status")["engine"]["alive"])
    children = psutil.Process(house.process.pid).children(recursive=True)
    house.process.kill()
    house.process.wait()
    _, alive = psutil.wait_procs(children, timeout=5)

    assert len(children) >= 3
    assert alive == []

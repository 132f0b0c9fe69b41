"""Starts that are refused, and starts on an exchange that comes, goes or is another one."""

import itertools
import json
import os
import signal
import sys

import pytest

from engine.source import free_port
from market.intervals import MINUTE_MS
from tests.house_process import CHECKOUT, HouseProcess, environment, refused
from tests.simulator_process import SimulatorProcess
from utils.times import parse_utc

SLOWLY = 4  # a candle of a minute in fifteen seconds: a restart takes less

# The command of app.py with a shorter wait between two looks for Binance.
RETRYING = [
    sys.executable,
    "-c",
    f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import app, config; "
    "sys.exit(app.Supervisor(config.config_or_exit(), print, retry_seconds=0.5).run())",
]


def test_wrong_settings_are_all_named_at_once(tmp_path):
    code, said = refused(environment(tmp_path, 99999, HORIZON="1h", MARKET="moon"))

    assert code == 2
    assert all(word in said for word in ("CANDELA_PORT", "99999", "CANDELA_HORIZON", "HORIZONS", "moon"))
    assert "Traceback" not in said


@pytest.mark.parametrize("setting", ["INSTANCE_DIR", "SAVED_MODELS_DIR"])
def test_a_folder_that_cannot_be_written_is_named_in_one_sentence(tmp_path, setting):
    (tmp_path / "file").write_text("")

    code, said = refused(environment(tmp_path, free_port(), **{setting: tmp_path / "file" / "folder"}))

    assert code == 2
    assert str(tmp_path / "file") in said
    assert f"CANDELA_{setting}" in said
    assert len(said.splitlines()) == 1


def test_an_address_others_can_reach_needs_a_password(tmp_path):
    code, said = refused(environment(tmp_path, free_port(), HOST="0.0.0.0"))

    assert code == 2
    assert "PASSWORD" in said


@pytest.mark.slow
def test_a_symbol_the_exchange_does_not_have_ends_the_start(tmp_path):
    with SimulatorProcess(symbols=5) as exchange:
        code, said = refused(
            environment(
                tmp_path,
                free_port(),
                MARKET="binance",
                BINANCE_REST_URL=exchange.rest_url,
                BINANCE_STREAM_URL=exchange.stream_url,
                SYMBOLS="BTCUSDT,NOSUCHUSDT",
            )
        )

    assert code == 2
    assert "NOSUCHUSDT" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_binance_that_is_away_at_start_is_waited_for(tmp_path):
    port = free_port()
    roots = {"BINANCE_REST_URL": f"http://127.0.0.1:{port}", "BINANCE_STREAM_URL": f"ws://127.0.0.1:{port}"}
    with HouseProcess(tmp_path, free_port(), MARKET="binance", **roots) as house:
        house.wait_for("state", 20, lambda: house.get("/api/v1/status")["feed"]["state"] == "down")
        page = house.get("/")

        with SimulatorProcess(port=port, symbols=5):
            house.wait_for("live feed", 40, lambda: house.get("/api/v1/status")["feed"]["state"] == "live")
            status = house.get("/api/v1/status")

    assert any(word in page for word in ("stale", "offline", "reconnecting"))
    assert status["market"] == "binance"


@pytest.mark.slow
def test_auto_changes_to_binance_when_it_answers_and_says_so(tmp_path):
    port = free_port()
    roots = {"BINANCE_REST_URL": f"http://127.0.0.1:{port}", "BINANCE_STREAM_URL": f"ws://127.0.0.1:{port}"}
    with HouseProcess(tmp_path, free_port(), RETRYING, MARKET="auto", **roots) as house:
        house.wait_for("simulated market", 60, lambda: house.get("/api/v1/status")["market"] == "simulated")
        simulated = house.get("/")

        with SimulatorProcess(port=port, symbols=5):
            house.wait_for("Binance", 60, lambda: house.get("/api/v1/status")["market"] == "binance")
            binance = house.get("/")

    assert "Simulated" in simulated
    assert "Binance" in binance
    assert "Binance answers" in house.log()


def rows_of(house):
    """Return the open times of the candles that have a live row of one symbol, oldest first."""
    path = "/api/v1/ledger?symbol=BTCUSDT&horizon=15m&origin=live&limit=50&fields=candle_open_time"
    return sorted(parse_utc(row["candle_open_time"]) for row in house.get(path)["items"])


def seconds_to_close(house):
    return (MINUTE_MS - parse_utc(house.get("/api/v1/status")["server_time"]) % MINUTE_MS) / 1_000 / SLOWLY


@pytest.mark.slow
def test_a_candle_that_closes_while_the_engine_is_away_has_its_row_too(tmp_path):
    with HouseProcess(tmp_path, free_port(), SIMULATOR_SPEED=SLOWLY, HISTORY_DAYS=1) as house:
        house.wait_for("first row", 120, lambda: rows_of(house))
        house.wait_for("the end of a candle", 30, lambda: 0.2 < seconds_to_close(house) < 0.8)
        before = len(rows_of(house))
        os.kill(json.loads((tmp_path / "instance" / "run" / "engine.json").read_bytes())["pid"], signal.SIGKILL)
        opens = house.wait_for("two more rows", 60, lambda: len(found := rows_of(house)) >= before + 2 and found)

    assert all(after - first == MINUTE_MS for first, after in itertools.pairwise(opens))


@pytest.mark.slow
def test_rows_of_a_symbol_that_left_the_list_are_scored(tmp_path):
    with SimulatorProcess(symbols=5, speed=60) as exchange:
        roots = {"BINANCE_REST_URL": exchange.rest_url, "BINANCE_STREAM_URL": exchange.stream_url}
        options = {"MARKET": "binance", "HORIZONS": "5m", "HISTORY_DAYS": 1, **roots}
        with HouseProcess(tmp_path, free_port(), SYMBOLS="BTCUSDT,ETHUSDT", **options) as house:
            question = "/api/v1/ledger?symbol=ETHUSDT&origin=live&state=open"
            row = house.wait_for("open row", 120, lambda: house.get(question)["items"])[0]
        with HouseProcess(tmp_path, free_port(), SYMBOLS="BTCUSDT", **options) as house:
            path = f"/api/v1/predictions/{row['id']}"
            scored = house.wait_for("outcome", 120, lambda: (it := house.get(path))["state"] != "open" and it)

    assert scored["state"] == "scored"

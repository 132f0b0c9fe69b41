"""The leak tests as a command: what it prints, writes and returns."""

import json
import os
import subprocess
import sys

import pytest

from config import CHECKOUT, Config
from data.candle_store import CandleStore
from data.database import open_database
from engine import leaks
from tests.honesty.markets import simulated

SETTINGS = {"CANDELA_HISTORY_DAYS": "4", "CANDELA_HORIZONS": "1h"}


def run(folder, *arguments):
    environ = {**os.environ, **SETTINGS, "CANDELA_INSTANCE_DIR": str(folder), "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "engine.leaks", *arguments]
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def instance(tmp_path):
    """Return an instance with the candles of three symbols."""
    engine = open_database(tmp_path / "simulated-1.db")
    tables = simulated(1, Config(HISTORY_DAYS=4, HORIZONS="1h"), symbols=3)
    CandleStore(engine, "5m").append_tables(list(tables.items()))
    engine.dispose()
    return tmp_path


def test_stored_candles_are_tested_and_the_result_is_a_file(instance):
    done = run(instance, "--json")

    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((instance / "simulated-1.leaks.json").read_bytes())
    assert (report["state"], report["done"], report["total"], report["has_leak"]) == ("done", 3, 3, False)
    assert [one["test"] for one in report["results"]] == ["shuffled labels", "shifted labels", "masked future"]
    keys = {"test", "horizon", "n", "skill", "low", "high", "verdict", "sentence"}
    assert all(set(one) == keys and one["low"] <= 0 <= one["high"] for one in report["results"])
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert [event for event in events if event == "result"] == ["result"] * 3


@pytest.mark.parametrize(
    "arguments", [["--venue", "binance"], ["--folder", "."], ["--venue", "a", "--folder", "."], ["--no"]]
)
def test_what_is_not_there_is_refused_in_one_sentence(instance, arguments):
    done = run(instance, *arguments)

    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_given():
    with pytest.raises(SystemExit) as left:
        leaks.main(["--help"])

    assert left.value.code == 0


def test_a_leak_is_an_exit_code(tmp_path):
    report = leaks.Report(tmp_path / "r.json", "simulated-1", "5m", 2)
    result = leaks.LeakResult("masked future", "1h", 5, 0.2, 0.1, 0.3, leaks.LEAK, "Something.")

    report.add(result)

    written = json.loads((tmp_path / "r.json").read_bytes())
    assert written["has_leak"] is True
    assert (written["state"], written["done"]) == ("running", 1)

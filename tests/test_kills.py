"""The engine killed again and again under load: what it had told anybody is kept, once, and it is soon back.

`make test TEST_ARGS="tests/test_kills.py --kills 100 -s"` kills it a hundred times and prints the figures.
"""

import itertools
import json
import os
import random
import signal
import sqlite3
import statistics
import threading
import time

import pytest

from engine.source import free_port
from market.intervals import MINUTE_MS
from tests.house_process import HouseProcess
from utils.datagrams import Mailbox
from utils.times import parse_utc

pytestmark = pytest.mark.slow
MADE = ("symbol", "horizon", "candle_open_time", "made_at", "due_at", "price", "verdict", "probability_up", "model")


class Witness:
    """Notes every row the engine tells, the moment it is told."""

    def __init__(self, folder):
        """Listen to the engine of `folder` from now on."""
        self.rows = {}
        self.doubled = []
        self._mailbox = Mailbox(folder / "run" / "live")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self):
        """Stop listening."""
        self._is_over.set()
        self._thread.join()
        self._mailbox.close()

    def _listen(self):
        while not self._is_over.is_set():
            message = self._mailbox.receive(0.2)
            if message is None or not message.startswith(b'{"event":"prediction"'):
                continue
            for row in json.loads(message)["data"]["items"]:
                if row["id"] in self.rows:
                    self.doubled.append(row["id"])
                self.rows[row["id"]] = row


@pytest.fixture
def house(tmp_path):
    """Run the house at twice its speed, with rows of 40 symbols and two horizons each half second."""
    with HouseProcess(tmp_path, free_port(), SYMBOLS="top:40", SIMULATOR_SPEED=120, HISTORY_DAYS=1) as house:
        house.wait_for("models", 180, lambda: has_probability(house))
        yield house


def test_no_row_the_engine_has_told_is_lost_or_doubled(house, pytestconfig):
    kills = pytestconfig.getoption("--kills")
    rng = random.Random(1)
    witness = Witness(house.folder / "instance")
    try:
        backs, rows = zip(*(kill(house, witness, rng) for _ in range(kills)), strict=True)
    finally:
        witness.close()
    kept, opens, damage = after_stop(house)

    lost = [row for row in witness.rows.values() if kept.get(row["id"]) != spelled(row)]
    print(  # noqa: T201 - the figures are what a run of a hundred is for
        f"\nkills={kills} told={len(witness.rows)} lost={len(lost)} doubled={len(witness.doubled)} "
        f"back_median_s={statistics.median(backs):.2f} back_longest_s={max(backs):.2f} "
        f"row_median_s={statistics.median(rows):.2f} row_longest_s={max(rows):.2f}"
    )
    assert lost == []
    assert witness.doubled == []
    assert len({row[:3] for row in kept.values()}) == len(kept)
    assert damage == "ok"
    assert all(after - before == MINUTE_MS for before, after in itertools.pairwise(opens))


def kill(house, witness, rng):
    """Kill the engine at a moment of its work; return the seconds to its next heartbeat and to its next row."""
    time.sleep(rng.uniform(0.0, 0.6))  # any moment of a candle's way: this is not a wait for something
    pid = beat(house)["pid"]
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    house.wait_for("new engine", 60, lambda: beat(house)["pid"] != pid)
    back, told = time.monotonic() - killed, len(witness.rows)
    house.wait_for("row", 60, lambda: len(witness.rows) > told)
    return back, time.monotonic() - killed


def after_stop(house):
    """Return the rows by id, the open times of a symbol's candles, and what SQLite says of the file."""
    assert house.stop() == 0
    with sqlite3.connect(house.folder / "instance" / "simulated-1.db") as database:
        rows = database.execute(
            "SELECT seq, symbol, horizon, candle_open_ms, made_ms, due_ms, price, verdict, probability_up, model "
            "FROM predictions WHERE origin = 'live'"
        ).fetchall()
        opens = [row[0] for row in database.execute("SELECT open_ms FROM candles WHERE symbol='BTCUSDT' ORDER BY 1")]
        damage = database.execute("PRAGMA integrity_check").fetchone()[0]
    return {f"simulated-1-{seq:010x}": tuple(facts) for seq, *facts in rows}, opens, damage


def spelled(row):
    return tuple(parse_utc(row[name]) if name.endswith(("_at", "_time")) else row[name] for name in MADE)


def beat(house):
    return json.loads((house.folder / "instance" / "run" / "engine.json").read_bytes())


def has_probability(house):
    return any(row["probability_up"] is not None for row in house.get("/api/v1/predictions")["items"])

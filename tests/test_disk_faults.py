"""A full disk, a read-only folder, a lock that stays: the house serves, says so, and goes on by itself."""

import itertools
import os
import sqlite3
import subprocess

import pytest

from engine.source import free_port
from market.intervals import MINUTE_MS
from tests.house_process import HouseProcess
from utils.times import parse_utc

pytestmark = pytest.mark.slow
DISK_BYTES = 96 * 2**20


def mount(*arguments):
    if os.geteuid() or subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode:
        pytest.skip("needs the right to mount")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Run the house on a small disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "candela-test", folder)
    try:
        with HouseProcess(folder, free_port(), HISTORY_DAYS=1) as house:
            house.wait_for("rows", 120, lambda: live_rows(house))
            yield house
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def undisturbed(house):
    """Wait until nothing is left of the fault before, and remember which engine runs."""
    house.wait_for("engine at work", 60, lambda: is_at_work(house))
    return house.get("/api/v1/status")["engine"]["pid"]


def test_a_full_disk_is_waited_for(house, undisturbed):
    ballast = house.folder / "ballast"
    before = newest(house)
    fill(ballast)
    try:
        page = house.wait_for("notice", 20, lambda: notice(house, "Writing waits: the disk is full"))
        health = house.get("/healthz")
        waited_until_ms = newest(house) + 5 * MINUTE_MS
        house.wait_for("five closes", 30, lambda: market_ms(house) > waited_until_ms)
    finally:
        ballast.unlink()

    house.wait_for("engine at work", 60, lambda: is_at_work(house))
    assert health == {"status": "ok"}
    assert "goes on by itself" in page
    assert house.get("/api/v1/status")["engine"]["pid"] == undisturbed
    house.wait_for("candles", 60, lambda: newest(house) > before + 5 * MINUTE_MS)
    assert_nothing_is_missing_or_doubled(house)


def test_a_database_locked_by_another_program_is_waited_for(house, undisturbed):
    lock = sqlite3.connect(house.folder / "instance" / "simulated-1.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        house.wait_for("notice", 20, lambda: notice(house, "Writing waits: another program holds the database"))
        rows = live_rows(house)
        waited_until_ms = market_ms(house) + 10 * MINUTE_MS  # ten seconds at the market's speed
        house.wait_for("ten closes", 60, lambda: market_ms(house) > waited_until_ms)
    finally:
        lock.execute("ROLLBACK")
        lock.close()

    house.wait_for("engine at work", 60, lambda: is_at_work(house))
    house.wait_for("newer rows", 60, lambda: live_rows(house)[0]["made_at"] > rows[0]["made_at"])
    made = {parse_utc(row["made_at"]) for row in live_rows(house)}
    assert house.get("/api/v1/status")["engine"]["pid"] == undisturbed
    locked = [at for at in made if parse_utc(rows[0]["made_at"]) < at < waited_until_ms]
    assert len(locked) < 10  # late ones are no predictions
    assert_nothing_is_missing_or_doubled(house)


def test_a_read_only_folder_is_named_and_pages_go_on(house, undisturbed):
    instance = house.folder / "instance"
    mount("--bind", instance, instance)
    try:
        mount("-o", "remount,ro,bind", instance)
        page = house.wait_for("notice", 20, lambda: notice(house, "the folder is read-only"))
        status = house.get("/api/v1/status")
    finally:
        subprocess.run(["umount", "--lazy", instance], check=True)

    house.wait_for("engine at work", 60, lambda: is_at_work(house))
    assert "Candela" in page
    assert status["engine"]["pid"] == undisturbed
    assert_nothing_is_missing_or_doubled(house)


def fill(ballast):
    with ballast.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def notice(house, words):
    page = house.get("/")
    return page if words in page else None


def is_at_work(house):
    status = house.get("/api/v1/status")
    is_live = status["feed"]["state"] == "live" and all(one["state"] == "live" for one in status["symbols"])
    return is_live and status["engine"]["alive"] and "Writing waits" not in house.get("/")


def live_rows(house):
    return house.get("/api/v1/ledger?origin=live&limit=500")["items"]


def newest(house):
    return as_ms(house.get("/api/v1/candles/BTCUSDT?limit=1")["items"][0]["open_time"])


def market_ms(house):
    return as_ms(house.get("/api/v1/status")["server_time"])


def as_ms(text):
    return parse_utc(text)


def assert_nothing_is_missing_or_doubled(house):
    opens = [as_ms(one["open_time"]) for one in house.get("/api/v1/candles/BTCUSDT?limit=500")["items"]]
    rows = [(row["symbol"], row["horizon"], row["candle_open_time"]) for row in live_rows(house)]
    assert [after - before for before, after in itertools.pairwise(opens)] == [MINUTE_MS] * (len(opens) - 1)
    assert len(rows) == len(set(rows))

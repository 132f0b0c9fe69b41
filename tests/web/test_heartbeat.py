import json
import os

import pytest

from web.heartbeat import Heartbeat, HeartbeatFile

BEFORE = Heartbeat(interval="1m")


@pytest.fixture
def written(tmp_path):
    """Return a function that replaces the heartbeat file, and the reader of it."""
    path = tmp_path / "engine.json"
    file = HeartbeatFile(path, BEFORE)

    def write(**state):
        fresh = tmp_path / "new"
        fresh.write_text(json.dumps(state))
        fresh.replace(path)
        return file

    return write


def test_before_the_first_one_it_says_what_it_was_told(tmp_path):
    assert HeartbeatFile(tmp_path / "engine.json", BEFORE).read(5.0) is BEFORE


def test_a_replaced_file_is_read_again(written):
    first = written(version=1).read(5.0)
    second = written(version=2).read(5.0)

    assert (first.version, second.version) == (1, 2)


def test_the_last_one_stays_when_the_file_goes(written, tmp_path):
    file = written(version=7)
    file.read(5.0)
    (tmp_path / "engine.json").unlink()

    assert file.read(6.0).version == 7


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": "x"}'])
def test_a_damaged_file_changes_nothing(written, tmp_path, content):
    file = written(version=7)
    file.read(5.0)
    (tmp_path / "engine.json").write_bytes(content)

    assert file.read(6.0).version == 7


def test_an_engine_is_alive_while_it_writes():
    beat = Heartbeat(pid=os.getpid(), written_mono_s=10.0)

    assert beat.is_alive(12.0)
    assert not beat.is_alive(12.6)


def test_an_engine_whose_process_is_gone_is_not_alive():
    assert not Heartbeat(pid=2**22 + 1, written_mono_s=10.0).is_alive(10.1)


def test_the_market_clock_runs_on_at_its_speed():
    beat = Heartbeat(market_ms=1_000_000.0, written_mono_s=10.0, speed=60.0)

    assert beat.market_now_ms(12.0) == 1_120_000


def test_the_feed_of_a_dead_engine_is_not_live(written):
    beat = written(pid=os.getpid(), written_mono_s=10.0, feed={"state": "live", "last_message_mono_s": 9.5}).read(10.0)

    assert beat.feed_state(10.5) == "live"
    assert beat.feed_state(15.0) == "stale"


def test_a_heartbeat_from_before_the_machine_started_is_old(written):
    file = written(pid=os.getpid(), written_mono_s=90_000.0, feed={"state": "live", "last_message_mono_s": 89_999.0})

    beat = file.read(20.0)

    assert beat.written_mono_s <= 20.0
    assert beat.feed.last_message_mono_s == pytest.approx(beat.written_mono_s - 1.0)

"""The market's clock runs at its speed, never back, and goes on after a restart."""

import pytest

from market.errors import ConfigError
from simulator.market_clock import Heartbeat, MarketClock, read_heartbeat, write_heartbeat

START_MS = 1_700_000_000_000


def test_market_time_runs_at_the_speed_that_was_set():
    wall = [100.0]
    clock = MarketClock(START_MS, speed=60, seconds=lambda: wall[0])

    wall[0] = 102.5

    assert clock.now_ms() == START_MS + 150_000


def test_the_wait_for_a_market_time_is_in_wall_seconds():
    wall = [100.0]
    clock = MarketClock(START_MS, speed=60, seconds=lambda: wall[0])

    assert clock.seconds_until(START_MS + 60_000) == pytest.approx(1.0)
    assert clock.seconds_until(START_MS - 1) == 0.0


@pytest.mark.parametrize(
    ("off_seconds", "market_seconds"), [(0, 0), (10, 600), (60, 3_600), (61, 3_601), (1_000, 4_540), (-5, 0)]
)
def test_the_market_goes_on_at_full_speed_for_a_minute_only(off_seconds, market_seconds):
    heartbeat = Heartbeat("seed 1", START_MS, wall_ms=5_000_000, speed=60)

    resumed = heartbeat.resumed_ms(5_000_000 + off_seconds * 1_000, speed=60)

    assert resumed == START_MS + market_seconds * 1_000


def test_a_heartbeat_is_read_as_it_was_written(tmp_path):
    heartbeat = Heartbeat("seed 1", START_MS, 5_000_000, 60.0)

    write_heartbeat(tmp_path / "state.json", heartbeat)

    assert read_heartbeat(tmp_path / "state.json") == heartbeat
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_no_state_file_is_a_fresh_start(tmp_path):
    assert read_heartbeat(tmp_path / "state.json") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"market": "x"}',
        '{"market":"x","market_ms":-1,"wall_ms":1,"speed":1}',
        '{"market":"x","market_ms":1e17,"wall_ms":1,"speed":1}',
        '{"market":"x","market_ms":Infinity,"wall_ms":1,"speed":1}',
    ],
)
def test_a_damaged_state_file_is_named(tmp_path, text):
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(ConfigError, match="the state file"):
        read_heartbeat(tmp_path / "state.json")

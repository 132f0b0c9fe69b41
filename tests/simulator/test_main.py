"""The command: what it prints, how it ends, and how it goes on."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from simulator.__main__ import main
from simulator.market_clock import Heartbeat, write_heartbeat
from tests.simulator_process import CHECKOUT, STOP_SECONDS, SimulatorProcess


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "simulator", *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )


def get(simulator, path):
    with urllib.request.urlopen(f"{simulator.rest_url}/api/v3/{path}") as answer:
        return json.load(answer)


def market_ms(simulator):
    return get(simulator, "time")["serverTime"]


def test_help_names_every_option():
    result = command("--help")

    assert result.returncode == 0
    assert all(
        f"--{name}" in result.stdout
        for name in (
            "port",
            "host",
            "seed",
            "speed",
            "symbols",
            "replay",
            "start",
            "state",
            "json",
            "connection-hours",
            "faults",
            "scenario",
        )
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--port"),
        (("--port", "http"), "'http'"),
        (("--port", "70000"), "70000"),
        (("--port", "0", "--speed", "0"), "--speed"),
        (("--port", "0", "--speed", "nan"), "--speed"),
        (("--port", "0", "--symbols", "1"), "--symbols"),
        (("--port", "0", "--start", "yesterday"), "'yesterday'"),
        (("--port", "0", "--start", "2001-01-01"), "2023-01-01"),
        (("--port", "0", "--start", "9999-12-31"), "2100-01-01"),
        (("--port", "0", "--replay", "/nowhere"), "'/nowhere'"),
        (("--port", "0", "--colour", "red"), "--colour"),
        (("--port", "0", "--state", "/nowhere/market.json"), "'/nowhere/market.json'"),
        (("--port", "0", "--host", "203.0.113.5"), "203.0.113.5"),
    ],
)
def test_bad_arguments_are_one_sentence_and_exit_two(arguments, named, capsys):
    assert exit_code(arguments) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert named in said.err and len(said.err.strip().splitlines()) == 1


def exit_code(arguments):
    try:
        return main(list(arguments))
    except SystemExit as end:
        return end.code


def test_a_taken_port_is_one_sentence_and_exit_two():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("--port", str(port))

    assert result.returncode == 2
    assert str(port) in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_the_ready_line_tells_everything_a_program_needs():
    with SimulatorProcess(seed=9, speed=30, symbols=3) as simulator:
        ready = simulator.ready

    assert (ready["event"], ready["seed"], ready["replay"], ready["speed"], ready["symbols"]) == (
        "ready", 9, None, 30.0, 3,
    )  # fmt: skip
    assert ready["rest_url"] == f"http://127.0.0.1:{ready['port']}"
    assert ready["stream_url"] == f"ws://127.0.0.1:{ready['port']}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_good_order(number, code):
    with SimulatorProcess(symbols=2) as simulator:
        assert simulator.stop(number) == code
        assert simulator.process.stderr.read() == ""


def test_it_ends_in_time_while_clients_listen_and_one_of_them_reads_nothing():
    with (
        SimulatorProcess(symbols=2, speed=3_600) as simulator,
        socket.create_connection(("127.0.0.1", simulator.port)) as stalled,
    ):
        stalled.sendall(
            b"GET /ws/btcusdt@kline_1s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert stalled.recv(12) == b"HTTP/1.1 101"

        started = time.monotonic()

        assert simulator.stop() == 0
        assert time.monotonic() - started < STOP_SECONDS
        assert simulator.process.stderr.read() == ""


def test_it_begins_now_unless_told_otherwise():
    with SimulatorProcess(symbols=2, speed=1) as simulator:
        assert abs(market_ms(simulator) - time.time() * 1_000) < 60_000


def test_the_same_candle_whatever_the_start_and_the_speed():
    candles = []
    for options in ({"start": "2026-02-01", "speed": 1}, {"start": "2026-03-05T07:00", "speed": 600, "symbols": 20}):
        with SimulatorProcess(**options) as simulator:
            candles.append(get(simulator, "klines?symbol=BTCUSDT&interval=1m&startTime=1769000040000&limit=1"))

    assert candles[0] == candles[1] and len(candles[0]) == 1


def test_after_a_kill_the_market_goes_on_and_never_back(tmp_path):
    state = tmp_path / "market.json"
    with SimulatorProcess(symbols=2, speed=600, state=state) as simulator:
        last_ms = market_ms(simulator)
        simulator.kill()

        simulator.start()

        assert market_ms(simulator) >= last_ms
        assert json.loads(state.read_text())["market"] == "seed 1"


def test_the_state_of_another_market_is_said_and_left_alone(tmp_path):
    state = tmp_path / "market.json"
    with SimulatorProcess(symbols=2, state=state, start="2024-05-05") as simulator:
        simulator.stop()

    with SimulatorProcess(symbols=2, state=state, start="2025-05-05", seed=2, speed=1) as simulator:
        assert market_ms(simulator) < 1_746_403_200_000 + 600_000
        simulator.stop()
        assert "another market (seed 1)" in simulator.process.stderr.read()


def test_a_replay_says_what_it_refused_and_serves_the_rest(tmp_path):
    header = "open_time,open,high,low,close,volume"
    rows = [f"{1_717_200_000_000 + n * 60_000},10,12,9,11,1" for n in range(3_000)]
    rows[7] = "broken"
    (tmp_path / "BTCUSDT-1m-x.csv").write_text("\n".join([header, *rows]))

    with SimulatorProcess(replay=tmp_path, speed=1) as simulator:
        now_ms = market_ms(simulator)
        simulator.stop()
        complaint = simulator.process.stderr.read()

    assert 1_717_200_000_000 < now_ms < 1_717_200_000_000 + 3_000 * 60_000
    assert complaint == "BTCUSDT-1m-x.csv: 1 rows refused: 1 not a row of numbers\n"


def test_a_replay_that_is_over_says_so(tmp_path):
    folder, state = tmp_path / "candles", tmp_path / "market.json"
    rows = [f"{1_717_200_000_000 + n * 60_000},10,12,9,11,1" for n in range(3)]
    folder.mkdir()
    (folder / "BTCUSDT-1m-x.csv").write_text("\n".join(["open_time,open,high,low,close,volume", *rows]))
    write_heartbeat(state, Heartbeat("replay of candles", 1_717_200_180_000, 0, 60.0))

    with SimulatorProcess(replay=folder, state=state, speed=1) as simulator:
        statuses = [each["status"] for each in get(simulator, "exchangeInfo")["symbols"]]
        simulator.stop()
        complaint = simulator.process.stderr.read()

    assert statuses == ["BREAK"]
    assert "is over" in complaint and "market.json" in complaint


def test_a_replay_of_the_real_candles_trades_what_is_recorded_now(shared_data):
    with SimulatorProcess(replay=shared_data / "candles", speed=1) as simulator:
        symbols = {each["symbol"]: each["status"] for each in get(simulator, "exchangeInfo")["symbols"]}

    assert {symbol for symbol, status in symbols.items() if status == "TRADING"} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert {status for symbol, status in symbols.items() if symbol in ("ADAUSDT", "LTCUSDT")} == {"BREAK"}

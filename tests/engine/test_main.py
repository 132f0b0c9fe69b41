"""The engine alone, as a process: what ends it, and how."""

import signal
import subprocess
import sys

import pytest

from tests.data.loopback_exchange import LoopbackExchange
from tests.house_process import CHECKOUT, environment

# The signal comes at the worst moment: the main thread is about to wait for weight, and holds the lock of that wait.
SIGNALLED_IN_A_WAIT = """
import signal, sys, threading
from data.weight_budget import WeightBudget
from engine.__main__ import main

def look(frame, event, _):
    if frame.f_code is threading.Condition.wait.__code__:
        if frame.f_back.f_back.f_code is WeightBudget.spend.__code__:
            sys.settrace(None)
            signal.raise_signal(int(sys.argv[1]))

sys.settrace(look)
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def exchange():
    exchange = LoopbackExchange()
    yield exchange
    exchange.stop()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_wait_for_a_rate_limit_ends_when_it_is_told_to_stop(exchange, tmp_path, number, code):
    exchange.answers["time"].append((429, b"{}", {"Retry-After": "100"}))
    roots = ["--rest-url", exchange.rest_url, "--stream-url", exchange.stream_url]

    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED_IN_A_WAIT, str(int(number)), *roots],
        cwd=CHECKOUT,
        env=environment(tmp_path, 5000, MARKET="binance"),
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == code, done.stderr

"""A running `python app.py` on folders of its own, for tests that look at the whole product."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
START = [sys.executable, str(CHECKOUT / "app.py")]
QUICK = {
    "SYMBOLS": "BTCUSDT,ETHUSDT,SOLUSDT,WALKUSDT,EDGEUSDT",
    "INTERVAL": "1m",
    "HORIZONS": "15m,1h",
    "HISTORY_DAYS": "2",
    "SIMULATOR_SPEED": "60",
}


def environment(folder, port, **settings):
    """Return the environment of a start in `folder`; the settings come without their prefix."""
    given = {"MARKET": "simulated", "PORT": port, "INSTANCE_DIR": folder / "instance"}
    given |= {"SAVED_MODELS_DIR": folder / "models", **QUICK, **settings}
    return {**os.environ, **{f"CANDELA_{name}": str(value) for name, value in given.items()}}


def refused(environ):
    """Start, expect it to end by itself soon, and return its exit code and what it said."""
    done = subprocess.run(START, env=environ, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


class HouseProcess:
    """Started when the block begins, and gone when it ends."""

    def __init__(self, folder, port, command=None, **settings):
        """Keep the options; nothing is started yet."""
        self.folder = folder
        self.port = port
        self.environ = environment(folder, port, **settings)
        self._command = command or START

    def __enter__(self):
        """Start it; it is not ready yet."""
        self.start()
        return self

    def __exit__(self, *_):
        """Stop it if it still runs."""
        if self.process.poll() is None:
            self.stop()

    def start(self):
        """Start it, from a directory that is not the checkout."""
        with (self.folder / "house.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self, number=signal.SIGTERM):
        """End it in good order and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)

    def get(self, path):
        """Return what a page answers: JSON decoded, or text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            body = answer.read()
            return json.loads(body) if "json" in answer.headers["Content-Type"] else body.decode()

    def wait_for(self, what, seconds, ask):
        """Return the first true answer of `ask`; a green run does not wait for the deadline."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if found := ask():
                    return found
            except (OSError, urllib.error.URLError):
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"it has ended: {self.log()}")
            time.sleep(0.1)
        raise AssertionError(f"no {what} within {seconds} s: {self.get('/api/v1/status')}\n{self.log()}")

    def log(self):
        """Return the end of what it wrote."""
        return (self.folder / "house.log").read_text()[-3_000:]

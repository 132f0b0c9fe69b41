"""A simulated exchange in a process of its own, for tests that need one to talk to, to stop or to kill."""

import json
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

CHECKOUT = Path(__file__).parents[1]
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class SimulatorProcess:
    """`python -m simulator --port 0 --json`, ready when the block begins and gone when it ends.

    Options are those of the command: `SimulatorProcess(seed=7, speed=600, symbols=5, faults=True)`.
    """

    def __init__(self, **options: object) -> None:
        """Keep the options; nothing is started yet."""
        options = {"port": 0, **options}
        self._arguments = [
            text
            for name, value in options.items()
            for text in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
        ]
        self.ready: dict[str, object] = {}

    def __enter__(self) -> "SimulatorProcess":
        """Start it and wait until it listens."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it if it still runs."""
        if self.process.poll() is None:
            self.stop()
        self._close_pipes()

    @property
    def rest_url(self) -> str:
        """Root of the REST side, such as http://127.0.0.1:18080."""
        return str(self.ready["rest_url"])

    @property
    def stream_url(self) -> str:
        """Root of the WebSocket side, such as ws://127.0.0.1:18080."""
        return str(self.ready["stream_url"])

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(str(self.ready["port"]))

    def start(self) -> None:
        """Start it, again if it was stopped or killed, and wait until it listens."""
        self._close_pipes()
        command = [sys.executable, "-m", "simulator", *self._arguments, "--json"]
        self.process = subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.ready = json.loads(self._first_line())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it in good order; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def order(self, *faults: dict[str, object]) -> None:
        """Let faults happen; it must run with `faults=True`."""
        self._faults(json.dumps(faults).encode())

    def told(self) -> dict[str, Any]:
        """Return what it says of its faults."""
        return self._faults(None)

    def _faults(self, body: bytes | None) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.rest_url}/_faults", body, timeout=10) as answer:
            return json.load(answer)

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                line = self.process.stdout.readline()
                if line:
                    return line
                break
        self.process.kill()
        raise AssertionError(f"the simulator did not start: {self.process.communicate()[1]}")

    def _close_pipes(self) -> None:
        process = getattr(self, "process", None)
        if process is not None:
            process.stdout.close()
            process.stderr.close()

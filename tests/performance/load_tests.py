"""Ask a running board for its pages from many connections at once, and tell how it bears it.

`python tests/performance/load_tests.py [--url http://127.0.0.1:8000] [--connections 16] [--seconds 5]`

Without --url it starts the web server alone, on an empty instance folder and a free port. Loopback only.
"""

import argparse
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

CHECKOUT = Path(__file__).resolve().parents[2]
PATHS = ("/", "/healthz", "/api/v1/status", "/api/v1/predictions", "/api/v1/skill")
START_SECONDS = 20.0
MOST_REQUESTS = 200_000


def main(arguments=None):
    """Put load on each path in turn; return 1 when an answer was not 200, else 0."""
    parser = argparse.ArgumentParser(prog="load_tests.py", description="Put load on a running board.")
    parser.add_argument("--url", help="the board's address; without it one is started")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each path")
    asked = parser.parse_args(arguments)

    with contextlib.ExitStack() as stack:
        url = urlsplit(asked.url or stack.enter_context(web_server()))
        if url.hostname not in ("127.0.0.1", "localhost", "::1"):
            parser.error(f"{url.hostname} is not this machine; load is put on the loopback address only")
        results = {path: load(url.netloc, path, asked.connections, asked.seconds) for path in PATHS}

    Console().print(as_table(results))
    return 0 if all(set(statuses) == {200} for _, statuses, _ in results.values()) else 1


@contextlib.contextmanager
def web_server():
    """Run the web server alone until the block ends; yield its address."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "64"]
        command += ["--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket", "app:app"]
        environ = {**os.environ, "CANDELA_INSTANCE_DIR": folder}
        server = subprocess.Popen(command, cwd=CHECKOUT, env=environ)
        try:
            wait_for(f"127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def wait_for(address, server):
    """Return once the server says it is healthy; RuntimeError when it has left or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    pause = threading.Event()
    while time.monotonic() < deadline and server.poll() is None:
        [(_, status)] = read(address, "/healthz", deadline, most=1)
        if status == 200:
            return
        pause.wait(0.05)
    raise RuntimeError(f"the web server at {address} was not healthy within {START_SECONDS:g} s")


def load(address, path, connections, seconds):
    """Return latencies in seconds, answers by status, and how long it took."""
    started = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        share = MOST_REQUESTS // connections
        readers = [pool.submit(read, address, path, started + seconds, share) for _ in range(connections)]
        answers = [answer for reader in readers for answer in reader.result()]
    elapsed = time.monotonic() - started
    return sorted(latency for latency, _ in answers), Counter(status for _, status in answers), elapsed


def read(address, path, deadline, most):
    """Ask again and again over one connection; an answer that breaks off counts as status 0."""
    answers = []
    connection = http.client.HTTPConnection(address, timeout=10)
    while len(answers) < most and (begun := time.monotonic()) < deadline:
        try:
            connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            connection.close()
            status = 0
        answers.append((time.monotonic() - begun, status))
    connection.close()
    return answers


def as_table(results):
    """Return one line a path."""
    table = Table("path", "answers", "per second", "p50 ms", "p99 ms", "statuses")
    for path, (latencies, statuses, seconds) in results.items():
        p50, p99 = (latencies[int(len(latencies) * share)] * 1_000 for share in (0.5, 0.99))
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        rate = f"{len(latencies) / seconds:,.0f}"
        table.add_row(path, f"{len(latencies):,}", rate, f"{p50:.1f}", f"{p99:.1f}", counts)
    return table


if __name__ == "__main__":
    raise SystemExit(main())

"""How many readers the board bears: pages and answers that are kept, asked for over 200 connections at once."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from web_benchmarks import HORIZON, SYMBOLS, beat, fill

from app import LEAN, WEB_THREADS
from engine.source import free_port

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 200
SECONDS = 5
WORST_MS = 100.0  # p99
BEAT_SECONDS = 0.5  # as often as the engine's
_PER_SECOND = re.compile(r"Requests/sec:\s+([\d.]+)")
_P99 = re.compile(r"99%\s+([\d.]+)(us|ms|s)")
_IN_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


def board_cached() -> dict[str, Any]:
    """Return the row of the board of 50 symbols, kept, as brotli; the heartbeat replaces it twice a second."""
    return _row(f"/?horizon={HORIZON}", 4_000)


def predictions_json() -> dict[str, Any]:
    """Return the row of all newest predictions as JSON, brotli."""
    return _row("/api/v1/predictions?limit=500", 2_000)


def not_modified() -> dict[str, Any]:
    """Return the row of the same list for who has it already: 304."""
    return _row("/api/v1/predictions?limit=500", 5_000, is_known=True)


def _row(path: str, goal: int, *, is_known: bool = False) -> dict[str, Any]:
    with _served() as root:
        headers = {"Accept-Encoding": "br"}
        with urllib.request.urlopen(urllib.request.Request(root + path, headers=headers)) as answer:
            is_right = answer.headers["Content-Encoding"] == "br"
            if is_known:
                headers["If-None-Match"] = answer.headers["ETag"]
        with urllib.request.urlopen(root + path) as answer:
            text = answer.read().decode()
            is_right &= all(symbol in text for symbol in SYMBOLS)
        client, per_second, p99_ms, is_clean = _load(root + path, headers)
    return {
        "work": f"{path}, {CONNECTIONS} connections, {client}: p99 {p99_ms:.0f} ms",
        "anchor": f"budget, p99 <= {WORST_MS:g} ms",
        "anchor_value": goal,
        "ours_value": per_second,
        "is_more_better": True,
        "unit": "req/s",
        "goal": f">= {goal}",
        "gate": "passed" if is_right and is_clean else "failed",
        "holds": per_second >= goal and p99_ms <= WORST_MS,
    }


@contextmanager
def _served() -> Iterator[str]:
    """Run the web server over a made-up instance whose heart beats; yield its address."""
    with tempfile.TemporaryDirectory() as name:
        folder, port, is_over = Path(name), free_port(), threading.Event()
        prices = fill(folder)
        beat(folder, prices, time.monotonic())
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--worker-class",
            "web.worker.PatientWorker",
            "--threads",
            str(WEB_THREADS),
        ]
        command += ["--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket"]
        command += ["--keep-alive", "20", "app:app"]
        environ = {**os.environ, "CANDELA_INSTANCE_DIR": name, "CANDELA_SAVED_MODELS_DIR": name}
        server = subprocess.Popen(command, cwd=ROOT, env=environ | {"CANDELA_MARKET": "simulated"} | LEAN)

        def keep_beating() -> None:
            while not is_over.wait(BEAT_SECONDS):
                beat(folder, prices, time.monotonic())

        heart = threading.Thread(target=keep_beating)
        heart.start()
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}"
        finally:
            is_over.set()
            heart.join()
            server.terminate()
            server.wait(15)


def _load(url: str, headers: dict[str, str]) -> tuple[str, float, float, bool]:
    """Return who asked, answers a second, their 99th percentile in ms, and whether all of them were good."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if shutil.which("wrk"):
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--latency", "--timeout", "10s"]
        command += [part for line in lines for part in ("-H", line)]
        text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
        value, unit = _P99.findall(text)[0]
        is_clean = "Non-2xx" not in text and "Socket errors" not in text
        return "wrk", float(_PER_SECOND.findall(text)[0]), float(value) * _IN_MS[unit], is_clean
    client = [sys.executable, str(Path(__file__).with_name("keep_alive_client.py"))]
    done = subprocess.run(
        [*client, url, str(CONNECTIONS), str(SECONDS), *lines], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    is_clean = set(found["statuses"]) <= {"200", "304"}
    return "a client of our own", found["per_second"], found["p99_ms"], is_clean


def _wait_for(url: str) -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer")


BENCHMARKS = (board_cached, predictions_json, not_modified)

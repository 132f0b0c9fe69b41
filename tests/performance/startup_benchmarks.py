"""How long a person waits: from starting the program to the first page."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from engine.source import free_port

ROOT = Path(__file__).resolve().parents[2]
BUDGET_SECONDS = 1.5
RUNS = 5


def start_to_first_page() -> dict[str, Any]:
    """Return the row of `python app.py` until its first answered page, against the budget of 1.5 s."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = statistics.median(_one_start(Path(folder)) for _ in range(RUNS))
    return {
        "name": "start_to_first_page",
        "work": "python app.py until / answers 200",
        "anchor": "budget",
        "anchor_value": BUDGET_SECONDS,
        "ours_value": round(seconds, 3),
        "unit": "s",
        "ratio": round(BUDGET_SECONDS / seconds, 2),
        "goal": f"<= {BUDGET_SECONDS} s",
        "gate": "none",
        "holds": seconds <= BUDGET_SECONDS,
    }


def _one_start(folder: Path) -> float:
    port = free_port()
    environ = {**os.environ, "CANDELA_MARKET": "simulated", "CANDELA_PORT": str(port)}
    environ |= {"CANDELA_INSTANCE_DIR": str(folder / "instance"), "CANDELA_SAVED_MODELS_DIR": str(folder / "models")}
    environ |= {"CANDELA_SYMBOLS": "BTCUSDT,ETHUSDT", "CANDELA_HISTORY_DAYS": "1"}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_page(f"http://127.0.0.1:{port}/", started + 30)
        return time.monotonic() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def _wait_for_page(url: str, deadline: float) -> None:
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.01)
    raise TimeoutError(f"{url} did not answer")


BENCHMARKS = (start_to_first_page,)

"""Tell the other processes how the engine is: a heartbeat file twice a second and on demand, prices as an event."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil

from engine.loop import event_bytes
from engine.patience import Fault
from utils.datagrams import Postman
from utils.live_file import LiveFile
from utils.performance_monitor import performance_monitor

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.5  # at most, between two
PRICE_SECONDS = 1.0
MEASURE_SECONDS = 5.0  # timings are sorted for their percentiles: not for every beat
HEARTBEAT_FILE = "engine.json"

State = dict[str, Any]


class Health:
    """A thread that writes what `describe` returns, with the process's own facts, until it is stopped."""

    def __init__(self, folder: Path, postman: Postman, describe: Callable[[], State]) -> None:
        """Write to `folder`/engine.json; `describe` must be quick and safe to call from another thread."""
        self._file = LiveFile(folder / HEARTBEAT_FILE)
        self._fault: Fault | None = None  # why the file cannot be replaced
        self._postman = postman
        self._describe = describe
        self._process = psutil.Process()
        self._started_mono_s = time.monotonic()
        self._measured: State = {}
        self._measure_at_s = 0.0
        self._tell_at_s = 0.0
        self._is_wanted = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Write the first heartbeat at once and go on in a thread."""
        self._beat()
        self._thread.start()

    def beat_soon(self) -> None:
        """Have the next heartbeat written now; whoever calls this waits for nothing."""
        self._is_wanted.set()

    def stop(self) -> None:
        """End the thread; the last heartbeat stays, so that pages show the last state with its age."""
        self._is_over = True
        self._is_wanted.set()
        self._thread.join(2)
        self._file.close()

    def _run(self) -> None:
        while True:
            self._is_wanted.wait(HEARTBEAT_SECONDS)
            if self._is_over:
                return
            self._is_wanted.clear()
            try:
                self._tell(self._beat())
            except OSError as error:
                logger.warning("heartbeat not written reason=%s", error.strerror)

    def _beat(self) -> State:
        state = {
            "pid": os.getpid(),
            "started_mono_s": self._started_mono_s,
            "written_mono_s": time.monotonic(),
            "rss_mb": round(self._process.memory_info().rss / 2**20, 1),
            "performance": self._measure(),
            **self._describe(),
        }
        state["fault"] = state["fault"] or self._fault
        self._note_fault(self._file.write(msgspec.json.encode(state)))
        return state

    def _measure(self) -> State:
        """Return the share of one processor used, timings and caches, as they were a few seconds ago at most."""
        now = time.monotonic()
        if now >= self._measure_at_s:
            self._measure_at_s = now + MEASURE_SECONDS
            metrics = performance_monitor.get_metrics()
            self._measured = {
                "processor_share": round(self._process.cpu_percent() / 100, 4),
                "functions": metrics["functions"],
                "caches": metrics["caches"],
            }
        return self._measured

    def _note_fault(self, reason: str | None) -> None:
        if reason is None:
            self._fault = None
        elif self._fault is None:
            logger.warning("heartbeat written in place reason=%s", reason)
            self._fault = Fault(reason, time.monotonic())

    def _tell(self, state: State) -> None:
        now = state["written_mono_s"]
        if now < self._tell_at_s:
            return
        self._tell_at_s = now + PRICE_SECONDS
        prices = [
            {
                "symbol": entry["symbol"],
                "price": entry["price"],
                "change_24h_percent": entry["change_24h_percent"],
                "data_age_s": _age(now, entry["last_message_mono_s"]),
                "state": entry["state"],
            }
            for entry in state["symbols"]
        ]
        self._postman.send(event_bytes("price", state["version"], {"items": prices}))


def _age(now: float, then: float | None) -> float | None:
    return None if then is None else round(max(0.0, now - then), 3)

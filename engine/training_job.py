"""One training at a time, in a child process that writes its result and leaves."""

import json
import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.processes import start

logger = logging.getLogger(__name__)

Progress = dict[str, Any]

PROGRESS_FILE = "training.json"
_RETRY_SECONDS = 60.0  # after a failure: longer than a training takes, shorter than a user's patience
_TERM_SECONDS = 5.0


class TrainingJob:
    """Starts the trainer, follows its progress file, and knows when to try again after a failure."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Have the child write its progress into `folder`."""
        self._progress_path = folder / PROGRESS_FILE
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None
        self._not_before_s = 0.0
        self.failure: str | None = None
        self.has_crashed = False  # it ended by itself without saying what it had done

    @property
    def is_running(self) -> bool:
        """Return whether a training goes on."""
        return self._child is not None

    def start(self, command: Sequence[str]) -> bool:
        """Begin a training by `command` unless one goes on or the last one failed a moment ago; tell which."""
        if self._child is not None or time.monotonic() < self._not_before_s:
            return False
        try:
            self._progress_path.unlink(missing_ok=True)
            self._child = start(command, self._environment, None)
        except OSError as error:
            self._not_before_s = time.monotonic() + _RETRY_SECONDS
            logger.warning("training not started reason=%s", error.strerror)
            return False
        logger.info("training started")
        return True

    def poll(self, on_done: Callable[[], None]) -> bool:
        """Look whether the training has just ended, and return that; call `on_done` when it left new models."""
        if self._child is None or (code := self._child.poll()) is None:
            return False
        self._child = None
        progress = self._read()
        self.has_crashed = code != 0
        if code == 0:
            self.failure = progress.get("failure")
            on_done()
        else:
            self.failure = progress.get("failure") or f"the training ended with code {code}"
        if self.failure:
            self._not_before_s = time.monotonic() + _RETRY_SECONDS
            logger.warning("training incomplete reason=%r", self.failure)
        return True

    def progress(self) -> Progress | None:
        """Return step, done, total and eta_s of the training that goes on, or None."""
        if self._child is None:
            return None
        known = self._read()
        return {name: known.get(name) for name in ("step", "done", "total", "eta_s")}

    def stop(self) -> None:
        """End the training; what it has not written whole is not there."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(_TERM_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._progress_path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

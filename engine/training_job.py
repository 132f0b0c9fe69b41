"""Long work, one at a time, in a child process that writes its result and leaves."""

import json
import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.processes import end, start

logger = logging.getLogger(__name__)

Progress = dict[str, Any]

PROGRESS_FILE = "training.json"
_RETRY_SECONDS = 60.0  # after a failure: longer than a training takes, shorter than a user's patience
_TERM_SECONDS = 5.0


class TrainingJob:
    """Starts a child, follows its progress file, and knows when to try again after a failure."""

    def __init__(self, folder: Path, environment: Mapping[str, str], progress_file: str = PROGRESS_FILE) -> None:
        """Have the child write its progress into `folder`/`progress_file`."""
        self._name = progress_file.removesuffix(".json")
        self._progress_path = folder / progress_file
        self._environment = environment
        self._kill_at_s: float | None = None  # set once it was asked to end
        self._child: subprocess.Popen[bytes] | None = None
        self._not_before_s = 0.0
        self.failure: str | None = None
        self.has_crashed = False  # it ended by itself without saying what it had done
        self.was_cancelled = False

    @property
    def is_running(self) -> bool:
        """Return whether a child runs."""
        return self._child is not None

    def start(self, command: Sequence[str]) -> bool:
        """Begin by `command` unless a child runs or the last one failed a moment ago; tell which."""
        if self._child is not None or time.monotonic() < self._not_before_s:
            return False
        try:
            self._progress_path.unlink(missing_ok=True)
            self._child = start(command, self._environment, None)
        except OSError as error:
            self._not_before_s = time.monotonic() + _RETRY_SECONDS
            logger.warning("%s not started reason=%s", self._name, error.strerror)
            return False
        self.was_cancelled = False
        logger.info("%s started", self._name)
        return True

    def cancel(self) -> None:
        """Ask the child to end, without waiting for it; what it has not written whole is not there."""
        if self._child is not None and self._kill_at_s is None:
            self._child.terminate()
            self._kill_at_s = time.monotonic() + _TERM_SECONDS

    def poll(self, on_done: Callable[[], None]) -> bool:
        """Look whether the child has just ended, and return that; call `on_done` when it did its work."""
        if self._child is None:
            return False
        code = self._child.poll()
        if code is None:
            if self._kill_at_s is not None and time.monotonic() >= self._kill_at_s:
                self._child.kill()
            return False
        self._child = None
        self.was_cancelled, self._kill_at_s = self._kill_at_s is not None, None
        progress = self._read()
        self.has_crashed = code != 0 and not self.was_cancelled
        if self.was_cancelled:
            self.failure = None
            logger.info("%s cancelled", self._name)
        elif code == 0:
            self.failure = progress.get("failure")
            on_done()
        else:
            self.failure = progress.get("failure") or f"the {self._name} ended with code {code}"
        if self.failure:
            self._not_before_s = time.monotonic() + _RETRY_SECONDS
            logger.warning("%s incomplete reason=%r", self._name, self.failure)
        return True

    def progress(self) -> Progress | None:
        """Return step, done, total and eta_s of the child that runs, or None."""
        if self._child is None:
            return None
        known = self._read()
        return {name: known.get(name) for name in ("step", "done", "total", "eta_s")}

    def stop(self) -> None:
        """End the child and wait for it; what it has not written whole is not there."""
        if self._child is not None:
            end(self._child)
            self._child = None

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._progress_path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

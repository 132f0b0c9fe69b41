"""Once an hour of the market, a child that seals what has grown old."""

import logging
import subprocess
from collections.abc import Mapping, Sequence

from market.intervals import HOUR_MS
from utils.processes import end, start

logger = logging.getLogger(__name__)


class SealingJob:
    """Starts the sealer when it is due and the last one has left."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Run the children in this environment."""
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None
        self._due_ms = 0
        self.failure: str | None = None  # of the last one that left

    @property
    def is_running(self) -> bool:
        """Return whether a sealing went on when it was looked at last."""
        return self._child is not None

    def tend(self, market_ms: int, command: Sequence[str]) -> None:
        """Start the sealer by `command` when it is due; call it often."""
        if self._child is not None and (code := self._child.poll()) is not None:
            self._child = None
            self.failure = f"the sealer ended with code {code}" if code else None
        if self._child is not None or market_ms < self._due_ms:
            return
        self._due_ms = market_ms + HOUR_MS
        try:
            self._child = start(command, self._environment, None)
        except OSError as error:
            logger.warning("sealing not started reason=%s", error.strerror)
            self.failure = f"the sealer did not start: {error.strerror}"

    def stop(self) -> None:
        """End the sealing; a kill at any moment loses nothing."""
        if self._child is not None:
            end(self._child)
            self._child = None

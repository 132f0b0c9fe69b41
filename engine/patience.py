"""Do what the disk refuses again until it takes it, and say in plain words what is waited for."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from market.errors import SourceUnavailable

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Fault:
    """What the disk refuses, for a person, and since when on this machine's monotonic clock."""

    text: str
    since_mono_s: float


class Patience:
    """Waits for the disk on behalf of one thread; any other may look at `fault`."""

    def __init__(self, is_over: threading.Event) -> None:
        """Give up when `is_over` is set."""
        self._is_over = is_over
        self.fault: Fault | None = None

    def until_done(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `write` returns, once it does so without SourceUnavailable; raise that when all is over.

        `write` must leave nothing behind when it fails.
        """
        while True:
            try:
                done = write(*args, **kwargs)
            except SourceUnavailable as error:
                self._wait(error)
            else:
                self._go_on()
                return done

    def _wait(self, error: SourceUnavailable) -> None:
        if self.fault is None:
            logger.warning("writing waits reason=%s", error)
        since_mono_s = self.fault.since_mono_s if self.fault else time.monotonic()
        self.fault = Fault(str(error), since_mono_s)
        if self._is_over.wait(RETRY_SECONDS):
            raise error

    def _go_on(self) -> None:
        if self.fault is not None:
            logger.warning("writing goes on seconds=%.1f", time.monotonic() - self.fault.since_mono_s)
            self.fault = None

"""Ask the exchange now and then what no stream tells: its time, what trades, and the prices of silent symbols."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from data.binance_rest import BinanceRest
from market.errors import DataError, SourceError

_TIME_SECONDS, _LOST_TIME_SECONDS = 30.0, 2.5
_STATUS_SECONDS, _STATUS_RETRY_SECONDS = 45.0, 5.0
_PRICE_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class Questions:
    """What the watch wants to know of the feed, and where its answers go; called on the watch's thread."""

    is_live: Callable[[], bool]
    has_silent_symbols: Callable[[], bool]
    on_trading: Callable[[set[str]], None]  # the names that trade now
    on_prices: Callable[[dict[str, float]], None]
    on_failure: Callable[[BaseException], None]


class ExchangeWatch:
    """One thread with a handful of cheap requests a minute, none of them for a single symbol."""

    def __init__(self, rest: BinanceRest, questions: Questions) -> None:
        """Start nothing yet."""
        self._rest = rest
        self._questions = questions
        self._stopped = threading.Event()
        self._asked = {"time": _LONG_AGO, "status": _LONG_AGO, "prices": _LONG_AGO}

    def start(self) -> None:
        """Begin to ask."""
        threading.Thread(target=self._run, name="exchange-watch", daemon=True).start()

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped.set()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._look(time.monotonic())
                self._stopped.wait(_LOOK_SECONDS)
        except BaseException as error:
            self._questions.on_failure(error)
            raise

    def _look(self, now: float) -> None:
        ask = self._questions
        try:
            if self._is_due("time", now, _TIME_SECONDS if ask.is_live() else _LOST_TIME_SECONDS):
                self._rest.server_time_ms()
            if self._is_due("status", now, _STATUS_SECONDS):
                ask.on_trading({symbol.name for symbol in self._rest.exchange_symbols() if symbol.is_trading})
            if ask.has_silent_symbols() and self._is_due("prices", now, _PRICE_SECONDS):
                ask.on_prices(self._rest.prices())
        except (SourceError, DataError):
            # The statuses are worth an early second try; the others come soon enough anyway.
            self._asked["status"] = min(self._asked["status"], now - _STATUS_SECONDS + _STATUS_RETRY_SECONDS)

    def _is_due(self, what: str, now: float, pause_seconds: float) -> bool:
        if now - self._asked[what] < pause_seconds:
            return False
        self._asked[what] = now
        return True

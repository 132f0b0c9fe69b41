"""Fetch what a stream missed, a few symbols at a time, without holding up the others."""

import queue
import threading
from collections.abc import Callable

import numpy as np

from data.binance_rest import PAGE_CANDLES, BinanceRest
from data.weight_budget import Priority
from market.candles import CANDLES
from market.errors import DataError, SourceError
from market.intervals import interval_ms

_WORKERS = 3
_FRESH_SECONDS = 2.0  # an exchange time older than this is asked for again

# Called with the symbol, its closed candles (None when the exchange gave no answer), and how many rows were refused.
OnAnswer = Callable[[str, np.ndarray | None, int], None]


class RepairCrew:
    """Threads that fetch a symbol's closed candles from one on, at the highest priority of the weight budget."""

    def __init__(
        self, rest: BinanceRest, interval: str, on_answer: OnAnswer, on_failure: Callable[[BaseException], None]
    ) -> None:
        """Start nothing yet; `on_answer` and `on_failure` are called on the crew's threads."""
        self._rest = rest
        self._interval = interval
        self._length_ms = interval_ms(interval)
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._asked: queue.SimpleQueue[tuple[str, int] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to work."""
        for number in range(_WORKERS):
            threading.Thread(target=self._work, name=f"repair-{number}", daemon=True).start()

    def stop(self) -> None:
        """Let every thread end after the answer it waits for."""
        for _ in range(_WORKERS):
            self._asked.put(None)

    def ask(self, symbol: str, from_ms: int) -> None:
        """Fetch all closed candles of the symbol that open at `from_ms` or later; the answer comes by `on_answer`."""
        self._asked.put((symbol, from_ms))

    def _work(self) -> None:
        try:
            while (asked := self._asked.get()) is not None:
                self._on_answer(asked[0], *self._answer(*asked))
        except BaseException as error:
            self._on_failure(error)
            raise

    def _answer(self, symbol: str, from_ms: int) -> tuple[np.ndarray | None, int]:
        try:
            return self._closed_since(symbol, from_ms)
        except (SourceError, DataError):
            return None, 0

    def _closed_since(self, symbol: str, from_ms: int) -> tuple[np.ndarray, int]:
        clock = self._rest.clock
        if clock.now_ms() - clock.stated_ms > _FRESH_SECONDS * 1_000 * clock.speed:
            self._rest.server_time_ms()
        until_ms = clock.stated_ms
        pages, refused_rows = [np.empty(0, dtype=CANDLES)], 0
        while from_ms + self._length_ms <= until_ms:
            page, refused = self._rest.klines(symbol, self._interval, from_ms, until_ms, Priority.REPAIR)
            pages.append(page)
            refused_rows += refused.total()
            if len(page) < PAGE_CANDLES:
                break
            from_ms = int(page["open_ms"][-1]) + self._length_ms
        return np.concatenate(pages), refused_rows

"""Fetch the history that is missing: many pages at a time, within the weight budget, kept as they arrive."""

import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from data.binance_rest import PAGE_CANDLES, BinanceRest
from data.candle_store import Appended, CandleStore
from data.weight_budget import Priority
from market.errors import DataError, MarketError, RateLimited, SourceUnavailable
from market.intervals import interval_ms
from utils.resilience import Backoff

logger = logging.getLogger(__name__)

_TRIES = 5
_LONGEST_WAIT_SECONDS = 120.0  # a ban longer than this ends the back-fill
_GATHERED_PAGES = 64  # one transaction holds at most this many pages
_LOOK_SECONDS = 0.2

Progress = Callable[[int, int], None]
Keep = Callable[[list[tuple[str, np.ndarray]]], Appended]


@dataclass(frozen=True, slots=True)
class Page:
    """One request's worth of missing candles: those that open in [from_ms, to_ms)."""

    symbol: str
    from_ms: int
    to_ms: int


@dataclass(slots=True)
class Filled:
    """What a back-fill brought: `candles` that were new, from `pages` answered pages."""

    candles: int = 0
    contradicting: int = 0
    pages: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    unknown_symbols: set[str] = field(default_factory=set)


def back_fill(
    rest: BinanceRest,
    store: CandleStore,
    symbols: list[str],
    interval: str,
    start_ms: int,
    end_ms: int,
    workers: int = 4,
    on_progress: Progress | None = None,
    cancelled: threading.Event | None = None,
    keep: Keep | None = None,
) -> Filled:
    """Fetch every closed candle that opens in [start, end) and is not in the store, and keep it durably.

    It goes on where an earlier one stopped and fills holes; what the exchange does not have stays missing.
    Setting `cancelled` ends it early, with what is kept by then. SourceUnavailable when a page fails five times
    in a row; one with rows that are no candle is asked for as often before they are given up. On the caller's thread
    are called `on_progress(pages done, pages in all)` and `keep`, by default the store's `append_tables`, which may
    wait for the disk.
    """
    started = time.monotonic()
    pages = missing_pages(store, symbols, interval, start_ms, end_ms)
    filled = Filled()
    if pages:
        rest.server_time_ms(Priority.BACK_FILL)  # from here on it is known what has closed
    crew = _Crew(rest, interval, pages, cancelled or threading.Event())
    crew.start(workers)
    try:
        while arrived := crew.arrived():
            _keep(arrived, keep or store.append_tables, filled)
            if on_progress is not None:
                on_progress(filled.pages, len(pages))
    finally:
        crew.dismiss()
    filled.seconds = time.monotonic() - started
    return filled


def missing_pages(store: CandleStore, symbols: list[str], interval: str, start_ms: int, end_ms: int) -> list[Page]:
    """Return the pages that would fill the holes of [start, end), the oldest first and all symbols in turn."""
    span_ms = PAGE_CANDLES * interval_ms(interval)
    pages = [
        Page(symbol, from_ms, min(from_ms + span_ms, hole_end_ms))
        for symbol in symbols
        for hole_start_ms, hole_end_ms in store.holes(symbol, start_ms, end_ms)
        for from_ms in range(hole_start_ms, hole_end_ms, span_ms)
    ]
    return sorted(pages, key=lambda page: page.from_ms)


@dataclass(frozen=True, slots=True)
class _Answer:
    page: Page
    table: np.ndarray | None  # None: the exchange does not know the symbol
    refused: Counter[str]


def _keep(answers: list[_Answer], keep: Keep, filled: Filled) -> None:
    appended = keep([(answer.page.symbol, answer.table) for answer in answers if answer.table is not None])
    filled.candles += appended.new
    filled.contradicting += appended.contradicting
    filled.pages += len(answers)
    for answer in answers:
        filled.refused.update(answer.refused)
        if answer.table is None:
            filled.unknown_symbols.add(answer.page.symbol)


class _Crew:
    """Threads that fetch pages; their answers wait, never too many, for the one thread that writes."""

    def __init__(self, rest: BinanceRest, interval: str, pages: list[Page], cancelled: threading.Event) -> None:
        self._rest = rest
        self._interval = interval
        self._pages = deque(pages)
        self._waiting_for = len(pages)
        self._cancelled = cancelled
        self._dismissed = threading.Event()
        self._answers: queue.Queue[_Answer] = queue.Queue(maxsize=2 * _GATHERED_PAGES)
        self._threads: list[threading.Thread] = []
        self._error: MarketError | None = None

    def start(self, workers: int) -> None:
        """Begin with up to so many pages at once."""
        for _ in range(min(workers, len(self._pages))):
            self._threads.append(threading.Thread(target=self._work, name="back-fill", daemon=True))
            self._threads[-1].start()

    def dismiss(self) -> None:
        """Let every thread end after the page it is at."""
        self._dismissed.set()

    def arrived(self) -> list[_Answer]:
        """Return what came in since the last call, waiting for the first; empty when nothing more will come.

        What was answered before a failure is returned before the failure is raised.
        """
        answers: list[_Answer] = []
        while self._waiting_for and len(answers) < _GATHERED_PAGES and not self._cancelled.is_set():
            try:
                answers.append(self._answers.get(timeout=0.0 if answers else _LOOK_SECONDS))
                self._waiting_for -= 1
            except queue.Empty:
                if answers:
                    break
                self._raise_failure()
        return answers

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise self._error
        if not any(thread.is_alive() for thread in self._threads):
            raise SourceUnavailable("the back-fill stopped by itself; the log says why")

    def _work(self) -> None:
        try:
            while self._pages and not self._is_over():
                self._hand_over(self._fetch(self._pages.popleft()))
        except IndexError:
            return  # another thread took the last page
        except MarketError as error:
            self._error = error
        finally:
            self._rest.release()

    def _fetch(self, page: Page) -> _Answer:
        backoff = Backoff(0.25, 5.0)
        while True:
            try:
                table, refused = self._rest.klines(page.symbol, self._interval, page.from_ms, page.to_ms)
                # A row that was garbled on its way is whole the next time; given up at once it would stay a hole.
                if not refused or backoff.failures + 1 >= _TRIES or self._is_over():
                    return _Answer(page, table, refused)
            except DataError as error:
                logger.warning("history refused symbol=%s reason=%s", page.symbol, error)
                return _Answer(page, None, Counter())
            except RateLimited as error:
                if error.retry_after_seconds > _LONGEST_WAIT_SECONDS or self._is_over():
                    raise
                continue  # the budget waits
            except SourceUnavailable:
                if backoff.failures + 1 >= _TRIES or self._is_over():
                    raise
            self._dismissed.wait(backoff.next_seconds())

    def _hand_over(self, answer: _Answer) -> None:
        while not self._is_over():
            try:
                self._answers.put(answer, timeout=_LOOK_SECONDS)
                break
            except queue.Full:
                continue

    def _is_over(self) -> bool:
        return self._dismissed.is_set() or self._cancelled.is_set() or self._error is not None

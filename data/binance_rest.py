"""Ask Binance's REST interface: within the weight budget, with every answer checked before it is believed."""

import logging
import threading
import time
from collections import Counter
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import numpy as np

from data import exchange_answers as answers
from data.binance_client import hang_up, make_client
from data.candle_door import read_klines, to_ms
from data.refusals import Refusals
from data.unreadable import UNREADABLE
from data.weight_budget import Priority, WeightBudget
from market.errors import DataError, RateLimited, SourceUnavailable
from market.intervals import interval_ms
from market.symbols import Symbol
from utils.clock import MarketClock

logger = logging.getLogger(__name__)

DATA_REST = "https://data-api.binance.vision"  # market data only, no key
PAGE_CANDLES = 1_000
KLINES_WEIGHT = 2
_TIME_WEIGHT, _EXCHANGE_WEIGHT, _TICKERS_WEIGHT, _PRICES_WEIGHT = 1, 20, 80, 4
_BAN_SECONDS, _LIMIT_SECONDS = 120.0, 60.0  # when the answer does not say how long
_LONGEST_BAN_SECONDS = 3 * 86_400.0  # Binance bans for no longer: a larger number is a mistake
_OK = 200
_UNKNOWN_SYMBOL = -1121

T = TypeVar("T")


class BinanceRest:
    """One exchange behind one root URL, for any number of threads.

    It keeps the `budget` all requests are paid from, the `clock` of the exchange, and what was refused.
    Answers that are late, cut off, of another shape or not JSON raise SourceUnavailable, never anything else.
    """

    def __init__(
        self, root_url: str = DATA_REST, budget: WeightBudget | None = None, clock: MarketClock | None = None
    ) -> None:
        """Send nothing yet; the root may be Binance's or any server that speaks its protocol."""
        self.budget = budget or WeightBudget()
        self.clock = clock or MarketClock()
        self.refusals = Refusals()
        self.is_refused = False  # whether the last request got no usable answer
        self._root_url = root_url
        self._host = urlsplit(root_url).netloc
        self._clients: list[Any] = []
        self._local = threading.local()

    def close(self) -> None:
        """Wake whoever waits for weight, and close all connections."""
        self.budget.close()
        for client in list(self._clients):
            hang_up(client)

    def release(self) -> None:
        """Close the calling thread's connection, which it must do before it ends; a later request opens another."""
        if hasattr(self._local, "client"):
            self._clients.remove(self._local.client)
            hang_up(self._local.client)
            del self._local.client

    def server_time_ms(self, priority: Priority = Priority.REPAIR) -> int:
        """Fetch the exchange's time and set the clock by it."""
        self.budget.spend(_TIME_WEIGHT, priority)
        self._client()  # the first one of a thread takes a while to make
        sent = time.monotonic()
        body = self._fetch("get_server_time")
        received = time.monotonic()
        server_ms = to_ms(self._decoded("time", body, answers.ServerTime).serverTime)
        self.clock.observe(server_ms, sent, received)
        return server_ms

    def exchange_symbols(self, priority: Priority = Priority.REPAIR) -> list[Symbol]:
        """Fetch all pairs with their status and order rules, and the weight limit; odd pairs are refused, not fatal."""
        self.budget.spend(_EXCHANGE_WEIGHT, priority)
        info = self._decoded("exchangeInfo", self._fetch("get_exchange_info"), answers.ExchangeInfo)
        limit = info.weight_limit()
        if limit is not None:
            self.budget.set_limit(limit)
        symbols = [answers.symbol(raw) for raw in info.symbols]
        self._refuse("symbol of unknown shape", symbols.count(None))
        return [symbol for symbol in symbols if symbol is not None]

    def quote_volumes(self, priority: Priority = Priority.REPAIR) -> dict[str, float]:
        """Fetch what was traded in 24 hours of each pair, in its quote asset."""
        self.budget.spend(_TICKERS_WEIGHT, priority)
        return self._numbers("ticker/24hr", self._fetch("get_ticker"), answers.quote_volume)

    def prices(self, priority: Priority = Priority.COSMETIC) -> dict[str, float]:
        """Fetch the last price of each pair."""
        self.budget.spend(_PRICES_WEIGHT, priority)
        return self._numbers("ticker/price", self._fetch("get_symbol_ticker"), answers.price)

    def klines(
        self, symbol: str, interval: str, start_ms: int, end_ms: int, priority: Priority = Priority.BACK_FILL
    ) -> tuple[np.ndarray, Counter[str]]:
        """Fetch one page of closed candles that open in [start, end), oldest first, and what was refused, by reason.

        At most 1000; a candle is closed only when the exchange itself had said so before it was asked.
        DataError when the exchange does not know the symbol.
        """
        length_ms = interval_ms(interval)
        self.budget.spend(KLINES_WEIGHT, priority)
        stated_ms = self.clock.stated_ms or self.server_time_ms(priority)
        asked = {"symbol": symbol, "interval": interval, "limit": PAGE_CANDLES}
        body = self._fetch("get_klines", **asked, startTime=start_ms, endTime=end_ms - 1)
        try:
            table, refused = read_klines(body, start_ms, end_ms, length_ms)
        except DataError as error:
            raise self._unusable("klines", str(error)) from error
        self.is_refused = False
        for reason, count in refused.items():
            self._refuse(reason, count)
        return table[table["open_ms"] + length_ms <= stated_ms], refused

    def _fetch(self, call: str, **arguments: object) -> bytes:
        from requests import RequestException

        try:
            response = getattr(self._client(), call)(**arguments)
        except RequestException as error:
            self.is_refused = True
            raise SourceUnavailable(f"{self._host} does not answer: {type(error).__name__}") from error
        used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isascii() and used.isdigit():
            self.budget.note_used(int(used[:9]))
        if response.status_code != _OK:
            raise self._failure(response)
        return bytes(response.content)

    def _client(self) -> Any:
        if not hasattr(self._local, "client"):
            self._local.client = make_client(self._root_url)
            self._clients.append(self._local.client)
        return self._local.client

    def _failure(self, response: Any) -> Exception:
        status = int(response.status_code)
        if status in (418, 429):
            wait_seconds = _retry_after(response.headers.get("Retry-After", ""), status)
            self.budget.silence(wait_seconds)
            return RateLimited(f"{self._host} allows no request for {wait_seconds:.0f} s (HTTP {status})", wait_seconds)
        refused = answers.refused(response.content)
        if status == 400 and refused is not None:
            self.is_refused = False
            word = "does not know this symbol" if refused.code == _UNKNOWN_SYMBOL else "refuses the request"
            return DataError(f"{self._host} {word} (code {refused.code})")
        self.is_refused = True
        return SourceUnavailable(f"{self._host} answered with HTTP {status}")

    def _decoded(self, name: str, body: bytes, kind: type[T]) -> T:
        try:
            decoded = msgspec.json.decode(body, type=kind)
        except UNREADABLE as error:
            raise self._unusable(name, "the answer is of another shape") from error
        self.is_refused = False
        return decoded

    def _numbers(self, name: str, body: bytes, read: Any) -> dict[str, float]:
        pairs = [read(raw) for raw in self._decoded(name, body, list[msgspec.Raw])]
        self._refuse("ticker of unknown shape", pairs.count(None))
        return dict(pair for pair in pairs if pair is not None)

    def _unusable(self, name: str, reason: str) -> SourceUnavailable:
        self.is_refused = True
        self._refuse("body of unknown shape")
        logger.warning("answer refused source=%s path=%s reason=%r", self._host, name, reason)
        return SourceUnavailable(f"{self._host} gave no usable answer to {name}: {reason}")

    def _refuse(self, reason: str, count: int = 1) -> None:
        if count:
            self.refusals.add(reason, count)


def _retry_after(text: str, status: int) -> float:
    if text.isascii() and text.isdigit() and len(text) < 8:
        return min(max(1.0, float(text)), _LONGEST_BAN_SECONDS)
    return _BAN_SECONDS if status == 418 else _LIMIT_SECONDS

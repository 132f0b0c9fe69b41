"""The REST side: /api/v3 as Binance answers it, every answer weighed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from simulator import refusals, tickers
from simulator.exchange import Exchange, Range, joined
from simulator.exchange_info import PERMISSIONS, RATE_LIMITS, symbol_info
from simulator.kline_json import kline_rows
from simulator.parameters import Parameters
from simulator.weights import WeightLimit

DEFAULT_KLINES, MOST_KLINES = 500, 1_000
MICROSECOND = "MICROSECOND"
_ENCODER = msgspec.json.Encoder()
_SYMBOLS_A_BREATH = 4  # so many symbols are answered about before others get their turn
_TYPES = ("FULL", "MINI")
_UTC = ("0", "0:00", "00:00", "+0:00", "-0:00", "+00:00", "-00:00")  # candles of other zones are not served
_STATUSES = ("TRADING", "HALT", "BREAK")

Answer = Callable[[Parameters, int], Awaitable[bytes]]
Weight = Callable[[Parameters], int]


class Rest:
    """Answers about one exchange."""

    def __init__(self, exchange: Exchange, weights: WeightLimit) -> None:
        """Answer from `exchange`, charge to `weights`."""
        self._exchange = exchange
        self._weights = weights
        self._info: dict[tuple[str, str, bool], bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and what answers them."""
        answers: dict[str, tuple[Weight, Answer]] = {
            "ping": (lambda _: 1, self._ping),
            "time": (lambda _: 1, self._time),
            "exchangeInfo": (lambda _: 20, self._exchange_info),
            "klines": (lambda _: 2, self._klines),
            "uiKlines": (lambda _: 2, self._klines),
            "ticker/24hr": (_day_weight, self._day),
            "ticker/price": (_price_weight, self._price),
            "ticker/bookTicker": (_price_weight, self._book),
        }
        return [web.get(f"/api/v3/{path}", self._handler(*answer)) for path, answer in answers.items()]

    def _handler(self, weight: Weight, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            address = request.remote or ""
            try:
                parameters = Parameters(request.rel_url.raw_query_string)
                self._weights.charge(address, weight(parameters))
                body, status, headers = await answer(parameters, _units_per_ms(request)), 200, {}
            except refusals.RequestError as refusal:
                body = _ENCODER.encode({"code": refusal.code, "msg": refusal.message})
                status, headers = refusal.status, refusal.headers
            used = str(self._weights.used(address))
            headers = {**headers, "X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
            return web.Response(
                body=body, status=status, headers=headers, content_type="application/json", charset="utf-8"
            )

        return handle

    async def _ping(self, parameters: Parameters, units_per_ms: int) -> bytes:
        parameters.finish()
        return b"{}"

    async def _time(self, parameters: Parameters, units_per_ms: int) -> bytes:
        parameters.finish()
        return b'{"serverTime":%d}' % (self._exchange.clock.now_ms() * units_per_ms)

    async def _exchange_info(self, parameters: Parameters, units_per_ms: int) -> bytes:
        symbols = parameters.symbols(self._exchange.listings)
        wanted_status = parameters.one_of("symbolStatus", _STATUSES, default="")
        are_sets_shown = parameters.one_of("showPermissionSets", ("true", "false"), default="true") == "true"
        permissions = parameters.text("permissions")
        parameters.finish()
        now_ms = self._exchange.clock.now_ms()
        found = []
        for symbol in symbols or self._exchange.listings:
            status = self._exchange.status(symbol, now_ms)
            is_permitted = permissions is None or any(word in permissions for word in PERMISSIONS)
            if wanted_status in ("", status) and is_permitted:
                found.append(self._symbol_info(symbol, status, are_sets_shown))
        return b'{"timezone":"UTC","serverTime":%d,"rateLimits":%b,"exchangeFilters":[],"symbols":[%b]}' % (
            now_ms * units_per_ms,
            _ENCODER.encode(RATE_LIMITS),
            b",".join(found),
        )

    def _symbol_info(self, symbol: str, status: str, are_sets_shown: bool) -> bytes:
        """Return a symbol's entry, encoded once for each status."""
        key = (symbol, status, are_sets_shown)
        if key not in self._info:
            self._info[key] = _ENCODER.encode(symbol_info(self._exchange.listings[symbol], status, are_sets_shown))
        return self._info[key]

    async def _klines(self, parameters: Parameters, units_per_ms: int) -> bytes:
        symbol = parameters.symbol(self._exchange.listings)
        interval = parameters.interval()
        start_ms, end_ms = parameters.time_ms("startTime"), parameters.time_ms("endTime")
        limit = parameters.limit(DEFAULT_KLINES, MOST_KLINES)
        parameters.one_of("timeZone", _UTC, default="0")
        parameters.finish()
        parts = []
        for part in self._exchange.klines(symbol, interval, Range(start_ms, end_ms, limit)):
            parts.append(part)
            await asyncio.sleep(0)
        return kline_rows(joined(iter(parts)), interval, units_per_ms)

    async def _day(self, parameters: Parameters, units_per_ms: int) -> bytes:
        kind = parameters.one_of("type", _TYPES, default="FULL")
        answer = tickers.full_ticker if kind == "FULL" else tickers.mini_ticker
        return await self._each(parameters, lambda symbol: answer(self._exchange, symbol, units_per_ms))

    async def _price(self, parameters: Parameters, units_per_ms: int) -> bytes:
        return await self._each(parameters, lambda symbol: tickers.price_ticker(self._exchange, symbol))

    async def _book(self, parameters: Parameters, units_per_ms: int) -> bytes:
        return await self._each(parameters, lambda symbol: tickers.book_ticker(self._exchange, symbol))

    async def _each(self, parameters: Parameters, answer: Callable[[str], dict[str, Any]]) -> bytes:
        """Return the answer about one symbol, or a list of the answers about several or all."""
        symbols = parameters.symbols(self._exchange.listings)
        wanted_status = parameters.one_of("symbolStatus", _STATUSES, default="")
        parameters.finish()
        found = []
        for count, symbol in enumerate(symbols or self._exchange.listings):
            if wanted_status in ("", self._exchange.status(symbol, self._exchange.clock.now_ms())):
                found.append(answer(symbol))
            if count % _SYMBOLS_A_BREATH == 0:
                await asyncio.sleep(0)
        return _ENCODER.encode(found[0] if parameters.has("symbol") and found else found)


def _units_per_ms(request: web.Request) -> int:
    return 1_000 if request.headers.get("X-MBX-TIME-UNIT", "").upper() == MICROSECOND else 1


def _day_weight(parameters: Parameters) -> int:
    count = parameters.symbol_count()
    if count is None or count > 100:
        return 80
    return 2 if count <= 20 else 40


def _price_weight(parameters: Parameters) -> int:
    return 2 if parameters.has("symbol") else 4

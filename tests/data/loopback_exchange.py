"""A small Binance-like server whose every answer and frame a test decides: real HTTP, real WebSocket, loopback only."""

import asyncio
import contextlib
import json
import threading
from collections import defaultdict, deque

from aiohttp import ClientConnectionResetError, WSMsgType, web

from market.candles import Candle
from market.intervals import interval_ms

INTERVAL = "1m"
STEP = interval_ms(INTERVAL)
START = 1_700_000_040_000


def candle(number, symbol="BTCUSDT", close=None):
    """Return the one true candle `number` of a symbol."""
    price = 100.0 + number % 7
    return Candle(
        symbol, START + number * STEP, price, price + 1, price - 1, price + 0.5 if close is None else close, 5.0
    )


def kline_row(one):
    texts = [f"{value:.8f}" for value in (one.open, one.high, one.low, one.close, one.volume)]
    return [one.open_ms, *texts, one.open_ms + STEP - 1, "500.0", 10, "2.5", "250.0", "0"]


def kline_frame(one, is_closed, event_ms=None):
    texts = {key: f"{getattr(one, name):.8f}" for key, name in zip("ohlcv", _NAMES, strict=True)}
    k = {"t": one.open_ms, "T": one.open_ms + STEP - 1, "s": one.symbol, "i": INTERVAL, "x": is_closed, **texts}
    data = {"e": "kline", "E": event_ms or one.open_ms + STEP, "s": one.symbol, "k": k}
    return _text({"stream": f"{one.symbol.lower()}@kline_{INTERVAL}", "data": data})


def ticker_frame(symbol, event_ms, close=101.0, open_=100.0):
    data = {"e": "24hrMiniTicker", "E": event_ms, "s": symbol, "c": str(close), "o": str(open_), "h": "1", "l": "1"}
    return _text({"stream": f"{symbol.lower()}@miniTicker", "data": data})


def _text(message):
    return json.dumps(message, separators=(",", ":"))  # as Binance writes it


_NAMES = ("open", "high", "low", "close", "volume")


class LoopbackExchange:
    """Serves what it is given; `answers[path]` holds what comes next: (status, body, headers); None is the truth."""

    def __init__(self, symbols=("BTCUSDT", "ETHUSDT")):
        self.symbols = dict.fromkeys(symbols, "TRADING")
        self.candles = {name: {} for name in symbols}
        self.market_ms = START
        self.answers = defaultdict(deque)
        self.requests = []
        self.sockets = []
        self.streams = []
        self.said = []
        self.is_refusing_streams = False
        self.stream_attempts = 0
        self.stream_location = ""  # where streams are sent instead
        self.port = 0
        self.changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    @property
    def rest_url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self):
        return f"ws://127.0.0.1:{self.port}"

    def open(self):
        """Listen, on the same port as before."""
        self._run(self._open())

    def shut(self):
        """Refuse connections and drop those there are."""
        self._run(self._shut())

    def stop(self):
        self.shut()
        self._run(self._let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def close_candle(self, number, symbols=None):
        """Let the candle `number` be closed in REST, and the market be at its end."""
        for name in symbols or self.symbols:
            self.candles[name][candle(number).open_ms] = candle(number, name)
        self.market_ms = max(self.market_ms, candle(number).open_ms + STEP)

    def send(self, *frames):
        """Send frames to every stream reader."""
        self._run(self._send(frames))

    def send_fragments(self, parts):
        """Send one text message in several WebSocket frames."""
        self._run(self._send_fragments([part.encode() for part in parts]))

    def ping(self, payload):
        self._run(self._ping(payload))

    def cut(self):
        """Drop every stream without a close frame."""
        self._run(self._cut())

    def wait_for(self, condition, seconds=20.0):
        """Wait until `condition()` holds, looking each time something reached the server."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError("the exchange waited in vain")

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _open(self):
        app = web.Application()
        app.router.add_get("/api/v3/{path:.*}", self._answer)
        app.router.add_get("/stream", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def _shut(self):
        # First nobody comes in any more; whoever is on the way in arrives, and leaves with the others.
        # asyncio forgets whom it let in while the server closed, so the door is shut before.
        for listener in self._site._server.sockets:
            self._loop.remove_reader(listener)
        await asyncio.sleep(0.01)
        await self._site.stop()
        await self._cut()
        await self._runner.cleanup()
        for transport in list(self._loop._transports.values()):
            transport.abort()
        await asyncio.sleep(0)

    async def _let_go(self):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _answer(self, request):
        path = request.match_info["path"]
        with self.changed:
            self.requests.append((path, dict(request.query)))
            self.changed.notify_all()
        answer = self.answers[path].popleft() if self.answers[path] else None
        if answer is not None:
            status, body, headers = answer
            return web.Response(status=status, body=body, headers=headers)
        return web.json_response(self._true(path, request.query), headers={"X-MBX-USED-WEIGHT-1M": "7"})

    def _true(self, path, query):
        if path == "time":
            return {"serverTime": self.market_ms}
        if path == "klines":
            return self._klines(query)
        if path == "exchangeInfo":
            limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 5_000}
            return {"rateLimits": [limit], "symbols": [self._pair(name) for name in self.symbols]}
        if path == "ticker/price":
            return [{"symbol": name, "price": "123.5"} for name in self.symbols]
        names = list(self.symbols)
        return [{"symbol": name, "quoteVolume": str(1_000.0 - names.index(name))} for name in names]

    def _klines(self, query):
        first, last = int(query["startTime"]), int(query["endTime"])
        closed = [kline_row(one) for at, one in sorted(self.candles[query["symbol"]].items()) if first <= at <= last]
        open_number = (self.market_ms - START) // STEP
        if first <= candle(open_number).open_ms <= last:
            closed.append(kline_row(candle(open_number, query["symbol"], close=100.0 + open_number % 7)))
        return closed[: int(query["limit"])]

    def _pair(self, name):
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
            {"filterType": "NOT_YET_INVENTED", "word": 1},
        ]
        pair = {"symbol": name, "status": self.symbols[name], "baseAsset": name[:-4], "quoteAsset": name[-4:]}
        return {**pair, "filters": filters}

    async def _stream(self, request):
        with self.changed:
            self.stream_attempts += 1
            self.changed.notify_all()
        if self.stream_location:
            return web.Response(status=302, headers={"Location": self.stream_location})
        if self.is_refusing_streams:
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        with self.changed:
            self.sockets.append(socket)
            self.streams.append(request.query.get("streams", ""))
            self.changed.notify_all()
        async for message in socket:
            with self.changed:
                self.said.append(message.data)
                self.changed.notify_all()
            if message.type is WSMsgType.TEXT:
                with contextlib.suppress(ClientConnectionResetError):
                    await socket.send_str(json.dumps({"result": None, "id": json.loads(message.data)["id"]}))
        with self.changed:
            self.changed.notify_all()
        return socket

    async def _send(self, frames):
        for socket in self.open_sockets():
            with contextlib.suppress(ClientConnectionResetError):  # the other side has just closed it
                for frame in frames:
                    await socket.send_str(frame)

    async def _send_fragments(self, parts):
        for socket in self.open_sockets():
            for at, part in enumerate(parts):
                opcode, last = (1 if at == 0 else 0), (0x80 if at == len(parts) - 1 else 0)
                head = bytes([last | opcode, len(part)]) if len(part) < 126 else bytes([last | opcode, 126])
                size = b"" if len(part) < 126 else len(part).to_bytes(2, "big")
                socket._writer.transport.write(head + size + part)

    async def _ping(self, payload):
        for socket in self.open_sockets():
            await socket.ping(payload)

    async def _cut(self):
        for socket in self.open_sockets():
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()
        self.sockets.clear()

    def open_sockets(self):
        """Return the streams that are still open on this side."""
        return [socket for socket in self.sockets if not socket.closed]

"""An exchange that speaks just enough of Binance's protocol to put load on a feed, at a rate or as fast as it is taken.

`python tests/performance/load_exchange.py --symbols 500 --rate 10000 --speed 30` prints its port, then one line for
every close of a candle: the candle's open time, and the monotonic second at which its last frame had been handed over.
"""

import argparse
import base64
import hashlib
import json
import random
import re
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
START_MS = 1_750_000_200_000
_STEP_MS = 60_000
_TICK_SECONDS = 0.001
_ROUNDS = 40  # different frames of each stream before a flood repeats them


def symbols(count):
    """Return the names of so many made-up pairs."""
    return [f"S{number:03d}USDT" for number in range(count)]


def price(symbol, open_ms):
    """Return the close of a candle: a little saw-tooth, the same whenever it is asked for."""
    return 100.0 + (open_ms // _STEP_MS * 7_919 + int(symbol[1:4]) * 104_729) % 1_000 / 500.0


def candle(symbol, open_ms):
    """Return open, high, low, close and volume of a candle as text."""
    open_, close = price(symbol, open_ms - _STEP_MS), price(symbol, open_ms)
    return [f"{value:.8f}" for value in (open_, max(open_, close) + 0.1, min(open_, close) - 0.1, close, 1_234.5)]


def kline_frame(symbol, event_ms, open_ms, *, is_final):
    """Return one kline event in the combined envelope, with all the fields Binance sends."""
    open_, high, low, close, volume = candle(symbol, open_ms)
    return framed(
        f'{{"stream":"{symbol.lower()}@kline_1m","data":{{"e":"kline","E":{event_ms},"s":"{symbol}","k":{{'
        f'"t":{open_ms},"T":{open_ms + _STEP_MS - 1},"s":"{symbol}","i":"1m","f":100,"L":200,"o":"{open_}",'
        f'"c":"{close}","h":"{high}","l":"{low}","v":"{volume}","n":100,"x":{"true" if is_final else "false"},'
        f'"q":"123456.00000000","V":"600.00000000","Q":"61000.00000000","B":"0"}}}}}}'
    )


def ticker_frame(symbol, event_ms, last):
    """Return one miniTicker event in the combined envelope; its volume is the monotonic second it was made in."""
    return framed(
        f'{{"stream":"{symbol.lower()}@miniTicker","data":{{"e":"24hrMiniTicker","E":{event_ms},"s":"{symbol}",'
        f'"c":"{last:.8f}","o":"99.00000000","h":"120.00000000","l":"80.00000000","v":"{time.monotonic():.6f}",'
        f'"q":"123456789.00000000"}}}}'
    )


def framed(text):
    """Return a text message as a server's WebSocket frame."""
    payload = text.encode()
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + payload


class LoadExchange:
    """Serves REST and one kind of load to whoever opens a stream; each connection has a thread."""

    def __init__(self, options):
        self._names = symbols(options.symbols)
        self._rate, self._speed = options.rate, options.speed
        self._zero = time.monotonic()

    def serve(self, listener):
        """Take connections until killed."""
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def now_ms(self):
        """Return market time."""
        return START_MS + int((time.monotonic() - self._zero) * self._speed * 1_000)

    def _talk(self, connection):
        pending = b""
        try:
            while True:
                while b"\r\n\r\n" not in pending:
                    received = connection.recv(65_536)
                    if not received:
                        return
                    pending += received
                request, _, pending = pending.partition(b"\r\n\r\n")
                if key := re.search(rb"(?i)sec-websocket-key: *(\S+)", request):
                    connection.sendall(_accepted(key[1]))
                    self._load(connection)
                connection.sendall(_answer(self._rest(urlsplit(request.split(b" ")[1].decode()))))
        except OSError:
            connection.close()

    def _rest(self, url):
        path, query = (
            url.path.rpartition("/api/v3/")[2],
            {name: value[0] for name, value in parse_qs(url.query).items()},
        )
        if path == "time":
            return {"serverTime": self.now_ms()}
        if path == "exchangeInfo":
            return {"rateLimits": [], "symbols": [_pair(name) for name in self._names]}
        if path == "ticker/24hr":
            return [{"symbol": name, "quoteVolume": "1000.0"} for name in self._names]
        if path == "ticker/price":
            return [{"symbol": name, "price": "100.0"} for name in self._names]
        if path == "klines":
            first, last = -(-int(query["startTime"]) // _STEP_MS) * _STEP_MS, min(int(query["endTime"]), self.now_ms())
            opens = range(first, last + 1, _STEP_MS)[: int(query["limit"])]
            return [_row(query["symbol"], open_ms) for open_ms in opens]
        return {}

    def _load(self, connection):
        if self._rate:
            self._pace(connection)
        dice = random.Random(1)
        chunks = [self._round(START_MS + 1_000 * at, dice) for at in range(_ROUNDS)]
        while True:
            for chunk in chunks:
                connection.sendall(chunk)

    def _round(self, event_ms, dice):
        """Return a kline and a ticker frame of every symbol, shuffled."""
        frames = [kline_frame(name, event_ms, START_MS, is_final=False) for name in self._names]
        frames += [ticker_frame(name, event_ms, dice.uniform(90, 110)) for name in self._names]
        dice.shuffle(frames)
        return b"".join(frames)

    def _pace(self, connection):
        """Send `rate` frames a second in bursts, and all closing frames of a candle at once when it ends."""
        begun, sent = time.monotonic(), 0
        open_ms = self.now_ms() // _STEP_MS * _STEP_MS
        while True:
            now_ms = self.now_ms()
            if now_ms >= open_ms + _STEP_MS:
                self._close(connection, open_ms)
                open_ms += _STEP_MS
            due = int((time.monotonic() - begun) * self._rate) - sent
            connection.sendall(b"".join(self._frame(sent + at, now_ms, open_ms) for at in range(due)))
            sent += due
            time.sleep(_TICK_SECONDS)

    def _frame(self, number, now_ms, open_ms):
        name = self._names[number // 2 % len(self._names)]
        if number % 2:
            return ticker_frame(name, now_ms, 100.0 + number % 100 / 50)
        return kline_frame(name, now_ms, open_ms, is_final=False)

    def _close(self, connection, open_ms):
        end_ms = open_ms + _STEP_MS
        connection.sendall(b"".join(kline_frame(name, end_ms, open_ms, is_final=True) for name in self._names))
        sys.stdout.write(f"{open_ms} {time.monotonic()}\n")
        sys.stdout.flush()


def _pair(name):
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.01"}, {"filterType": "LOT_SIZE", "stepSize": "0.01"}]
    return {"symbol": name, "status": "TRADING", "baseAsset": name[:-4], "quoteAsset": "USDT", "filters": filters}


def _row(symbol, open_ms):
    return [open_ms, *candle(symbol, open_ms), open_ms + _STEP_MS - 1, "1.0", 10, "1.0", "1.0", "0"]


def _answer(body):
    text = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def _accepted(key):
    answer = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return head + answer + b"\r\n\r\n"


def main():
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--rate", type=int, default=0, help="frames a second; 0: as many as are taken")
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds a second")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    LoadExchange(options).serve(listener)


if __name__ == "__main__":
    main()

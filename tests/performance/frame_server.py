"""A socket that sends recorded-like frames as fast as they are taken, or at a rate: the load of the feed benchmarks.

`python tests/performance/frame_server.py --symbols 500 [--rate 10000]` prints its port and serves until it is killed.
"""

import argparse
import base64
import hashlib
import random
import re
import socket
import sys

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OPEN_MS = 1_750_000_200_000
ROUNDS = 40  # different frames of each stream before they repeat


def symbols(count):
    """Return the names of so many made-up pairs."""
    return [f"S{number:03d}USDT" for number in range(count)]


def kline_frame(symbol, event_ms, price, *, open_ms=_OPEN_MS, is_final=False):
    """Return one kline event in the combined envelope, with all the fields Binance sends."""
    text = f"{price:.8f}"
    return (
        f'{{"stream":"{symbol.lower()}@kline_5m","data":{{"e":"kline","E":{event_ms},"s":"{symbol}","k":{{'
        f'"t":{open_ms},"T":{open_ms + 299_999},"s":"{symbol}","i":"5m","f":100,"L":200,"o":"100.00000000",'
        f'"c":"{text}","h":"{max(price, 100.0):.8f}","l":"{min(price, 100.0):.8f}","v":"1234.50000000","n":100,'
        f'"x":{"true" if is_final else "false"},"q":"123456.00000000","V":"600.00000000","Q":"61000.00000000",'
        f'"B":"0"}}}}}}'
    ).encode()


def ticker_frame(symbol, event_ms, price):
    """Return one miniTicker event in the combined envelope."""
    return (
        f'{{"stream":"{symbol.lower()}@miniTicker","data":{{"e":"24hrMiniTicker","E":{event_ms},"s":"{symbol}",'
        f'"c":"{price:.8f}","o":"99.00000000","h":"120.00000000","l":"80.00000000","v":"1234567.00000000",'
        f'"q":"123456789.00000000"}}}}'
    ).encode()


def framed(payload):
    """Return a text message as a server's WebSocket frame."""
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + payload


def mix(names, event_ms, dice):
    """Return one round of frames: a kline and a ticker of every symbol, shuffled."""
    frames = [framed(kline_frame(name, event_ms, dice.uniform(90, 110))) for name in names]
    frames += [framed(ticker_frame(name, event_ms, dice.uniform(90, 110))) for name in names]
    dice.shuffle(frames)
    return frames


def accept(listener):
    """Return a socket over which the WebSocket handshake is done."""
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)[1]
    answer = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )
    return connection


def flood(connection, rounds):
    """Send the rounds again and again, as fast as they are taken."""
    chunks = [b"".join(frames) for frames in rounds]
    while True:
        for chunk in chunks:
            connection.sendall(chunk)


def main():
    """Serve one connection after the other until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", type=int, default=500)
    options = parser.parse_args()
    dice = random.Random(1)
    rounds = [mix(symbols(options.symbols), _OPEN_MS + 1_000 * at, dice) for at in range(ROUNDS)]
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection = accept(listener)
        try:
            flood(connection, rounds)
        except OSError:
            connection.close()


if __name__ == "__main__":
    main()

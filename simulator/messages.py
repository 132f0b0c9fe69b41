"""What streams carry: one message, encoded once for everybody who listens."""

import zlib
from collections.abc import Callable

import numpy as np

from market.intervals import DAY_MS
from simulator import grid
from simulator.exchange import Exchange
from simulator.exchange_info import padded
from simulator.tickers import best_quotes, trade_id_at, trade_ids

Build = Callable[[int], str]  # units a millisecond -> JSON


class Message:
    """One event of one stream. Its bytes are made for the first listener of each kind and kept for the others."""

    __slots__ = ("_build", "_frames", "is_final", "stream")

    def __init__(self, stream: str, build: Build, *, is_final: bool = False) -> None:
        """`is_final` marks a closed candle: it is never dropped for a newer one."""
        self.stream = stream
        self.is_final = is_final
        self._build = build
        self._frames: dict[tuple[bool, int], bytes] = {}

    def changed(self, edit: Callable[[str], str], *, is_final: bool) -> "Message":
        """Return a message of the same stream whose JSON is edited."""
        return Message(self.stream, lambda units: edit(self._build(units)), is_final=is_final)

    def frame(self, is_wrapped: bool, units_per_ms: int) -> bytes:
        """Return the WebSocket frame, in the combined envelope or bare, in milliseconds or microseconds."""
        key = (is_wrapped, units_per_ms)
        if key not in self._frames:
            text = self._build(units_per_ms)
            if is_wrapped:
                text = f'{{"stream":"{self.stream}","data":{text}}}'
            self._frames[key] = text_frame(text)
        return self._frames[key]


def text_frame(text: str) -> bytes:
    """Return a whole text message as a server's WebSocket frame."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def control_frame(opcode: int, payload: bytes) -> bytes:
    """Return a ping or pong as a server's WebSocket frame; the payload has at most 125 bytes."""
    return bytes((0x80 | opcode, len(payload))) + payload


def kline(stream: str, symbol: str, interval: str, now_ms: int, row: np.ndarray, *, is_final: bool) -> Message:
    """Return a candle as it stands at `now_ms`; `row` is a table of one row."""
    open_ms = int(row["open_ms"][0])
    close_ms = grid.shifted(interval, open_ms, 1)
    first, last = trade_ids(row)

    def build(units: int) -> str:
        return (
            f'{{"e":"kline","E":{now_ms * units},"s":"{symbol}","k":{{'
            f'"t":{open_ms * units},"T":{close_ms * units - 1},"s":"{symbol}","i":"{interval}","f":{first},"L":{last},'
            f'"o":"{_of(row, "open")}","c":"{_of(row, "close")}","h":"{_of(row, "high")}","l":"{_of(row, "low")}",'
            f'"v":"{_of(row, "volume")}","n":{int(row["trades"][0])},"x":{"true" if is_final else "false"},'
            f'"q":"{_of(row, "quote_volume")}",'
            f'"V":"{_of(row, "taker_base")}","Q":"{_of(row, "taker_quote")}","B":"0"}}}}'
        )

    return Message(stream, build, is_final=is_final)


def mini_ticker(symbol: str, now_ms: int, day: np.ndarray) -> Build:
    """Return the last 24 hours in short."""

    def build(units: int) -> str:
        return (
            f'{{"e":"24hrMiniTicker","E":{now_ms * units},"s":"{symbol}","c":"{_of(day, "close")}",'
            f'"o":"{_of(day, "open")}","h":"{_of(day, "high")}","l":"{_of(day, "low")}",'
            f'"v":"{_of(day, "volume")}","q":"{_of(day, "quote_volume")}"}}'
        )

    return build


def ticker(exchange: Exchange, symbol: str, now_ms: int, day: np.ndarray) -> Build:
    """Return the last 24 hours in full."""
    open_, close, volume = float(day["open"][0]), float(day["close"][0]), float(day["volume"][0])
    listing = exchange.listings[symbol]
    quotes = best_quotes(listing, close, now_ms)
    first, last = trade_ids(day)
    average = float(day["quote_volume"][0]) / volume if volume else 0.0

    def build(units: int) -> str:
        return (
            f'{{"e":"24hrTicker","E":{now_ms * units},"s":"{symbol}","p":"{padded(close - open_)}",'
            f'"P":"{(close / open_ - 1) * 100:.3f}","w":"{padded(average)}","x":"{padded(open_)}",'
            f'"c":"{padded(close)}","Q":"{padded(10.0**-listing.quantity_digits)}",'
            f'"b":"{quotes["bidPrice"]}","B":"{quotes["bidQty"]}","a":"{quotes["askPrice"]}","A":"{quotes["askQty"]}",'
            f'"o":"{padded(open_)}","h":"{_of(day, "high")}","l":"{_of(day, "low")}","v":"{padded(volume)}",'
            f'"q":"{_of(day, "quote_volume")}","O":{(now_ms - DAY_MS) * units},"C":{now_ms * units},'
            f'"F":{first},"L":{last},"n":{int(day["trades"][0])}}}'
        )

    return build


def book_ticker(exchange: Exchange, symbol: str, now_ms: int) -> Build:
    """Return the best bid and ask; this event has neither a type nor a time."""
    quotes = best_quotes(exchange.listings[symbol], exchange.tape.price(symbol, now_ms), now_ms)
    text = (
        f'{{"u":{now_ms},"s":"{symbol}","b":"{quotes["bidPrice"]}","B":"{quotes["bidQty"]}",'
        f'"a":"{quotes["askPrice"]}","A":"{quotes["askQty"]}"}}'
    )
    return lambda _units: text


def aggregate_trade(exchange: Exchange, symbol: str, now_ms: int) -> Build:
    """Return the trade that made the price what it is."""
    price = padded(exchange.tape.price(symbol, now_ms))
    quotes = best_quotes(exchange.listings[symbol], float(price), now_ms)
    identity = trade_id_at(now_ms)
    # Any coin will do that does not fall in step with the speed of the market.
    is_buyer_maker = "true" if zlib.crc32(f"{symbol}{identity}".encode()) & 1 else "false"

    def build(units: int) -> str:
        return (
            f'{{"e":"aggTrade","E":{now_ms * units},"s":"{symbol}","a":{identity},"p":"{price}",'
            f'"q":"{quotes["bidQty"]}","f":{identity},"l":{identity},'
            f'"T":{now_ms * units},"m":{is_buyer_maker},"M":true}}'
        )

    return build


def _of(row: np.ndarray, name: str) -> str:
    return f"{row[name][0]:.8f}"

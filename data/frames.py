"""The frames of Binance's combined streams, decoded in one pass into the few fields that are read."""

import msgspec

from data.unreadable import UNREADABLE


class Kline(msgspec.Struct):
    """The candle inside a kline event; prices come as text and are read as floats."""

    s: str
    t: int  # its first moment
    T: int  # and its last
    o: float
    h: float
    l: float  # noqa: E741  Binance's spelling
    c: float
    v: float
    x: bool  # closed, final


class Event(msgspec.Struct):
    """What kline and miniTicker events hold between them: a miniTicker has no `k`."""

    E: int = 0
    k: Kline | None = None
    o: float = 0.0  # price 24 h ago
    c: float = 0.0  # last price


class Frame(msgspec.Struct):
    """One message: an event with the name of its stream, or an answer to a command (no stream)."""

    stream: str = ""
    data: Event | None = None


class _Other(msgspec.Struct):
    stream: str = ""
    e: str = ""
    id: int | str | None = None
    error: object = None
    code: int | None = None
    data: dict[str, object] | None = None


# strict=False reads Binance's quoted decimals as floats in C.
decode_frame = msgspec.json.Decoder(Frame, strict=False).decode
_decode_other = msgspec.json.Decoder(_Other).decode

ACCEPTED, SHUTDOWN, COMMAND_REFUSED, UNKNOWN = "accepted", "shutdown", "command refused", "unknown event"


def kind_of(payload: bytes | memoryview) -> str:
    """Return what a message is that `decode_frame` could not place: the slow path, taken rarely."""
    try:
        other = _decode_other(payload)
    except UNREADABLE:
        return UNKNOWN
    word = other.e or (other.data or {}).get("e") or other.stream.lstrip("!")
    if word == "serverShutdown":
        return SHUTDOWN
    if other.error is not None or other.code is not None:
        return COMMAND_REFUSED
    return ACCEPTED if other.id is not None else UNKNOWN

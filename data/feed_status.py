"""Say how the feed is, in the words of the status page."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from data.candle_flow import CandleFlow

STALE_SECONDS = 5.0
_SILENT_SECONDS = 10.0  # one symbol, while others talk
_REPLACED_SECONDS = 25.0  # how long a price from REST stands in for a silent stream


class FeedState(StrEnum):
    """Whether the streams bring data."""

    CONNECTING = "connecting"  # never had data
    LIVE = "live"
    STALE = "stale"  # silent, or a socket lost
    DOWN = "down"  # REST and streams refused


class SymbolState(StrEnum):
    """Whether one symbol can be trusted now."""

    LIVE = "live"
    STALE = "stale"
    GAPPED = "gapped"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Line:
    """How the connections are at one moment. `message_seconds`: monotonic time of the newest message."""

    message_seconds: float | None
    is_connected: bool
    is_stream_refused: bool
    is_rest_refused: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """Now: on our monotonic clock, and on the market's with its speed."""

    seconds: float
    market_ms: int
    speed: float


def feed_state(line: Line, now_seconds: float) -> FeedState:
    """Return the state of the whole feed."""
    is_down = line.is_stream_refused and line.is_rest_refused
    if line.message_seconds is None:
        return FeedState.DOWN if is_down else FeedState.CONNECTING
    if line.is_connected and now_seconds - line.message_seconds <= STALE_SECONDS:
        return FeedState.LIVE
    return FeedState.DOWN if is_down else FeedState.STALE


def is_silent(flow: CandleFlow, now_seconds: float) -> bool:
    """Return whether a trading symbol has sent nothing for a while."""
    return not flow.is_closed and (flow.message_seconds is None or now_seconds - flow.message_seconds > _SILENT_SECONDS)


def symbol_state(flow: CandleFlow, feed: FeedState, now: Moment, warm_candles: int) -> tuple[SymbolState, str | None]:
    """Return the state of one symbol of a feed in state `feed`, and why it is not live."""
    if flow.is_closed:
        return SymbolState.CLOSED, "the exchange does not trade it"
    if feed is not FeedState.LIVE:
        return SymbolState.STALE, "the feed is not live"
    if is_silent(flow, now.seconds) and now.seconds - flow.replaced_seconds > _REPLACED_SECONDS:
        return SymbolState.STALE, "its stream is silent and REST has no price"
    if flow.is_late(now.market_ms, now.speed):
        return SymbolState.STALE, "its closed candle is late" if flow.last_ms else "no candle yet"
    if flow.is_missing:
        return SymbolState.GAPPED, "candles are missing and asked for"
    if flow.is_gapped(warm_candles):
        return SymbolState.GAPPED, "the exchange lacks candles of the span the models look at"
    return SymbolState.LIVE, None


def symbol_rows(flows: Iterable[CandleFlow], feed: FeedState, now: Moment, warm_candles: int) -> list[dict[str, Any]]:
    """Return what the status says of each symbol."""
    return [_row(flow, *symbol_state(flow, feed, now, warm_candles)) for flow in flows]


def _row(flow: CandleFlow, state: SymbolState, reason: str | None) -> dict[str, Any]:
    return {
        "symbol": flow.symbol,
        "state": str(state),
        "reason": reason,
        "last_candle_open_ms": flow.last_ms,
        "last_message_mono_s": flow.message_seconds,
        "price": flow.price,
        "change_24h_percent": flow.change_24h_percent,
    }

"""Closed candles of one symbol."""

from typing import Any

from market.intervals import INTERVAL_MS
from utils.times import iso_utc
from web.api import nouns
from web.arguments import CandleArguments
from web.described import ApiBlueprint, Shown
from web.examples import CANDLE
from web.problems import refuse_argument
from web.rows import CandleSchema
from web.site_stores import stores
from web.tables import Item, Page, check_interval, check_symbol, table

api = nouns.add("candles")(ApiBlueprint("candles", __name__, description="Closed candles"))


_SHOWN = Shown(CANDLE, {"symbol": "BTCUSDT", "interval": "1h", "limit": "1"})


@table(api, "/candles/<symbol>", CandleArguments, CandleSchema, shown=_SHOWN)
def candles(asked: dict[str, Any], symbol: str) -> Page:
    """List closed candles, oldest first; longer ones are made of whole base candles only."""
    check_symbol(symbol)
    interval = check_interval(asked["interval"])
    length_ms = INTERVAL_MS[interval]
    start_ms, end_ms = asked["start"], asked["end"]
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        refuse_argument("end", iso_utc(end_ms), f"a time from start, {iso_utc(start_ms)}, on")
    found = stores().candles(symbol, interval, start_ms, end_ms, asked["limit"])
    return Page([_item(row, length_ms) for row in found.tolist()])


def _item(row: tuple[Any, ...], length_ms: int) -> Item:
    open_ms, open_, high, low, close, volume = row
    return {
        "open_time": iso_utc(open_ms),
        "open": open_,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "close_time": iso_utc(open_ms + length_ms - 1),
    }

"""Ticker answers: the last day of a symbol, its price, the best bid and ask."""

from typing import Any

import numpy as np

from market.intervals import DAY_MS, MINUTE_MS
from simulator.coins import MAX_TRADES
from simulator.exchange import Exchange
from simulator.exchange_info import padded
from simulator.listings import Listing

_TRADES_A_MINUTE = MAX_TRADES + 1  # so many ids are set aside for each minute


def trade_ids(rows: np.ndarray) -> tuple[int, int]:
    """Return the first and the last trade id of a candle, a table of one row; -1 for both when it has no trades."""
    trades = int(rows["trades"][0])
    if trades == 0:
        return -1, -1
    first = int(rows["open_ms"][0]) // MINUTE_MS * _TRADES_A_MINUTE
    return first, first + trades - 1


def trade_id_at(now_ms: int) -> int:
    """Return an id that grows with time, among those set aside for the minute."""
    return now_ms * _TRADES_A_MINUTE // MINUTE_MS


def best_quotes(listing: Listing, price: float, now_ms: int) -> dict[str, str]:
    """Return bid and ask one tick apart around the price, with quantities that change by the second."""
    tick = 10.0**-listing.price_digits
    # Any two numbers that differ from second to second will do.
    bid_lots, ask_lots = now_ms // 1_000 * 7_919 % 997 + 3, now_ms // 1_000 * 104_729 % 991 + 3
    usual = max(10.0**-listing.quantity_digits, 25.0 / price if price else 0.0)
    return {
        "bidPrice": padded(max(tick, price - tick)),
        "bidQty": padded(round(usual * bid_lots, listing.quantity_digits)),
        "askPrice": padded(price + tick if price else tick),
        "askQty": padded(round(usual * ask_lots, listing.quantity_digits)),
    }


def price_ticker(exchange: Exchange, symbol: str) -> dict[str, Any]:
    """Return the price last paid."""
    return {"symbol": symbol, "price": padded(exchange.tape.price(symbol, exchange.clock.now_ms()))}


def book_ticker(exchange: Exchange, symbol: str) -> dict[str, Any]:
    """Return the best bid and ask; zeros while the symbol is not traded."""
    now_ms = exchange.clock.now_ms()
    if not exchange.tape.is_trading(symbol, now_ms):
        return {"symbol": symbol, **dict.fromkeys(("bidPrice", "bidQty", "askPrice", "askQty"), padded(0))}
    return {"symbol": symbol, **best_quotes(exchange.listings[symbol], exchange.tape.price(symbol, now_ms), now_ms)}


def mini_ticker(exchange: Exchange, symbol: str, units_per_ms: int) -> dict[str, Any]:
    """Return the last 24 hours in short."""
    return _mini(symbol, exchange.day(symbol, exchange.clock.now_ms()), exchange.clock.now_ms(), units_per_ms)


def full_ticker(exchange: Exchange, symbol: str, units_per_ms: int) -> dict[str, Any]:
    """Return the last 24 hours in full."""
    now_ms = exchange.clock.now_ms()
    day = exchange.day(symbol, now_ms)
    mini = _mini(symbol, day, now_ms, units_per_ms)
    open_, close = (float(day["open"][0]), float(day["close"][0])) if day is not None else (0.0, 0.0)
    volume = float(day["volume"][0]) if day is not None else 0.0
    return {
        "symbol": symbol,
        "priceChange": padded(close - open_),
        "priceChangePercent": f"{(close / open_ - 1) * 100 if open_ else 0:.3f}",
        "weightedAvgPrice": padded(float(day["quote_volume"][0]) / volume if day is not None and volume else 0),
        "prevClosePrice": padded(open_),
        "lastPrice": mini["lastPrice"],
        "lastQty": padded(10.0 ** -exchange.listings[symbol].quantity_digits if day is not None else 0),
        **{name: value for name, value in book_ticker(exchange, symbol).items() if name != "symbol"},
        **{name: value for name, value in mini.items() if name not in ("symbol", "lastPrice")},
    }


def _mini(symbol: str, day: np.ndarray | None, now_ms: int, units_per_ms: int) -> dict[str, Any]:
    values = {name: float(day[name][0]) if day is not None else 0.0 for name in ("open", "high", "low", "close")}
    first, last = trade_ids(day) if day is not None else (-1, -1)
    return {
        "symbol": symbol,
        "openPrice": padded(values["open"]),
        "highPrice": padded(values["high"]),
        "lowPrice": padded(values["low"]),
        "lastPrice": padded(values["close"]),
        "volume": padded(float(day["volume"][0]) if day is not None else 0),
        "quoteVolume": padded(float(day["quote_volume"][0]) if day is not None else 0),
        "openTime": (now_ms - DAY_MS) * units_per_ms,
        "closeTime": now_ms * units_per_ms,
        "firstId": first,
        "lastId": last,
        "count": int(day["trades"][0]) if day is not None else 0,
    }

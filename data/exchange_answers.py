"""The shapes of Binance's answers, as far as they are read; what is unknown in them is ignored."""

import math
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from data.unreadable import UNREADABLE
from market.symbols import Symbol

_MAX_NAME = 32


class ServerTime(msgspec.Struct):
    """Answer of /time."""

    serverTime: int  # noqa: N815  Binance's spelling


class ExchangeInfo(msgspec.Struct):
    """Answer of /exchangeInfo; each part is read on its own, so that an odd one spoils nothing else."""

    symbols: list[msgspec.Raw]
    rateLimits: list[dict[str, Any]] = []  # noqa: N815

    def weight_limit(self) -> int | None:
        """Return the request weight allowed in a minute, or None when it is not stated."""
        for rule in self.rateLimits:
            words = (rule.get("rateLimitType"), rule.get("interval"), rule.get("intervalNum"))
            limit = rule.get("limit")
            if words == ("REQUEST_WEIGHT", "MINUTE", 1) and isinstance(limit, int) and limit > 0:
                return limit
        return None


class Refused(msgspec.Struct):
    """Binance's own error body."""

    code: int
    msg: str = ""


class _Pair(msgspec.Struct):
    symbol: str
    status: str
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    filters: list[dict[str, Any]] = []


class _Ticker(msgspec.Struct):
    symbol: str
    quoteVolume: float  # noqa: N815


class _Price(msgspec.Struct):
    symbol: str
    price: float


def refused(body: bytes) -> Refused | None:
    """Return Binance's error in `body`, or None when it holds none."""
    try:
        return msgspec.json.decode(body, type=Refused)
    except UNREADABLE:
        return None


def symbol(raw: msgspec.Raw) -> Symbol | None:
    """Return one pair of /exchangeInfo, or None when it cannot be understood; unknown filters are ignored."""
    try:
        pair = msgspec.json.decode(raw, type=_Pair)
    except UNREADABLE:
        return None
    if not 0 < len(pair.symbol) <= _MAX_NAME:
        return None
    rules = {str(rule.get("filterType")): rule for rule in pair.filters}
    price, lot = rules.get("PRICE_FILTER", {}), rules.get("LOT_SIZE", {})
    notional = rules.get("NOTIONAL", rules.get("MIN_NOTIONAL", {}))
    return Symbol(
        name=pair.symbol,
        base=pair.baseAsset,
        quote=pair.quoteAsset,
        status=pair.status,
        tick=_positive(price.get("tickSize")),
        step=_positive(lot.get("stepSize")),
        min_quantity=_positive(lot.get("minQty")),
        min_notional=_positive(notional.get("minNotional")),
    )


def quote_volume(raw: msgspec.Raw) -> tuple[str, float] | None:
    """Return name and 24 h volume of one ticker, or None when it is none."""
    ticker = _decoded(raw, _Ticker)
    return (ticker.symbol, ticker.quoteVolume) if ticker and 0 <= ticker.quoteVolume < math.inf else None


def price(raw: msgspec.Raw) -> tuple[str, float] | None:
    """Return name and last price of one ticker, or None when it is none."""
    ticker = _decoded(raw, _Price)
    return (ticker.symbol, ticker.price) if ticker and 0 < ticker.price < math.inf else None


def _decoded(raw: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except UNREADABLE:
        return None


def _positive(text: object) -> Decimal | None:
    """Return a filter value; None when it is 0 (the rule is off) or no number."""
    try:
        value = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() and value > 0 else None

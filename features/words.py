"""What a column is called on a page: plain words, and over how many candles it looks."""

import re

_FRAME = re.compile(r"_x(\d+)$")  # of a longer timeframe
_LENGTH = re.compile(r"_(\d+)(?=_|$)")
# By the name without its length.
WORDS = {
    "return": "Move, in usual moves",
    "sma_distance": "Distance from the plain average",
    "ema_distance": "Distance from the smoothed average",
    "macd": "Fast over slow average",
    "macd_histogram": "Turn of fast over slow average",
    "rsi": "Gains against losses",
    "stochastic": "Place between recent low and high",
    "stochastic_turn": "Turn of that place",
    "mfi": "Money in against money out",
    "cci": "Distance from the usual price",
    "channel": "Place in the price channel",
    "adx": "Strength of the trend",
    "direction": "Direction of the trend",
    "efficiency": "Straightness of the move",
    "chaikin": "Volume near highs or lows",
    "wick_balance": "Upper against lower wicks",
    "volume_balance": "Rising against falling volume",
    "volume_ratio": "Last volume against usual",
    "volume_trend": "Volume, recent against usual",
    "volatility": "Volatility",
    "volatility_ratio": "Volatility, short against long",
    "volatility_trend": "Volatility, recent against usual",
    "range_bps": "Usual range of a candle",
    "range_ratio": "Last range against usual",
    "body": "Body of the last candle",
    "close_place": "Close within the last candle",
    "market_return": "Move of the whole market",
    "market_breadth": "Symbols above their average against those below",
    "own_return": "Own move against the market's",
    "own_efficiency": "Own straightness against the market's",
}


def in_words(column: str) -> str:
    """Return a column's name for people; one that nobody has put into words keeps its own."""
    frame = _FRAME.search(column)
    name = _FRAME.sub("", column)
    length = _LENGTH.search(name)
    words = WORDS.get(_LENGTH.sub("", name, count=1))
    if words is None:
        return column
    over = f"{length[1]} candles" if length else "candles" if frame else ""
    return ", ".join(filter(None, (words, f"{over} {frame[1]} times as long" if frame else over)))

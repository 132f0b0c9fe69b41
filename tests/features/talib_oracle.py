"""TA-Lib as the oracle: what each line should be, and how far one is from it."""

import numpy as np
import talib


def oracle(candles):
    """Return TA-Lib's numbers for each line it knows (VWAP from its sums)."""
    high, low, close, volume = (np.ascontiguousarray(candles[name]) for name in ("high", "low", "close", "volume"))
    price = (high + low + close) / 3
    macd, macd_signal, macd_histogram = talib.MACD(close)
    upper, middle, lower = talib.BBANDS(close, 20)
    raw = talib.STOCHF(high, low, close, 14, 1)[0]
    slow, slower = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    plus, minus = talib.PLUS_DM(high, low, 14), talib.MINUS_DM(high, low, 14)
    return {
        **{f"sma_{length}": talib.SMA(close, length) for length in (10, 20, 50)},
        **{f"ema_{length}": talib.EMA(close, length) for length in (12, 26, 50)},
        **{f"momentum_{length}": talib.MOM(close, length) for length in (1, 3, 10, 12, 24, 48)},
        **{f"roc_{length}": talib.ROC(close, length) for length in (1, 3, 10, 12, 24, 48)},
        "rsi": talib.RSI(close, 14),
        "macd": macd,
        "macd_signal": macd_signal,
        "macd_histogram": macd_histogram,
        "bollinger_upper_20": upper,
        "bollinger_middle_20": middle,
        "bollinger_lower_20": lower,
        "deviation_20": talib.STDDEV(close, 20),
        "atr": talib.ATR(high, low, close, 14),
        "adx": talib.ADX(high, low, close, 14),
        "direction": late(100 * (plus - minus) / (plus + minus), 27),
        "stochastic_raw": raw,
        "stochastic_k": slow,
        "stochastic_d": slower,
        "williams": talib.WILLR(high, low, close, 14),
        "obv": talib.OBV(close, volume),
        "mfi": talib.MFI(high, low, close, volume, 14),
        "cci": talib.CCI(high, low, close, 20),
        "vwap": talib.SUM(price * volume, 20) / talib.SUM(volume, 20),
        **{f"mean_volume_{length}": talib.SMA(volume, length) for length in (5, 20, 96)},
    }


def late(values, first):
    """Return the values without those before `first`."""
    return np.where(np.arange(len(values)) < first, np.nan, values)


def distances(drawn, candles):
    """Return line -> worst distance from TA-Lib, over the value and a thousandth of the line's largest."""
    worst = {}
    for line, expected in oracle(candles).items():
        if line not in drawn:
            continue
        defined = np.isfinite(expected)
        assert (np.isnan(drawn[line]) == ~defined).all(), line
        scale = np.abs(expected[defined])
        worst[line] = np.max(np.abs(drawn[line] - expected)[defined] / (scale + 1e-3 * scale.max()))
    return worst

"""Choose the symbols of the board: by name, or the most traded ones."""

from data.binance_rest import BinanceRest
from market.errors import ConfigError, DataError
from market.symbols import Symbol

_QUOTE = "USDT"
_TOP = "top:"


def select_symbols(rest: BinanceRest, setting: str) -> list[Symbol]:
    """Return what SYMBOLS asks for: "top:N" by 24 h quote volume among trading USDT pairs, or a comma list.

    A list keeps its order and may name pairs that do not trade now. ConfigError names what is unknown or malformed;
    DataError when it cannot be told what the exchange has.
    """
    if setting.strip().lower().startswith(_TOP):
        return _most_traded(rest, _count(setting))
    names = list(dict.fromkeys(name.strip().upper() for name in setting.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"SYMBOLS={setting!r} names no symbol; write BTCUSDT,ETHUSDT or top:50")
    refused = rest.refusals.total
    known = {symbol.name: symbol for symbol in rest.exchange_symbols()}
    unknown = [name for name in names if name not in known]
    if unknown and (not known or rest.refusals.total > refused):
        raise DataError(f"the exchange's list of pairs came damaged, without {', '.join(unknown)}; asking again")
    if unknown:
        raise ConfigError(f"SYMBOLS: the exchange has no {', '.join(unknown)}; it has {len(known)} others")
    return [known[name] for name in names]


def _count(setting: str) -> int:
    text = setting.strip()[len(_TOP) :].strip()
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) <= 5_000:
        raise ConfigError(f"SYMBOLS={setting!r} is not top:N with N from 1 to 5000")
    return int(text)


def _most_traded(rest: BinanceRest, count: int) -> list[Symbol]:
    volumes = rest.quote_volumes()
    candidates = [s for s in rest.exchange_symbols() if s.quote == _QUOTE and s.is_trading and s.name in volumes]
    if not candidates:
        raise DataError(f"the exchange lists no trading {_QUOTE} pair")
    # Equal volumes are ordered by name, so that two starts choose the same.
    return sorted(candidates, key=lambda symbol: (-volumes[symbol.name], symbol.name))[:count]

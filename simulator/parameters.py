"""The parameters of one REST request, read one by one as Binance reads them."""

import json
import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from simulator import refusals
from simulator.grid import INTERVALS

_LAST_MILLISECOND = 10**14  # a greater time is in microseconds
_NUMBER = re.compile(r"^[0-9]{1,20}$")
# A list without spaces; what is inside the quotes is checked name by name.
_NAMES = re.compile(r'\[("[^"\\\x00-\x1f]*"(,"[^"\\\x00-\x1f]*")*)?\]')
_SYMBOLS_PATTERN = r'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$'


class Parameters:
    """What was sent with a request; each reading marks its parameter as read."""

    def __init__(self, query: str) -> None:
        """Split the query; RequestError when a name comes twice."""
        self._sent: dict[str, str] = {}
        self._read: set[str] = set()
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name in self._sent:
                raise refusals.duplicate(name)
            self._sent[name] = value

    def has(self, name: str) -> bool:
        """Return whether the parameter was sent."""
        return name in self._sent

    def text(self, name: str) -> str | None:
        """Return a parameter as it was sent, None without it; RequestError when it is empty."""
        if name not in self._sent:
            return None
        self._read.add(name)
        if not self._sent[name]:
            raise refusals.missing(name)
        return self._sent[name]

    def needed(self, name: str) -> str:
        """Return a parameter that must be there."""
        value = self.text(name)
        if value is None:
            raise refusals.missing(name)
        return value

    def one_of(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return a word out of a few."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise refusals.invalid_value(name)
        return default if value is None else value

    def number(self, name: str) -> int | None:
        """Return a whole number that is not negative."""
        value = self.text(name)
        if value is not None and not _NUMBER.match(value):
            raise refusals.illegal_characters(name, refusals.NUMBER_PATTERN)
        return None if value is None else int(value)

    def time_ms(self, name: str) -> int | None:
        """Return a time, sent in milliseconds or microseconds, in milliseconds."""
        value = self.number(name)
        return value // 1_000 if value is not None and value > _LAST_MILLISECOND else value

    def limit(self, default: int, most: int) -> int:
        """Return how many rows are wanted; more than `most` counts as `most`."""
        value = self.number("limit")
        if value == 0:
            raise refusals.invalid_value("limit")
        return default if value is None else min(value, most)

    def interval(self) -> str:
        """Return the interval of candles."""
        value = self.needed("interval")
        if value not in INTERVALS:
            raise refusals.invalid_interval()
        return value

    def symbol(self, listed: Collection[str]) -> str:
        """Return the one symbol that must be named."""
        value = self.needed("symbol")
        _check_symbol(value, listed)
        return value

    def symbols(self, listed: Collection[str]) -> tuple[str, ...] | None:
        """Return the symbols named by `symbol` or `symbols`; None when neither was sent."""
        if self.has("symbol") and self.has("symbols"):
            raise refusals.bad_combination()
        if self.has("symbol"):
            return (self.symbol(listed),)
        value = self.text("symbols")
        if value is None:
            return None
        names = _names(value)
        for name in names:
            _check_symbol(name, listed)
        return names

    def symbol_count(self) -> int | None:
        """Return how many symbols are named, before anything is checked; None when it is all of them."""
        if self.has("symbol"):
            return 1
        return self._sent["symbols"].count(",") + 1 if self.has("symbols") else None

    def finish(self) -> None:
        """Refuse the request when something was sent that nobody read."""
        if len(self._read) < len(self._sent):
            raise refusals.unread(len(self._read), len(self._sent))


def _check_symbol(name: str, listed: Collection[str]) -> None:
    if name in listed:
        return
    if len(name) > 50 or not re.fullmatch(r"[\w\-.&]+", name) or any("a" <= letter <= "z" for letter in name):
        raise refusals.illegal_characters("symbol", refusals.SYMBOL_PATTERN)
    raise refusals.invalid_symbol()


def _names(text: str) -> tuple[str, ...]:
    if not _NAMES.fullmatch(text):
        raise refusals.illegal_characters("symbols", _SYMBOLS_PATTERN)
    names: list[str] = json.loads(text)
    if not names:
        raise refusals.missing("symbols")
    if len(set(names)) < len(names):
        raise refusals.duplicate("symbols")
    return tuple(names)

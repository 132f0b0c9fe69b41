"""Read one setting from text, or say what is allowed."""

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

N = TypeVar("N", int, float)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


@dataclass(frozen=True, slots=True)
class Reader:
    """How one setting is read: `read` gives its value or raises ValueError, `allowed` tells a person what it takes."""

    allowed: str
    read: Callable[[str], object]
    is_path: bool = False  # a relative one is completed before it is read


def whole(low: int, high: int) -> Reader:
    """Take an integer written in plain digits, limits included."""

    def read(text: str) -> int:
        return _between(int(_matching(_WHOLE, text)), low, high)

    return Reader(f"a whole number from {low} to {high}", read)


def number(low: float, high: float) -> Reader:
    """Take a finite decimal number, limits included."""

    def read(text: str) -> float:
        return _between(float(_matching(_NUMBER, text)), low, high)

    return Reader(f"a number from {low:g} to {high:g}", read)


def truth() -> Reader:
    """Take the usual words for true and false, in any case."""

    def read(text: str) -> bool:
        word = text.lower()
        if word not in (*_TRUE, *_FALSE):
            raise ValueError(text)
        return word in _TRUE

    return Reader(f"one of {', '.join(_TRUE)}, {', '.join(_FALSE)}", read)


def choice(options: Iterable[str]) -> Reader:
    """Take one of the options, spelled exactly so."""
    known = tuple(options)

    def read(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return Reader(f"one of {', '.join(known)}", read)


def words() -> Reader:
    """Take any text that is not empty."""

    def read(text: str) -> str:
        if not text:
            raise ValueError(text)
        return text

    return Reader("a text that is not empty", read)


def host() -> Reader:
    """Take an IP address without brackets or a host name."""

    def read(text: str) -> str:
        if address_of(text) is None and not _HOST_NAME.fullmatch(text):
            raise ValueError(text)
        return text

    return Reader("an IP address or a host name", read)


def host_names() -> Reader:
    """Take a comma list of host names or addresses, without ports."""

    def read(text: str) -> str:
        names = [part.strip() for part in text.split(",")]
        if any(address_of(name) is None and not _HOST_NAME.fullmatch(name) for name in names):
            raise ValueError(text)
        return text

    return Reader("a comma list of host names such as candela.example.org, without ports", read)


def root_url(*schemes: str) -> Reader:
    """Take the root of a service: scheme, host and port, without a query, a fragment or credentials."""

    def read(text: str) -> str:
        parts = urlsplit(text)
        is_plain = not (parts.query or parts.fragment or parts.username is not None or re.search(r"\s", text))
        if parts.scheme not in schemes or not parts.hostname or parts.port == 0 or not is_plain:
            raise ValueError(text)
        return text.rstrip("/")

    return Reader(f"the root of a service such as {schemes[0]}://127.0.0.1:18080 ({' or '.join(schemes)})", read)


def folder() -> Reader:
    """Take a folder that exists or may be made."""

    def read(text: str) -> Path:
        path = Path(text)
        if path.exists() and not path.is_dir():
            raise ValueError(text)
        return path

    return Reader("a folder, existing or to be made", read, is_path=True)


def folder_with(patterns: Iterable[str], what: str) -> Reader:
    """Take an existing folder that holds at least one file of these patterns."""

    def read(text: str) -> Path:
        path = Path(text)
        if not path.is_dir() or not any(next(path.glob(pattern), None) for pattern in patterns):
            raise ValueError(text)
        return path

    return Reader(f"an existing folder that holds {what}", read, is_path=True)


def unset(reason: str) -> Reader:
    """Take nothing at all: the setting is known, its use is not there."""

    def read(text: str) -> None:
        raise ValueError(text)

    return Reader(f"nothing, leave it unset: {reason}", read)


def is_loopback(name: str) -> bool:
    """Return whether a server that listens on `name` is reached from this machine only."""
    address = address_of(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a text is, None when it is none; ::ffff:192.0.2.1 is 192.0.2.1.

    A socket that listens on `::` tells the addresses of its IPv4 visitors in that way.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return text


def _between(value: N, low: float, high: float) -> N:
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError(value)
    return value

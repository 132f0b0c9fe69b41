"""How numbers, times and ages are written on a page: thin thousands, a real minus sign, the largest sensible unit."""

import math
from datetime import UTC, datetime

from flask import Flask

from utils.times import parse_utc
from web.preferences import chosen_zone

THIN = "\u202f"
UNBROKEN = "\u00a0"
MINUS = "\u2212"
DASH = "–"


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with thin thousands; a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{abs(value):,.{digits}f}".replace(",", THIN)
    return MINUS + text if value < 0 and float(f"{value:.{digits}f}") else text


def signed(value: float | None, digits: int = 1) -> str:
    """Return a number that may be negative, with its sign."""
    text = number(value, digits)
    return text if text[0] in (DASH, MINUS) else f"+{text}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share of 1 as a percentage."""
    return DASH if share is None else f"{number(100 * share, digits)}%"


def signed_percent(share: float | None, digits: int = 1) -> str:
    """Return a share of 1 that may be negative as a percentage."""
    return DASH if share is None else f"{signed(100 * share, digits)}%"


def sample(n: int) -> str:
    """Return a sample size; no line ends between the n and its figure."""
    return f"n{UNBROKEN}{number(n)}"


def bps(value: float | None) -> str:
    """Return a cost in basis points, with a decimal only where it has one."""
    return number(value, 0 if value is None or value == int(value) else 1 if value * 10 == int(value * 10) else 2)


def age(seconds: float | None) -> str:
    """Return an age in the largest sensible unit."""
    if seconds is None:
        return DASH
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def apart(difference_ms: float) -> str:
    """Return how far a clock is before or behind another."""
    size_ms = abs(difference_ms)
    text = f"{number(size_ms)} ms" if size_ms < 10_000 else age(size_ms / 1_000)
    return f"{text} {'ahead' if difference_ms >= 0 else 'behind'}"


def span(horizon: str) -> str:
    """Return a horizon or interval as words, in one piece: 4h becomes 4 h."""
    return f"{horizon[:-1]}{UNBROKEN}{horizon[-1]}" if horizon else ""


def clock(time_ms: float | None) -> str:
    """Return the time of day in the reader's zone, to the second."""
    return DASH if time_ms is None else f"{_moment(time_ms):%H:%M:%S}"


def hour(time_ms: float | None) -> str:
    """Return the time of day in the reader's zone, to the minute."""
    return DASH if time_ms is None else f"{_moment(time_ms):%H:%M}"


def day(time_ms: float | None) -> str:
    """Return the day in the reader's zone."""
    return DASH if time_ms is None else f"{_moment(time_ms):%d %b %Y}".lstrip("0")


def moment(time_ms: float | None) -> str:
    """Return day and time in the reader's zone, to the minute; a line may end between the two only."""
    return DASH if time_ms is None else f"{_moment(time_ms):%d{UNBROKEN}%b, %H:%M}".lstrip("0")


def iso(time_ms: float | None) -> str:
    """Return the time for a `datetime` attribute, in UTC."""
    return "" if time_ms is None else f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def time_ms(text: str) -> int:
    """Return the milliseconds of a row's time."""
    return parse_utc(text)


def register(site: Flask) -> None:
    """Offer these to the templates as filters."""
    for filter_ in (
        number,
        signed,
        percent,
        signed_percent,
        sample,
        bps,
        age,
        apart,
        span,
        clock,
        hour,
        day,
        moment,
        iso,
        time_ms,
    ):
        site.jinja_env.filters[filter_.__name__] = filter_
    site.jinja_env.trim_blocks = True
    site.jinja_env.lstrip_blocks = True


def _moment(time_ms: float) -> datetime:
    return datetime.fromtimestamp(time_ms / 1_000, chosen_zone())

"""What a reader has chosen: looks, time zone, first horizon, fee, watched symbols; kept in cookies of their browser."""

import re
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from flask import current_app, has_request_context, request
from werkzeug.wrappers import Response

from web.cookies import cookie_name

SEPARATOR = "."  # between watched symbols; no symbol has one
MOST_WATCHED = 100
MAX_FEE_BPS = 100.0  # of one side
_YEAR_SECONDS = 31_536_000
_FEE = re.compile(r"\d{1,3}(\.\d{1,4})?", re.ASCII)

# The first of each is the default, and needs no cookie.
LOOKS = {
    "theme": {"": "As the system", "light": "Light", "dark": "Dark"},
    "direction": {"": "Blue, orange", "classic": "Classic", "swapped": "Swapped", "mono": "Mono"},
    "density": {"": "Normal", "compact": "Compact"},
    "hints": {"": "Shown", "off": "Hidden"},
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """The choices of one reader; an empty word is the default."""

    theme: str = ""
    direction: str = ""
    density: str = ""
    hints: str = ""
    zone: str = ""  # a name such as Europe/Berlin; empty is UTC
    horizon: str = ""  # as it was chosen: it may not exist any more
    fee_bps: float | None = None  # of one side; None is the fee of the instance
    watched: tuple[str, ...] = ()


def preferences() -> Preferences:
    """Return what this request's cookies say; what means nothing is as if it were not there."""
    if not has_request_context():
        return Preferences()
    looks = {name: _cookie(name) for name in LOOKS}
    zone = _cookie("zone")
    return Preferences(
        **{name: value if value in LOOKS[name] else "" for name, value in looks.items()},
        zone=zone if _zone(zone) is not None else "",
        horizon=_cookie("horizon"),
        fee_bps=fee_of(_cookie("fee")),
        watched=tuple(unquote(name) for name in _cookie("watch").split(SEPARATOR) if name)[:MOST_WATCHED],
    )


def remember(answer: Response, name: str, value: str) -> None:
    """Keep one choice in the reader's browser for a year; a default is forgotten instead."""
    kept = cookie_name(current_app, name)
    if value:
        answer.set_cookie(kept, value, max_age=_YEAR_SECONDS, samesite="Lax", secure=request.is_secure)
    else:
        answer.delete_cookie(kept, samesite="Lax", secure=request.is_secure)


def fee_of(text: str) -> float | None:
    """Return a fee of one side in bps; None when the text is none between 0 and `MAX_FEE_BPS`."""
    found = _FEE.fullmatch(text)
    return float(text) if found and float(text) <= MAX_FEE_BPS else None


def watch_word(symbols: list[str]) -> str:
    """Return watched symbols as the cookie holds them."""
    return SEPARATOR.join(quote(name, safe="") for name in symbols[:MOST_WATCHED])


def chosen_zone() -> tzinfo:
    """Return the zone in which this reader wants to see times."""
    return _zone(_cookie("zone") if has_request_context() else "") or UTC


def zone_label() -> str:
    """Return what stands beside times: UTC, or the place whose clock they are read from."""
    zone = preferences().zone
    return f"{zone.rpartition('/')[2].replace('_', ' ')} time" if zone else "UTC"


def zone_names() -> list[str]:
    """Return the zones there are, by continent and place."""
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))


def is_zone(name: str) -> bool:
    """Return whether times can be shown in this zone; empty is UTC."""
    return not name or _zone(name) is not None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | None:
    """Return the zone of this name; None when there is none, and for UTC. Kept by name for ever, 64 at most."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _cookie(name: str) -> str:
    return request.cookies.get(cookie_name(current_app, name), "")

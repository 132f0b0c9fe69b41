"""What every page's frame shows: the situation, the navigation, the theme."""

from typing import Any

from flask import request

from web.assets import asset_url, has_asset
from web.site_stores import settings, stores
from web.situation import situation
from web.views import pages

THEME_COOKIE = "candela-theme"
_THEMES = ("dark", "light")


def chosen_theme() -> str | None:
    """Return the theme this visitor has chosen; None leaves it to the browser."""
    theme = request.cookies.get(THEME_COOKIE)
    return theme if theme in _THEMES else None


def shell() -> dict[str, Any]:
    """Return what base.html needs."""
    beat = stores().heartbeat()
    return {
        "now": situation(beat, stores().mono_s()),
        "version": beat.version,
        "interval": beat.interval,
        "cost_bps": beat.cost_bps or settings().cost_bps,
        "navigation": pages.navigation(),
        "place": pages.place(request.endpoint),
        "theme": chosen_theme(),
        "asset_url": asset_url,
        "has_asset": has_asset,
    }

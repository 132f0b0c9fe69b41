"""What every page's frame shows: the situation, the navigation, what the reader has chosen."""

from contextlib import suppress
from typing import Any

from flask import Flask, current_app, g, request

from market.errors import SourceUnavailable
from web.assets import asset_url, has_asset
from web.cookies import cookie_name
from web.preferences import preferences, zone_label
from web.site_stores import settings, stores
from web.situation import situation
from web.views import pages
from web.worth import reader_costs


def register(site: Flask) -> None:
    """Put the frame around every page of the site."""
    site.before_request(_note_version)
    site.context_processor(_shell)


def _note_version() -> None:
    """Note the version that ledger and heartbeat have both reached, before anything of the page is read.

    The page shows at least that much, so its script knows what it has not been told of, and what it has yet to fetch.
    """
    if (request.blueprint or "") in pages:
        with suppress(SourceUnavailable):  # a page that needs the database says so itself
            g.version = min(stores().heartbeat().version, stores().version())


def _shell() -> dict[str, Any]:
    """Return what base.html needs."""
    beat = stores().heartbeat()
    return {
        "now": situation(beat, stores().mono_s()),
        "version": g.get("version", beat.version),
        "interval": beat.interval,
        "cost_bps": beat.cost_bps or settings().cost_bps,
        "costs": reader_costs(),
        "is_auto": settings().MARKET == "auto",
        "navigation": pages.navigation(),
        "place": pages.place(request.endpoint),
        "chosen": preferences(),
        "cookies": cookie_name(current_app, ""),
        "zone": zone_label(),
        "asset_url": asset_url,
        "has_asset": has_asset,
    }

"""What every page's frame shows: the situation, the navigation, what the reader has chosen."""

from typing import Any

from flask import current_app, request

from web.assets import asset_url, has_asset
from web.cookies import cookie_name
from web.preferences import preferences, zone_label
from web.site_stores import settings, stores
from web.situation import situation
from web.views import pages
from web.worth import reader_costs


def shell() -> dict[str, Any]:
    """Return what base.html needs."""
    beat = stores().heartbeat()
    return {
        "now": situation(beat, stores().mono_s()),
        "version": beat.version,
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

"""What a reader chooses: how pages look, whose clock they show, what trading costs them, which symbols are watched."""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from web.hosts import parts_of
from web.page_answers import default_horizon
from web.preferences import LOOKS, MAX_FEE_BPS, fee_of, is_zone, preferences, remember, watch_word, zone_names
from web.problems import refuse_argument
from web.site_stores import settings, stores
from web.views import pages

page = pages.add("settings", within="settings")(Blueprint("settings", __name__))


@page.get("/settings")
def index() -> Response:
    """Show the choices; the form leads back to the page the reader came from."""
    came_from = parts_of(request.referrer or "")
    is_ours = came_from.netloc == request.host and came_from.path != request.path
    text = render_template(
        "settings.html",
        looks=LOOKS,
        chosen=preferences(),
        zones=zone_names(),
        horizons=stores().heartbeat().horizons,
        first_horizon=default_horizon(),
        fee_bps=settings().FEE_BPS,
        max_fee_bps=MAX_FEE_BPS,
        symbols=[entry.symbol for entry in stores().symbols()],
        back=came_from._replace(scheme="", netloc="").geturl() if is_ours else "/",
    )
    answer = Response(text, mimetype="text/html")
    answer.cache_control.no_store = True  # it holds the token of one visitor, and depends on where one came from
    return answer


@page.post("/settings")
def choose() -> AnyResponse:
    """Keep the looks, the zone, the first horizon and the fee."""
    allowed = {name: list(words) for name, words in LOOKS.items()}
    allowed["horizon"] = ["", *stores().heartbeat().horizons]
    chosen = {name: request.form.get(name, "") for name in (*allowed, "zone", "fee")}
    for name, words in allowed.items():
        if chosen[name] not in words:
            refuse_argument(name, chosen[name], words)
    if not is_zone(chosen["zone"]):
        refuse_argument("zone", chosen["zone"], "the name of a time zone, such as Europe/Berlin, or nothing for UTC")
    chosen["fee"] = _asked_fee(chosen["fee"])
    answer = redirect(_way_back(), 303)
    for name, value in chosen.items():
        remember(answer, name, value)
    return answer


@page.post("/settings/watch")
def watch() -> AnyResponse:
    """Keep the watchlist."""
    known = {entry.symbol for entry in stores().symbols()}
    answer = redirect(_way_back(), 303)
    symbols = [name for name in request.form.getlist("symbol") if name in known]
    remember(answer, "watch", watch_word(symbols))
    return answer


def _asked_fee(text: str) -> str:
    """Return the fee as the cookie holds it; empty when it is the one of this instance."""
    fee_bps = fee_of(text.strip().replace(",", "."))
    if text.strip() and fee_bps is None:
        refuse_argument("fee", text, f"bps of one side, 0 to {MAX_FEE_BPS:g}, or nothing for this board's own")
    return "" if fee_bps in (None, settings().FEE_BPS) else f"{fee_bps:g}"


def _way_back() -> str:
    """Return the page to go on with; never one of another site."""
    path = request.form.get("back", "/")
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"

"""One symbol: its chart, its newest prediction in words and figures, and what became of earlier ones."""

from flask import Blueprint, Response

from web.chart_lines import KEYS
from web.chart_sheet import symbol_intervals
from web.page_answers import asked_horizon, asked_word, asked_words, page_answer
from web.problems import ProblemError
from web.site_stores import stores
from web.symbol_sheet import make_sheet
from web.tables import nearest
from web.views import pages
from web.worth import reader_costs

page = pages.add("symbol", within="board")(Blueprint("symbol", __name__))


@page.get("/s/<symbol>")
def index(symbol: str) -> Response:
    """Show one symbol; a 404 page names those that sound alike."""
    entry = stores().symbol(symbol)
    if entry is None:
        raise _unknown(symbol)
    base = stores().heartbeat().interval
    interval = asked_word("interval", symbol_intervals(base), base)
    shown = (interval, asked_words("indicators", KEYS))
    sheet = make_sheet(stores(), entry, asked_horizon(), shown, reader_costs())
    return page_answer("symbol.html", sheet=sheet, horizon_names=stores().heartbeat().horizons)


def _unknown(symbol: str) -> ProblemError:
    known = [entry.symbol for entry in stores().symbols()]
    text = (
        f"The board follows {len(known)} pairs." if known else "The board follows no pair yet: the engine is starting."
    )
    shown = symbol[:40]
    return ProblemError(
        404,
        "unknown_symbol",
        f"{shown!r} is not followed here; {text[0].lower()}{text[1:-1]}",
        title=f"{shown} is not a symbol here",
        text=text,
        near=nearest(symbol[:40], known),
    )

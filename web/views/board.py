"""The live table: one row a symbol, sorted by what it is worth or as asked, kept fresh by the event stream."""

from flask import Blueprint, Response, request

from web.board import make_board
from web.board_order import DEFAULT_SORT, SHOWS, SORTS, Asked
from web.page_answers import asked_horizon, asked_word, page_answer
from web.preferences import preferences
from web.site_stores import stores
from web.views import pages
from web.worth import reader_costs

page = pages.add("board", "Board", order=1)(Blueprint("board", __name__))


@page.get("/")
def index() -> Response:
    """Show the newest prediction of every symbol for one horizon."""
    asked = Asked(
        asked_horizon(),
        asked_word("show", list(SHOWS), "all"),
        request.args.get("filter", "").strip()[:20],
        asked_word("sort", SORTS, DEFAULT_SORT),
    )
    board = make_board(stores(), asked, preferences().watched, reader_costs())
    return page_answer("board.html", board=board, horizon=asked.horizon, horizon_names=stores().heartbeat().horizons)

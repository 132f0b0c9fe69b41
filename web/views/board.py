"""The live table: one row a symbol, sorted by what it is worth, kept fresh by the event stream."""

from flask import Blueprint, Response, request

from web.board import SHOWS, make_board
from web.page_answers import asked_horizon, asked_word, page_answer
from web.site_stores import stores
from web.views import pages

page = pages.add("board", "Board", order=1)(Blueprint("board", __name__))


@page.get("/")
def index() -> Response:
    """Show the newest prediction of every symbol for one horizon."""
    horizon = asked_horizon()
    show = asked_word("show", list(SHOWS), "all")
    board = make_board(stores(), horizon, show, request.args.get("filter", "").strip()[:20])
    return page_answer("board.html", board=board, horizon=horizon, horizon_names=stores().heartbeat().horizons)

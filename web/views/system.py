"""How the house is: feed, gaps, engine, symbols, and how long things take."""

from flask import Blueprint, Response

from web.page_answers import page_answer
from web.site_stores import kept_answers, stores
from web.system import make_system
from web.views import pages

page = pages.add("system", "System", order=9)(Blueprint("system", __name__))


@page.get("/system")
def index() -> Response:
    """Show what the engine last said of itself, with its age."""
    return page_answer("system.html", sheet=make_system(stores(), kept_answers()))

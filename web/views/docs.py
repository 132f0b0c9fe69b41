"""What the API answers and how to ask it, with an example of each question: read from its own description."""

from flask import Blueprint, Response, request

from web.operations import operations
from web.page_answers import page_answer
from web.site_stores import described_api
from web.views import pages

page = pages.add("docs")(Blueprint("docs", __name__))


@page.get("/docs")
def index() -> Response:
    """Show every operation of the API."""
    return page_answer("docs.html", operations=operations(described_api()), root=request.host_url.rstrip("/"))

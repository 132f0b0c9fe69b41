"""One prediction for ever: the row as it was made, its model, its inputs, its outcome."""

from flask import Blueprint, Response

from web.page_answers import page_answer
from web.prediction_sheet import make_prediction
from web.problems import ProblemError
from web.site_stores import stores
from web.views import pages

page = pages.add("prediction", within="record")(Blueprint("prediction", __name__))


@page.get("/predictions/<id_>")
def index(id_: str) -> Response:
    """Show one row of the ledger; a 404 page says what an id is."""
    sheet = make_prediction(stores(), id_)
    if sheet is None:
        raise ProblemError(
            404,
            "unknown_prediction",
            f"there is no prediction {id_[:80]!r} in this market's ledger; the record leads to those there are",
            title="There is no such prediction",
        )
    return page_answer("prediction.html", sheet=sheet)

"""The track record: how good the predictions were, with sample sizes and intervals, and every row of it."""

import re

from flask import Blueprint, Response, request

from market.errors import DataError
from web.cursors import checked
from web.page_answers import asked_horizon, asked_word, page_answer
from web.problems import refuse_argument
from web.record import ORIGINS, STATES, Asked, make_record
from web.site_stores import stores
from web.tables import check_symbol
from web.views import pages

page = pages.add("record", "Record", order=2)(Blueprint("record", __name__))
_MODEL = re.compile(r"[\w.:-]{0,100}", re.ASCII)


@page.get("/record")
def index() -> Response:
    """Show the record of one origin and horizon, of all symbols and models or of one."""
    model = request.args.get("model", "")
    if not _MODEL.fullmatch(model):
        refuse_argument("model", model, "id of a model")
    asked = Asked(
        origin=asked_word("origin", list(ORIGINS), ""),
        horizon=asked_horizon(),
        symbol=check_symbol(request.args.get("symbol", "").strip().upper()[:40] or None) or "",
        model=model,
        state=asked_word("state", list(STATES), "scored"),
        cursor=checked(request.args.get("cursor") or None, "record") or "",
    )
    try:
        sheet = make_record(stores(), asked)
    except DataError:
        refuse_argument("cursor", asked.cursor, "the address of a page of the list")
    return page_answer("record.html", sheet=sheet, horizon_names=stores().heartbeat().horizons)

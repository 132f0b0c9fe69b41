"""The ledger: every prediction ever made, newest first."""

from collections.abc import Iterator
from typing import Any

from flask import Response

from data.ledger_pages import FILTERS
from data.ledger_rows import FIELDS, Row
from market.errors import DataError
from web.answers import csv_bytes, csv_stream, json_stream
from web.api import nouns
from web.arguments import MAX_LIMIT, ChoiceArguments, FieldList, ListArguments, choice, word
from web.described import ApiBlueprint, Shown, route
from web.examples import SCORED
from web.problems import refuse_argument
from web.rows import PredictionSchema
from web.site_stores import stores
from web.tables import Page, check_horizon, check_symbol, table

api = nouns.add("ledger")(ApiBlueprint("ledger", __name__, description="What was predicted"))


class RowArguments(ChoiceArguments):
    """Which rows of the ledger, and which of their keys."""

    columns = FieldList(FIELDS)
    model = word("id of one model", r"[\w.:-]{1,100}", "id of a model")
    origin = choice("where the rows come from; imported signals only when asked for", "live", "replayed", "imported")
    state = choice("how far the rows are", "open", "scored", "void")


class LedgerArguments(RowArguments, ListArguments):
    """Which rows of the ledger, how many of them, and from where on."""


_SHOWN = Shown(
    SCORED,
    {"symbol": "BTCUSDT", "state": "scored", "limit": "1"},
    columns=("made_at", "symbol", "horizon", "probability_up", "verdict", "outcome_return_bps", "net_bps", "origin"),
)


@table(api, "/ledger", LedgerArguments, PredictionSchema, version=lambda: stores().stamp(), shown=_SHOWN)
def ledger(asked: dict[str, Any]) -> Page:
    """List the ledger, newest first by (made_at, id)."""
    try:
        return Page(*stores().ledger(**_filters(asked), limit=asked["limit"], cursor=asked["cursor"]))
    except DataError:
        refuse_argument("cursor", asked["cursor"], "next_cursor of the page before")


_FILTER = {"symbol": "BTCUSDT", "state": "scored"}
_LINES_SHOWN = Shown(csv_bytes([list(SCORED), list(SCORED.values())]).decode(), _FILTER, command="ledger-csv")
_LIST_SHOWN = Shown({"items": [SCORED], "next_cursor": None}, _FILTER, command="ledger-json")


@route(api, "/ledger/all.csv", RowArguments, media_type="text/csv", shown=_LINES_SHOWN)
def ledger_file_csv(asked: dict[str, Any]) -> Response:
    """Return every row there is, newest first, as one file."""
    return csv_stream(_pages(asked), asked["columns"] or FIELDS, "ledger")


@route(api, "/ledger/all.json", RowArguments, answer={"type": "object"}, shown=_LIST_SHOWN)
def ledger_file_json(asked: dict[str, Any]) -> Response:
    """Return every row there is, newest first, as one file."""
    return json_stream(_pages(asked), asked["columns"] or FIELDS, "ledger")


def _filters(asked: dict[str, Any]) -> dict[str, Any]:
    check_symbol(asked["symbol"])
    check_horizon(asked["horizon"])
    return {name: asked[name] for name in FILTERS}


def _pages(asked: dict[str, Any]) -> Iterator[list[Row]]:
    """Return the pages of the ledger; each is read when the one before has been sent, so that memory stays small."""
    wanted, shelf = _filters(asked), stores()

    def pages() -> Iterator[list[Row]]:
        cursor: str | None = None
        while True:
            rows, cursor = shelf.ledger(**wanted, limit=MAX_LIMIT, cursor=cursor)
            yield rows
            if cursor is None:
                return

    return pages()

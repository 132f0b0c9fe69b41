"""The newest prediction of each symbol and horizon, and every single one for ever."""

from typing import Any

from flask import Response

from web.answers import json_answer
from web.api import nouns
from web.arguments import PageArguments
from web.described import ApiBlueprint, Shown, route
from web.examples import PREDICTION, SCORED
from web.kept_answers import keep_for_version
from web.problems import ProblemError, refuse_argument
from web.rows import LedgerRowSchema, PredictionSchema
from web.site_stores import stores
from web.tables import Item, Page, check_horizon, check_symbol, horizon_order, table

api = nouns.add("predictions")(ApiBlueprint("predictions", __name__, description="What is predicted"))


_SHOWN = Shown(
    PREDICTION,
    {"symbol": "BTCUSDT", "horizon": "4h"},
    command="predict",
    subject="symbol",
    columns=("symbol", "horizon", "price", "probability_up", "expected_return_bps", "edge_bps", "verdict", "reason"),
)
_ROW_SHOWN = Shown({**SCORED, "inputs": {"rsi": 51.5, "macd": None}}, {"id_": SCORED["id"]})


@table(api, "/predictions", PageArguments, PredictionSchema, version=lambda: stores().stamp(), shown=_SHOWN)
def predictions(asked: dict[str, Any]) -> Page:
    """List the newest prediction of each symbol and horizon, by symbol, then length of horizon."""
    rows = stores().latest(check_symbol(asked["symbol"]), check_horizon(asked["horizon"]))
    if asked["cursor"]:
        after = _place(asked["cursor"])
        rows = [row for row in rows if (row["symbol"], horizon_order(row["horizon"])) > after]
    kept = rows[: asked["limit"]]
    return Page(kept, _cursor(kept[-1]) if len(rows) > len(kept) else None)


@route(api, "/predictions/<id_>", answer=LedgerRowSchema, shown=_ROW_SHOWN, is_tagged=True)
def prediction(_: dict[str, Any], id_: str) -> Response:
    """Return one ledger row with the inputs its model saw."""
    row = stores().row(id_)
    if row is None:
        raise ProblemError(404, "unknown_prediction", f"there is no prediction {id_[:80]!r} in this ledger")
    keep_for_version()
    return json_answer(row)


def _cursor(row: Item) -> str:
    return f"{row['symbol']}.{row['horizon']}"


def _place(cursor: str) -> tuple[str, int]:
    symbol, _, horizon = cursor.partition(".")
    if not horizon_order(horizon):
        refuse_argument("cursor", cursor, "next_cursor of the page before")
    return symbol, horizon_order(horizon)

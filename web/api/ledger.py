"""The ledger: every prediction ever made, newest first."""

from typing import Any

from market.errors import DataError
from web.api import nouns
from web.arguments import PageArguments, choice, word
from web.described import ApiBlueprint, Shown
from web.examples import SCORED
from web.problems import refuse_argument
from web.rows import PredictionSchema
from web.site_stores import stores
from web.tables import Page, check_horizon, check_symbol, table

api = nouns.add("ledger")(ApiBlueprint("ledger", __name__, description="What was predicted"))


class LedgerArguments(PageArguments):
    """Which rows of the ledger."""

    model = word("id of one model", r"[\w.:-]{1,100}", "id of a model")
    origin = choice("where the rows come from", "live", "replayed")
    state = choice("how far the rows are", "open", "scored", "void")


_SHOWN = Shown(
    SCORED,
    {"symbol": "BTCUSDT", "state": "scored", "limit": "1"},
    columns=("made_at", "symbol", "horizon", "probability_up", "verdict", "outcome_return_bps", "net_bps", "origin"),
)


@table(api, "/ledger", LedgerArguments, PredictionSchema, version=lambda: stores().stamp(), shown=_SHOWN)
def ledger(asked: dict[str, Any]) -> Page:
    """List the ledger, newest first by (made_at, id)."""
    check_symbol(asked["symbol"])
    check_horizon(asked["horizon"])
    wanted = {name: asked[name] for name in ("symbol", "horizon", "model", "origin", "state", "limit", "cursor")}
    try:
        return Page(*stores().ledger(**wanted))
    except DataError:
        refuse_argument("cursor", asked["cursor"], "next_cursor of the page before")

"""The gaps of the feed: what the streams did not bring, how that ended, and which predictions it touched."""

from typing import Any

from market.errors import DataError
from web.api import nouns
from web.arguments import GapArguments
from web.described import ApiBlueprint, Shown
from web.examples import GAP
from web.problems import refuse_argument
from web.rows import GapSchema
from web.site_stores import stores
from web.tables import Page, check_symbol, table

api = nouns.add("gaps")(ApiBlueprint("gaps", __name__, description="What the streams did not bring"))


@table(api, "/gaps", GapArguments, GapSchema, shown=Shown(GAP, {"limit": "1"}))
def gaps(asked: dict[str, Any]) -> Page:
    """List the gaps that have ended, the one found last first."""
    check_symbol(asked["symbol"])
    wanted = {name: asked[name] for name in ("symbol", "limit", "cursor")}
    try:
        return Page(*stores().gaps(**wanted))
    except DataError:
        refuse_argument("cursor", asked["cursor"], "next_cursor of the page before")

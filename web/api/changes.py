"""What became of the models: who serves, who is on trial, who was promoted or rolled back, and why."""

from typing import Any

from data.champion_store import ChampionStore, Change
from utils.times import iso_utc
from web.api import nouns
from web.arguments import ChangeArguments
from web.described import ApiBlueprint, Shown
from web.examples import CHANGE
from web.rows import ChangeSchema
from web.site_stores import stores
from web.tables import Item, Page, check_horizon, table

api = nouns.add("changes")(ApiBlueprint("changes", __name__, description="What became of the models"))


@table(api, "/changes", ChangeArguments, ChangeSchema, shown=Shown(CHANGE, {"limit": "1"}))
def changes(asked: dict[str, Any]) -> Page:
    """List the changes of the models' roles, and the orders that could not be done, newest first."""
    horizon = check_horizon(asked["horizon"])
    nothing: list[Change] = []
    found = stores().ask(
        lambda engine, interval: ChampionStore(engine, interval).changes(asked["limit"], [horizon] if horizon else []),
        nothing,
    )
    return Page([_item(change) for change in found])


def _item(change: Change) -> Item:
    return {
        "changed_at": iso_utc(change.at_ms),
        "horizon": change.horizon or None,
        "kind": change.kind,
        "model": change.model or None,
        "before": change.before,
        "made_by": change.made_by,
        "text": change.text,
        "n": change.compared.n,
        "difference": change.compared.difference,
        "difference_low": change.compared.low,
        "difference_high": change.compared.high,
    }

"""The symbols the engine follows, with their order rules."""

from typing import Any

from web.api import nouns
from web.arguments import Arguments
from web.described import ApiBlueprint, Shown
from web.examples import SYMBOL
from web.rows import SymbolSchema
from web.site_stores import stores
from web.tables import Item, Page, table

api = nouns.add("symbols")(ApiBlueprint("symbols", __name__, description="What is followed"))


@table(api, "/symbols", Arguments, SymbolSchema, shown=Shown(SYMBOL))
def symbols(_: dict[str, Any]) -> Page:
    """List the symbols the engine follows."""
    beat, now_s = stores().heartbeat(), stores().mono_s()
    return Page([_item(entry, beat.symbol_state(entry, now_s)) for entry in beat.symbols])


def _item(entry: Any, state: str) -> Item:
    return {
        "symbol": entry.symbol,
        "base": entry.base,
        "quote": entry.quote,
        "status": entry.status,
        "state": state,
        "price_digits": entry.price_digits,
        "tick_size": _number(entry.tick),
        "step_size": _number(entry.step),
        "min_notional": _number(entry.min_notional),
    }


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)

"""The model cards."""

from typing import Any

from web.api import nouns
from web.arguments import Arguments
from web.described import ApiBlueprint, Shown
from web.examples import MODEL
from web.model_cards import model_cards
from web.rows import ModelSchema
from web.site_stores import stores
from web.tables import Page, table

api = nouns.add("models")(ApiBlueprint("model_cards", __name__, description="Who predicts"))


_SHOWN = Shown(MODEL, columns=("id", "state", "family", "horizon", "created", "reason"))


@table(api, "/models", Arguments, ModelSchema, shown=_SHOWN)
def models(_: dict[str, Any]) -> Page:
    """List the model cards; a file that was refused is an item with state "refused" and the reason."""
    return Page(model_cards(stores()))

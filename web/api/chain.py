"""The head of the chain over the ledger: note it down, and any later change of an older row can be proved."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from web.answers import json_answer
from web.api import nouns
from web.described import ApiBlueprint, Shown, route
from web.examples import CHAIN
from web.kept_answers import keep_for_version
from web.site_stores import stores

api = nouns.add("chain")(ApiBlueprint("chain", __name__, description="Proof that nothing was changed"))


class ChainSchema(Schema):
    """The newest link."""

    links = fields.Integer(metadata={"description": "how many there are"})
    last_id = fields.String(allow_none=True, metadata={"description": "the newest row the head stands for"})
    head = fields.String(
        allow_none=True, metadata={"description": "SHA-256 over the link before and its rows; null without any row"}
    )


@route(api, "/chain", answer=ChainSchema, problems=(400,), shown=Shown(CHAIN), is_tagged=True)
def chain(_: dict[str, Any]) -> Response:
    """Return the newest link of the chain over the ledger."""
    keep_for_version()
    return json_answer(stores().chain(), tag=stores().stamp())

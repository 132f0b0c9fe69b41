"""Several questions in one call, for those whose way to us is long."""

from typing import Any

from flask import Response, current_app, request
from marshmallow import RAISE, Schema, fields, validate

from web.answers import json_bytes
from web.api import PREFIX, nouns
from web.batch import MAX_PATHS, ask_all
from web.described import ApiBlueprint, Shown, question
from web.examples import CHAIN

api = nouns.add("batch")(ApiBlueprint("batch", __name__, description="Several questions in one call"))

_MAX_PATH = 2_000
# Nothing is written in another way (%73tream, //stream): what the site would read out of it was not looked at here.
_PATH = rf'^{PREFIX}/(?!(batch|stream)(\?|$))(?![^?]*\.\.)[\w.:-]+(/[\w.:-]+)*(\?[!"$-\[\]-~]*)?$(?!\n)'
_REFUSED = "not a path of this API that can be asked here"
_ALLOWED = f"1 to {MAX_PATHS} paths such as {PREFIX}/status; neither {PREFIX}/batch nor {PREFIX}/stream"


class BatchArguments(Schema):
    """The questions."""

    class Meta:
        """Refuse what is not listed."""

        unknown = RAISE

    paths = fields.List(
        fields.String(validate=[validate.Length(max=_MAX_PATH), validate.Regexp(_PATH, error=_REFUSED)]),
        required=True,
        validate=validate.Length(1, MAX_PATHS),
        metadata={"x-allowed": _ALLOWED, "description": "paths of this API with their queries"},
    )


class BatchItemSchema(Schema):
    """One answer."""

    path = fields.String()
    status = fields.Integer()
    headers = fields.Dict(fields.String(), fields.String())
    body = fields.Raw(allow_none=True, metadata={"description": "the value of JSON, else a text"})


class BatchSchema(Schema):
    """The answers, in the order of the questions."""

    items = fields.List(fields.Nested(BatchItemSchema))


_CHAIN_PATH = f"{PREFIX}/chain"
_SHOWN = Shown(
    {"items": [{"path": _CHAIN_PATH, "status": 200, "headers": {"Content-Type": "application/json"}, "body": CHAIN}]},
    {"paths": [_CHAIN_PATH]},
)


@question(api, "/batch", BatchArguments, BatchSchema, _SHOWN)
def batch(asked: dict[str, Any]) -> Response:
    """Answer up to 20 questions at once, each as if it had been asked alone."""
    items = ask_all(current_app.wsgi_app, request, asked["paths"])
    answer = Response(json_bytes({"items": items}), mimetype="application/json")
    answer.cache_control.no_store = True
    return answer

"""The state of the house in one small answer."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from web.answers import json_bytes
from web.api import nouns
from web.described import ApiBlueprint, Shown, route
from web.examples import STATUS
from web.site_stores import stores

api = nouns.add("status")(ApiBlueprint("status", __name__, description="How it is now"))


class FeedSchema(Schema):
    """The market feed."""

    state = fields.String(metadata={"description": "live, stale, connecting or down"})
    last_message_age_s = fields.Float(allow_none=True)
    reconnects = fields.Integer()
    gaps_found = fields.Integer()
    gaps_repaired = fields.Integer()
    rejected_rows = fields.Integer()
    weight_used_1m = fields.Integer(allow_none=True)
    weight_limit_1m = fields.Integer(allow_none=True)
    renewals = fields.Integer(metadata={"description": "connections replaced before their end, without a break"})
    lag_s = fields.Float(
        allow_none=True, metadata={"description": "how old the newest events were when they were read"}
    )
    conflated = fields.Integer(metadata={"description": "states of open candles and prices replaced unread"})


class SymbolStateSchema(Schema):
    """How fresh one symbol is."""

    symbol = fields.String()
    state = fields.String(metadata={"description": "live, stale, gapped or closed"})
    last_candle_open = fields.DateTime(allow_none=True)
    data_age_s = fields.Float(allow_none=True)


class EngineSchema(Schema):
    """The engine's process, judged from outside it."""

    alive = fields.Boolean()
    pid = fields.Integer(allow_none=True)
    uptime_s = fields.Float(allow_none=True)
    rss_mb = fields.Float(allow_none=True)


class StatusSchema(Schema):
    """The state of the house."""

    market = fields.String(
        allow_none=True, metadata={"description": "binance or simulated; null before the first start"}
    )
    server_time = fields.DateTime(metadata={"description": "the market's clock"})
    version = fields.Integer(metadata={"description": "grows with every change of the ledger"})
    interval = fields.String()
    horizons = fields.List(fields.String())
    feed = fields.Nested(FeedSchema)
    symbols = fields.List(fields.Nested(SymbolStateSchema))
    engine = fields.Nested(EngineSchema)


@route(api, "/status", answer=StatusSchema, problems=(400,), shown=Shown(STATUS))
def status(_: dict[str, Any]) -> Response:
    """Return the state of the market, the feed, the symbols and the engine."""
    answer = Response(json_bytes(stores().status()), mimetype="application/json")
    answer.cache_control.no_store = True
    return answer

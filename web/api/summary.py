"""One small answer that fills a phone screen."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields

from web.answers import json_answer
from web.api import nouns
from web.arguments import Arguments, horizon_word
from web.described import ApiBlueprint, Shown, route
from web.examples import SUMMARY
from web.kept_answers import keep_for_moment
from web.page_answers import default_horizon
from web.site_stores import stores
from web.summary import RESOLVED, SKILL_DAYS, TOP, make_summary
from web.tables import check_horizon

api = nouns.add("summary")(ApiBlueprint("summary", __name__, description="The board on a phone"))


class SummaryArguments(Arguments):
    """For which horizon."""

    horizon = horizon_word()


class SummaryFeedSchema(Schema):
    """The market feed in two words."""

    state = fields.String(metadata={"description": "live, stale, connecting or down"})
    age_s = fields.Float(allow_none=True, metadata={"description": "seconds since its last message"})


class RecentSkillSchema(Schema):
    """The skill of the last days, all symbols together."""

    days = fields.Integer()
    origin = fields.String()
    n = fields.Integer()
    n_independent = fields.Integer()
    brier_skill = fields.Float(allow_none=True)
    brier_skill_low = fields.Float(allow_none=True)
    brier_skill_high = fields.Float(allow_none=True)
    verdict = fields.String()


class TopSchema(Schema):
    """One of the predictions with the most edge."""

    symbol = fields.String()
    price = fields.Float()
    verdict = fields.String()
    reason = fields.String(allow_none=True)
    probability_up = fields.Float(allow_none=True)
    expected_return_bps = fields.Float(allow_none=True)
    edge_bps = fields.Float(allow_none=True)


class ResolvedSchema(Schema):
    """One call that was resolved."""

    symbol = fields.String()
    verdict = fields.String()
    due_at = fields.DateTime()
    origin = fields.String()
    outcome_return_bps = fields.Float(allow_none=True)
    net_bps = fields.Float(allow_none=True)


class SummarySchema(Schema):
    """The board of one horizon, in short."""

    market = fields.String(allow_none=True)
    server_time = fields.DateTime(metadata={"description": "the market's clock"})
    version = fields.Integer(metadata={"description": "of the ledger"})
    interval = fields.String()
    horizon = fields.String(allow_none=True)
    engine_alive = fields.Boolean()
    feed = fields.Nested(SummaryFeedSchema)
    notice = fields.String(allow_none=True, metadata={"description": "what is wrong, in a sentence"})
    symbols = fields.Dict(
        fields.String(), fields.Integer(), metadata={"description": "how many are followed, by state"}
    )
    skill = fields.Nested(
        RecentSkillSchema, allow_none=True, metadata={"description": f"of the last {SKILL_DAYS} days"}
    )
    verdicts = fields.Dict(fields.String(), fields.Integer(), metadata={"description": "how many say what"})
    abstained = fields.Dict(
        fields.String(), fields.Integer(), metadata={"description": "how many say nothing, by reason"}
    )
    top = fields.List(fields.Nested(TopSchema), metadata={"description": f"the {TOP} with the most edge"})
    last_resolved = fields.List(
        fields.Nested(ResolvedSchema), metadata={"description": f"the {RESOLVED} calls resolved last"}
    )


@route(
    api,
    "/summary",
    SummaryArguments,
    SummarySchema,
    problems=(400,),
    shown=Shown(SUMMARY, {"horizon": "4h"}),
    is_tagged=True,
)
def summary(asked: dict[str, Any]) -> Response:
    """Return the board of one horizon in one small answer, at most 4 kB."""
    keep_for_moment()
    horizon = check_horizon(asked["horizon"]) or default_horizon()
    return json_answer(make_summary(stores(), horizon))

"""How good the predictions were, with sample size and interval."""

from typing import Any

from data.skill_store import PARTS
from web.api import nouns
from web.arguments import ChoiceArguments, choice, word
from web.described import ApiBlueprint, Shown
from web.examples import SKILL
from web.rows import SkillSchema
from web.site_stores import stores
from web.tables import Page, check_horizon, check_symbol, table

api = nouns.add("skill")(ApiBlueprint("skill", __name__, description="How good it was"))


class SkillArguments(ChoiceArguments):
    """Which rows are scored together."""

    model = word("id of one model", r"[\w.:-]{1,100}", "id of a model")
    origin = choice("where the rows come from; imported signals only when asked for", "live", "replayed", "imported")
    by = choice("horizon: all symbols together; model, week, regime: each of these, too", "horizon", *PARTS)


_SHOWN = Shown(
    SKILL,
    {"horizon": "4h", "by": "horizon"},
    columns=("symbol", "horizon", "origin", "n", "brier_skill", "brier_skill_low", "brier_skill_high", "verdict"),
)


@table(api, "/skill", SkillArguments, SkillSchema, version=lambda: stores().stamp(), shown=_SHOWN)
def skill(asked: dict[str, Any]) -> Page:
    """List the scores of each symbol, horizon and origin, or of each part of them, against the best baseline."""
    check_symbol(asked["symbol"])
    check_horizon(asked["horizon"])
    return Page(stores().skill(**asked))

"""Give the roles of each horizon: the first model serves at once, later ones when they have earned it."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from data.champion_store import ENGINE, PERSON, ChampionStore, Change, Holder, Roles
from data.model_store import ModelStore
from data.paired_score import NOTHING, Compared
from engine.contest import Contender, Ruling, rule_on_challenger, rule_on_predecessor
from engine.shadow import Shadow
from features.feature_engineering import COLUMNS, definition_hash
from market.errors import SourceUnavailable

logger = logging.getLogger(__name__)

UNSOUND = "the files are not sound, or made for other features"

Cuts = dict[str, int]  # of the sound models of a horizon, newest first: up to when each knows the market


class Champions:
    """The roles of all horizons; what changes is written down first."""

    def __init__(
        self,
        store: ChampionStore,
        models: ModelStore,
        shadow: Shadow,
        venue: str,
        interval: str,
        horizons: dict[str, int],
    ) -> None:
        """Go on where `store` says the last run ended; `horizons`: lengths in ms."""
        self._store = store
        self._models = models
        self._shadow = shadow
        self._venue = venue
        self._interval = interval
        self._horizons = horizons
        self.roles: Mapping[str, Roles] = {name: roles for name, roles in store.roles().items() if name in horizons}
        self.cuts: dict[str, Cuts] = {}
        shadow.roles = self.roles

    def review(self, market_ms: int) -> None:
        """Look at every horizon: which of its models are sound, what is new, and who has earned what."""
        for horizon in self._horizons:
            cuts = self._models.sound(self._venue, self._interval, horizon, COLUMNS, definition_hash())
            self.cuts[horizon] = cuts
            try:
                self._forget_unsound(horizon, cuts, market_ms)
                self._judge(horizon, cuts, market_ms)  # first: a challenger that has earned it is not replaced
                self._admit(horizon, cuts, market_ms)
            except SourceUnavailable as error:
                logger.warning("roles not written reason=%s", error)

    def promote(self, model: str, market_ms: int) -> str | None:
        """Let a person's choice speak for its horizon; return why not, or None."""
        horizon = next((name for name, cuts in self.cuts.items() if model in cuts), None)
        if horizon is None:
            return f"{model[:80]} is no sound model of this market"
        roles = self._roles(horizon)
        if roles.champion is not None and roles.champion.model == model:
            return f"{model} speaks already"
        kind = "rolled back" if roles.predecessor is not None and roles.predecessor.model == model else "promoted"
        champion = roles.champion.model if roles.champion else ""
        self._crown(
            horizon,
            model,
            Ruling(kind, "chosen on this page"),
            PERSON,
            market_ms,
            self._against(horizon, model, champion),
        )
        return None

    def refuse(self, model: str, text: str, market_ms: int) -> None:
        """Write down that what a person asked for was not done."""
        horizon = next((name for name, cuts in self.cuts.items() if model in cuts), "")
        self._store.record(Change(market_ms, horizon, "not done", model[:80], text, made_by=PERSON))

    def _forget_unsound(self, horizon: str, cuts: Cuts, market_ms: int) -> None:
        """Take their roles from models whose files are no longer sound; the one before serves, or the newest."""
        if not cuts:
            return  # more likely the folder cannot be read than that all broke at once; who is in memory stays
        roles = self._roles(horizon)
        for role in ("challenger", "predecessor"):
            holder = getattr(roles, role)
            if holder is not None and holder.model not in cuts:
                roles = replace(roles, **{role: None})
                self._record(Change(market_ms, horizon, "dropped", holder.model, UNSOUND), roles)
        champion = roles.champion
        if champion is None or champion.model in cuts:
            return
        heir = next((holder.model for holder in (roles.predecessor, roles.challenger) if holder), next(iter(cuts)))
        self._crown(horizon, heir, Ruling("promoted", f"of the champion, {UNSOUND}"), ENGINE, market_ms)

    def _admit(self, horizon: str, cuts: Cuts, market_ms: int) -> None:
        """Let the newest model serve where none does, else try it in the shadow; none is tried twice."""
        roles, newest = self._roles(horizon), next(iter(cuts), None)
        if newest is None or newest in roles.models():
            return
        if roles.champion is None:
            self._crown(horizon, newest, Ruling("serves", "the first model of this horizon"), ENGINE, market_ms)
            return
        if cuts[newest] <= cuts.get(roles.champion.model, 0) or newest in self._store.seen(horizon):
            return
        text = f"in the shadow of {roles.champion.model}"
        if roles.challenger is not None:
            text += f", in place of {roles.challenger.model}"
        change = Change(market_ms, horizon, "challenges", newest, text, roles.champion.model)
        self._record(change, replace(roles, challenger=Holder(newest, market_ms)))

    def _judge(self, horizon: str, cuts: Cuts, market_ms: int) -> None:
        roles = self._roles(horizon)
        if roles.champion is None or roles.champion.model not in cuts:
            return
        champion = Contender(roles.champion, cuts[roles.champion.model])
        if roles.predecessor is not None:
            before = Contender(roles.predecessor, cuts[roles.predecessor.model])
            compared = self._against(horizon, before.holder.model, champion.holder.model, before.holder.since_ms)
            ruling = rule_on_predecessor(champion, before, compared, market_ms)
            if ruling is not None:
                self._crown(horizon, before.holder.model, ruling, ENGINE, market_ms, compared)
                return
        if roles.challenger is not None:
            newer = Contender(roles.challenger, cuts[roles.challenger.model])
            compared = self._against(horizon, newer.holder.model, champion.holder.model)
            ruling = rule_on_challenger(champion, newer, compared, market_ms, self._horizons[horizon])
            if ruling is not None and ruling.kind == "dropped":
                change = Change(market_ms, horizon, "dropped", newer.holder.model, ruling.text, compared=compared)
                self._record(change, replace(roles, challenger=None))
            elif ruling is not None:
                self._crown(horizon, newer.holder.model, ruling, ENGINE, market_ms, compared)

    def _against(self, horizon: str, model: str, champion: str, since_ms: int = 0) -> Compared:
        return self._shadow.compared(horizon, model, champion, since_ms)

    def _crown(
        self, horizon: str, model: str, ruling: Ruling, by: str, market_ms: int, compared: Compared | None = None
    ) -> None:
        """Let a model speak from now on; the one that spoke goes on in its shadow, if its files are sound."""
        roles = self._roles(horizon)
        before = roles.champion
        challenger = roles.challenger if roles.challenger and roles.challenger.model != model else None
        change = Change(
            market_ms,
            horizon,
            ruling.kind,
            model,
            ruling.text,
            before.model if before else None,
            by,
            compared or NOTHING,
        )
        is_sound = before is not None and before.model in self.cuts[horizon]
        predecessor = replace(before, since_ms=market_ms) if before and is_sound else None
        self._record(change, Roles(Holder(model, market_ms, by), predecessor, challenger))

    def _record(self, change: Change, roles: Roles) -> None:
        self._store.record(change, roles)
        self._give(change.horizon, roles)
        logger.info("model %s horizon=%s model=%s reason=%r", change.kind, change.horizon, change.model, change.text)

    def _give(self, horizon: str, roles: Roles) -> None:
        self.roles = {**self.roles, horizon: roles}
        self._shadow.roles = self.roles

    def _roles(self, horizon: str) -> Roles:
        return self.roles.get(horizon, Roles())

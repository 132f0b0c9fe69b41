"""Everything the models page shows: who speaks, who is on trial, what was decided, what was refused."""

import json
from dataclasses import dataclass
from typing import Any

from data.champion_store import PERSON, ChampionStore, Change
from utils.mailbox import Letter
from utils.times import parse_utc
from web.heartbeat import Heartbeat, Training
from web.model_cards import Card, model_cards
from web.model_choices import Choice, choices_of, family_name
from web.model_drawings import DRIFT_BARS, Bar, SkillPlot, drift_bars, skill_limit, skill_plot
from web.skills import Skill, is_few, is_told, scored
from web.stores import Stores

CHANGES = 12
WEEKS = 8
_ROLE_WORDS = {"champion": "Champion", "challenger": "Challenger", "predecessor": "Before", "retired": "Retired"}
_SOURCES = (("live", "live"), ("replayed", "in walk-forward"))
_LEAK_KEYS = frozenset({"test", "horizon", "n", "verdict", "sentence"})


@dataclass(frozen=True, slots=True)
class Score:
    """One score of a model in words: where its rows come from, its value, n and interval (shares of 1)."""

    source: str
    value: float | None  # None: too few horizons to tell
    n: int
    low: float | None
    high: float | None
    plot: SkillPlot | None


@dataclass(frozen=True, slots=True)
class Kept:
    """How often ranges held (a share of 1) that are as wide as each symbol's own outcomes ask for."""

    source: str
    share: float
    n: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model as its card shows it."""

    card: Card
    role: str
    family: str
    since_ms: int | None
    cut_ms: int
    first_ms: int
    expires_ms: int
    is_expired: bool
    record: dict[str, Any]  # walk-forward figures of its family
    scores: list[Score]
    kept: Kept | None
    choices: list[Choice]
    bars: list[Bar]
    bar_names: list[tuple[str, float]]

    @property
    def days(self) -> int:
        """Return how many days of history it was trained from."""
        return round((self.cut_ms - self.first_ms) / 86_400_000)


@dataclass(frozen=True, slots=True)
class ModelsSheet:
    """The models page for one horizon."""

    horizon: str
    horizons: tuple[str, ...]
    is_alive: bool
    training: Training | None
    share: float | None
    cards: list[ModelCard]
    changes: list[Change]
    undo: Change | None
    refused: list[Card]
    waiting: list[Letter]
    weeks: list[tuple[str, Skill]]  # live, by ISO week
    leaks: list[dict[str, Any]]
    leak_job: Training | None
    leak_failure: str | None


def make_models(stores: Stores, horizon: str) -> ModelsSheet:
    """Return the sheet of one horizon as it is now."""
    beat = stores.heartbeat()
    cards = model_cards(stores)
    sound = [card for card in cards if card["state"] == "ok" and card["interval"] == beat.interval]
    here = [card for card in sound if card["horizon"] == horizon]
    limit = skill_limit([value for card in here for value in _shown_values(card)])
    nothing: list[Change] = []
    changes = stores.ask(lambda engine, interval: ChampionStore(engine, interval).changes(CHANGES), nothing)
    is_alive = beat.is_alive(stores.mono_s())
    training = beat.training if is_alive else None
    leaks, is_done = _leaks(stores, beat)
    return ModelsSheet(
        horizon=horizon,
        horizons=beat.horizons,
        is_alive=is_alive,
        training=training,
        share=None if training is None or not training.total else (training.done or 0) / training.total,
        cards=[_model_card(card, limit, stores.market_ms()) for card in here],
        changes=changes,
        undo=_undo(changes, horizon, here),
        refused=[card for card in cards if card["state"] != "ok"],
        waiting=[letter for letter in stores.mailbox.waiting() if letter.get("order") != "empty"],
        weeks=_weeks(stores, horizon),
        leaks=leaks,
        leak_job=beat.models.leaks if is_alive else None,
        leak_failure=None if is_done else beat.models.leaks_failure,
    )


def _model_card(card: Card, limit: float, market_ms: int) -> ModelCard:
    expires_ms = parse_utc(card["expires_at"])
    drift = card["drift"]
    shares = [index / drift["limits"][name] for name, index in drift["features"].items()]
    return ModelCard(
        card=card,
        role=_ROLE_WORDS[card["role"]],
        family=family_name(card["family"]).capitalize(),
        since_ms=None if card["since"] is None else parse_utc(card["since"]),
        cut_ms=parse_utc(card["created"]),
        first_ms=parse_utc(card["history"]["first"]),
        expires_ms=expires_ms,
        is_expired=market_ms >= expires_ms,
        record=card["metrics"].get(card["family"], {}),
        scores=_scores(card, limit),
        kept=_kept(card),
        choices=choices_of(card),
        bars=drift_bars(shares),
        bar_names=list(drift["features"].items())[:DRIFT_BARS],
    )


def _kept(card: Card) -> Kept | None:
    """Return how often the ranges of its rows in the ledger held: live ones, else those of the walk-forward."""
    for origin, source in _SOURCES:
        scores = card["scores"].get(origin)
        if scores and scores["coverage_kept"] is not None and not is_few(scores):
            return Kept(source, scores["coverage_kept"], scores["n"])
    return None


def _scores(card: Card, limit: float) -> list[Score]:
    """Return the out-of-sample scores of a model: of live rows, and of the walk-forward in the record or training.

    A later model finds most slots of the record taken: where its own rows there are too few, its training is asked.
    """
    scores, record = card["scores"], card["metrics"].get(card["family"])
    found = [_score(source, scores[origin], limit) for origin, source in _SOURCES if origin in scores]
    if record and not is_told(scores.get("replayed")):
        value = record["brier_skill"]
        in_training = Score("in walk-forward", value, record["n"], None, None, skill_plot(value, None, None, limit))
        found = [score for score in found if score.source == "live"] + [in_training]
    return found


def _score(source: str, scores: dict[str, Any], limit: float) -> Score:
    if not is_told(scores):
        return Score(source, None, scores["n"], None, None, None)
    value, low, high = (scores[name] for name in ("brier_skill", "brier_skill_low", "brier_skill_high"))
    return Score(source, value, scores["n"], low, high, skill_plot(value, low, high, limit))


def _shown_values(card: Card) -> list[float]:
    shown = [scores for scores in card["scores"].values() if is_told(scores)]
    return [scores[name] for scores in shown for name in ("brier_skill", "brier_skill_low", "brier_skill_high")]


def _weeks(stores: Stores, horizon: str) -> list[tuple[str, Skill]]:
    items = stores.recent_skill(by="week", horizon=horizon, origin="live")[-WEEKS:] if horizon else []
    return [(item["week"], scored(item)) for item in items]


def _undo(changes: list[Change], horizon: str, here: list[Card]) -> Change | None:
    """Return the newest change of a horizon's champion, when a person made it and what was before is still there."""
    newest = next((one for one in changes if one.horizon == horizon and one.kind in ("promoted", "rolled back")), None)
    is_there = newest is not None and any(card["id"] == newest.before for card in here)
    return newest if newest is not None and newest.made_by == PERSON and is_there else None


def _leaks(stores: Stores, beat: Heartbeat) -> tuple[list[dict[str, Any]], bool]:
    """Return the newest results of the leak tests, and whether that run came to its end; nothing where none was."""
    try:
        found = json.loads((stores.instance_dir / f"{beat.venue}.leaks.json").read_bytes())
        results = [one for one in found["results"] if set(one) >= _LEAK_KEYS]
    except (OSError, ValueError, KeyError, TypeError):
        return [], False
    return results, found.get("state") == "done"

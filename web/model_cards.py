"""Each model's card with what has become of it: its role, its scores, its drift, what it weighs."""

from functools import partial
from typing import Any

from sqlalchemy import Engine

from data.champion_store import MODEL_LIFE_MS, ChampionStore, Roles
from data.drift_store import DriftReport, DriftStore
from data.model_skill import model_scores
from data.paired_score import NOTHING
from data.shadow_store import ShadowStore
from utils.times import iso_utc, parse_utc
from web.stores import Stores

ROLES = ("champion", "challenger", "predecessor", "retired")
_SHOWN_SCORES = (
    "n",
    "n_independent",
    "brier_skill",
    "brier_skill_low",
    "brier_skill_high",
    "net_bps_per_prediction",
    "verdict",
    "coverage_kept",
)

Card = dict[str, Any]


def model_cards(stores: Stores) -> list[Card]:
    """Return the cards of this market, by horizon and role, then the refused files."""
    cards = stores.models()
    sound = [card for card in cards if card["state"] == "ok"]
    nobody: dict[str, Roles] = {}
    roles = stores.ask(lambda engine, interval: ChampionStore(engine, interval).roles(), nobody)
    for card in sound:
        of_horizon = roles.get(card["horizon"], Roles())
        card |= _role(card, of_horizon)
        card |= stores.ask(partial(_figures, card, of_horizon), _no_figures())
        load = stores.heartbeat().models.loads.get(card["id"])
        card |= {"load_ms": load.load_ms if load else None, "memory_bytes": load.bytes if load else None}
        card.pop("spread", None)
    sound.sort(key=lambda card: (card["horizon_candles"], ROLES.index(card["role"])))
    return sound + [card for card in cards if card["state"] != "ok"]


def _role(card: Card, roles: Roles) -> Card:
    """Return the role of a model, since when, and when it is too old to speak."""
    expires_at = iso_utc(parse_utc(card["created"]) + MODEL_LIFE_MS)
    for role in ROLES[:-1]:
        holder = getattr(roles, role)
        if holder is not None and holder.model == card["id"]:
            return {"role": role, "since": iso_utc(holder.since_ms), "expires_at": expires_at}
    return {"role": ROLES[-1], "since": None, "expires_at": expires_at}


def _figures(card: Card, roles: Roles, engine: Engine, interval: str) -> Card:
    """Return what the database knows of a model."""
    champion, compared = roles.champion, NOTHING
    if champion is not None and card["role"] in ("challenger", "predecessor"):
        since_ms = roles.predecessor.since_ms if roles.predecessor and card["role"] == "predecessor" else 0
        compared = ShadowStore(engine, interval).compared(card["horizon"], card["id"], champion.model, since_ms)
    scores = model_scores(engine, interval, card["horizon"], card["id"])
    return {
        "compared": {
            "n": compared.n,
            "difference": compared.difference,
            "difference_low": compared.low,
            "difference_high": compared.high,
        },
        "scores": {origin: {name: found[name] for name in _SHOWN_SCORES} for origin, found in scores.items()},
        "drift": _drift(DriftStore(engine, interval).report(card["id"], card["features"], card.get("spread"))),
    }


def _no_figures() -> Card:
    nothing = {"n": 0, "difference": None, "difference_low": None, "difference_high": None}
    return {"compared": nothing, "scores": {}, "drift": _drift(None)}


def _drift(report: DriftReport | None) -> Card:
    """Return the stability index of every feature, the one that moved most first, its limit, and which are beyond."""
    if report is None:
        return {"n": 0, "is_enough": False, "features": {}, "limits": {}, "moved": []}
    indexes = {one.feature: one.index for one in report.features}
    limits = {one.feature: one.limit for one in report.features}
    facts = {"n": report.n, "is_enough": report.is_enough, "moved": report.moved}
    return facts | {"features": indexes, "limits": limits}

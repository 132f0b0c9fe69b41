"""The board in one small answer: what fills the screen of a phone."""

from collections import Counter
from typing import Any

from data.skill_store import SkillStore
from utils.times import iso_utc
from web.board_table import silence
from web.heartbeat import Heartbeat
from web.situation import Situation, situation
from web.skills import chosen_origin
from web.stores import Stores

SKILL_DAYS = 7
TOP = 8
RESOLVED = 5
_DAY_MS = 86_400_000
_SKILL_KEYS = ("origin", "n", "n_independent", "brier_skill", "brier_skill_low", "brier_skill_high", "verdict")
_ROW_DIGITS = {"probability_up": 4, "expected_return_bps": 2, "edge_bps": 2}
_RESOLVED_DIGITS = {"outcome_return_bps": 2, "net_bps": 2}


def make_summary(stores: Stores, horizon: str) -> dict[str, Any]:
    """Return the summary of one horizon; figures are rounded, the lists have them in full."""
    beat, mono_s = stores.heartbeat(), stores.mono_s()
    now = situation(beat, mono_s)
    latest = {row["symbol"]: row for row in stores.latest(horizon=horizon)}
    silent = {entry.symbol: silence(entry, latest.get(entry.symbol), beat, now) for entry in beat.symbols}
    spoken = [latest[symbol] for symbol, reason in silent.items() if reason is None]
    reasons = [reason for reason in silent.values() if reason is not None]
    reasons += [row["reason"] for row in spoken if row["verdict"] == "abstain"]
    last_s = beat.feed.last_message_mono_s
    return {
        "market": beat.market,
        "server_time": iso_utc(now.market_ms),
        "version": stores.version(),
        "interval": beat.interval,
        "horizon": horizon or None,
        "engine_alive": beat.is_alive(mono_s),
        "feed": {"state": now.feed_state, "age_s": None if last_s is None else round(max(0.0, mono_s - last_s), 1)},
        "notice": now.notice.title if now.notice else None,
        "symbols": {
            "followed": len(beat.symbols),
            **Counter(beat.symbol_state(entry, mono_s) for entry in beat.symbols),
        },
        "skill": _skill(stores, beat, now, horizon),
        "verdicts": dict(Counter(row["verdict"] for row in spoken)),
        "abstained": dict(Counter(reasons).most_common()),
        "top": [_short(row, ("symbol", "price", "verdict", "reason"), _ROW_DIGITS) for row in _by_edge(spoken)[:TOP]],
        "last_resolved": [
            _short(row, ("symbol", "verdict", "due_at", "origin"), _RESOLVED_DIGITS)
            for row in _resolved(stores, horizon)
        ],
    }


def _skill(stores: Stores, beat: Heartbeat, now: Situation, horizon: str) -> dict[str, Any] | None:
    """Return the skill of the last days, all symbols together; of live rows as soon as there are enough."""
    market = beat.market
    if market is None or not horizon:
        return None
    since_ms = now.market_ms - SKILL_DAYS * _DAY_MS
    nothing: list[dict[str, Any]] = []
    items = stores.ask(lambda engine, interval: SkillStore(engine, market, interval).recent(horizon, since_ms), nothing)
    origin = chosen_origin(items)
    item = next((item for item in items if item["origin"] == origin), None)
    return None if item is None else {"days": SKILL_DAYS, **{key: _rounded(item[key], 4) for key in _SKILL_KEYS}}


def _by_edge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (-row["edge_bps"] if row["edge_bps"] is not None else 0.0, row["symbol"]))


def _resolved(stores: Stores, horizon: str) -> list[dict[str, Any]]:
    return stores.last_called(RESOLVED, "live", horizon) or stores.last_called(RESOLVED, "replayed", horizon)


def _short(row: dict[str, Any], keys: tuple[str, ...], digits: dict[str, int]) -> dict[str, Any]:
    return {**{key: row[key] for key in keys}, **{key: _rounded(row[key], count) for key, count in digits.items()}}


def _rounded(value: Any, digits: int) -> Any:
    return round(value, digits) if isinstance(value, float) else value

"""Whether this process serves, and whether what it serves is fresh."""

from flask import Blueprint, Response

from market.intervals import interval_ms
from utils.times import iso_utc, parse_utc
from web.answers import json_bytes
from web.formats import age
from web.heartbeat import Heartbeat
from web.problems import problem_json
from web.site_stores import stores

GRACE_SECONDS = 30.0  # wall time a candle may take to become a prediction

health = Blueprint("health", __name__)


@health.get("/healthz")
def alive() -> Response:
    """Say that this process serves."""
    return _fresh(Response(json_bytes({"status": "ok"}), mimetype="application/json"))


@health.get("/readyz")
def ready() -> Response:
    """Say whether fresh predictions exist, or why not."""
    reason = _reason_not_ready()
    if reason is None:
        return _fresh(Response(json_bytes({"status": "ready"}), mimetype="application/json"))
    return _fresh(problem_json(503, "not_ready", reason, {"Retry-After": "2"}))


def _reason_not_ready() -> str | None:
    beat, now_s = stores().heartbeat(), stores().mono_s()
    age_s = beat.age_s(now_s)
    if age_s is None:
        return "starting: the engine has not written anything yet"
    if not beat.is_alive(now_s):
        return f"the engine is not running; its last sign of life is {age_s:.0f} s old"
    made = [parse_utc(row["made_at"]) for row in stores().latest() if row["probability_up"] is not None]
    if not made:
        return f"no prediction yet{f': {doing}' if (doing := _doing(beat)) else ''}"
    oldest_ms = beat.market_now_ms(now_s) - 2 * interval_ms(beat.interval) - GRACE_SECONDS * 1_000 * beat.speed
    if max(made) < oldest_ms:
        return f"the newest prediction was made at {iso_utc(max(made))}, which is not fresh any more"
    return None


def _doing(beat: Heartbeat) -> str:
    """Return what goes on before the first prediction, how far it is and how long it takes."""
    training = beat.training
    words = [(training.step or "the training begins") if training else beat.note or ""]
    if training and training.total:
        words.append(f"{training.done or 0:.0f} of {training.total:.0f} steps done")
    work = training or beat.fetching
    if work and work.eta_s is not None:
        words.append(f"about {age(work.eta_s)} left")
    return ", ".join(filter(None, words))


def _fresh(answer: Response) -> Response:
    answer.cache_control.no_store = True
    return answer

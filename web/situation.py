"""How the house is, in the words and facts every page shows: market, feed, engine, and what went wrong."""

from dataclasses import dataclass

from web.formats import clock
from web.heartbeat import Heartbeat
from web.preferences import zone_label

_NAMES = {"binance": "Binance", "simulated": "Simulated", None: "Starting"}
BEHIND_SECONDS = 1.0  # events usually take a few hundredths
_REPLAY_VENUE = "simulated-replay-"  # recorded candles, played by the simulated exchange


@dataclass(frozen=True, slots=True)
class Notice:
    """What is wrong, why, and what happens next; a fault is one of ours."""

    title: str
    text: str
    age_s: float | None
    age_words: str = "Silent for"
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts at one moment."""

    market: str
    is_simulated: bool
    speed: float
    market_ms: int
    mono_s: float  # when this was true, on the clock the heartbeat's ages are read against
    feed_state: str
    is_live: bool
    notice: Notice | None


def situation(beat: Heartbeat, mono_s: float) -> Situation:
    """Return the situation a heartbeat stands for at this reading of the monotonic clock."""
    is_alive, state = beat.is_alive(mono_s), beat.feed_state(mono_s)
    return Situation(
        market=_name(beat),
        is_simulated=beat.market == "simulated",
        speed=beat.speed,
        market_ms=beat.market_now_ms(mono_s),
        mono_s=mono_s,
        feed_state=state,
        is_live=is_alive and state == "live",
        notice=_notice(beat, mono_s, is_alive, state),
    )


def is_behind(beat: Heartbeat, mono_s: float) -> bool:
    """Return whether the feed is live but cannot keep up with the exchange."""
    return beat.feed_state(mono_s) == "live" and (beat.feed.lag_s or 0.0) >= BEHIND_SECONDS


def _name(beat: Heartbeat) -> str:
    if (beat.venue or "").startswith(_REPLAY_VENUE):
        return "Replayed"
    return _NAMES.get(beat.market, str(beat.market))


def _notice(beat: Heartbeat, mono_s: float, is_alive: bool, state: str) -> Notice | None:
    written_s = beat.age_s(mono_s)
    if written_s is None:
        return Notice(
            "The engine is offline: it is starting.", "Pages fill by themselves as soon as it has data.", None
        )
    if not is_alive:
        told = f"{clock(beat.market_ms)} {zone_label()} on the market's clock"
        text = f"Pages show the last state, from {told}; no prediction shown is lost."
        return Notice("The engine is offline.", f"{text} It is started again by itself.", written_s, "Silent for", True)
    last_s = beat.feed.last_message_mono_s
    silent_s = None if last_s is None else max(0.0, mono_s - last_s)
    if beat.fault is not None:
        return Notice(
            f"Writing waits: {beat.fault.text}.",
            "Until it goes on no new prediction is made; closed candles wait or are fetched again. Nothing kept is "
            f"lost, and it goes on by itself.{'' if state == 'live' else ' The feed is stale, too.'}",
            max(0.0, mono_s - beat.fault.since_mono_s),
            "For",
            is_fault=True,
        )
    if is_behind(beat, mono_s):
        text = "Newest states only until it has caught up; no closed candle is lost."
        return Notice(f"The feed is behind by {beat.feed.lag_s:.1f} s.", text, None)
    if state == "live":
        return _alarm(beat)
    if state == "connecting":
        started_s = None if beat.started_mono_s is None else max(0.0, mono_s - beat.started_mono_s)
        return Notice(
            "The feed is offline: connecting to the market.", "No data yet, so no prediction.", started_s, "For"
        )
    name = _name(beat)
    after = "Fresh or silent: no data, no prediction. Prices are the last known; calls already made will be scored."
    if state == "down":
        return Notice(f"{name} is offline: neither REST nor the stream answers.", f"Reconnecting. {after}", silent_s)
    return Notice("The feed is stale.", f"Reconnecting. {after}", silent_s)


def _alarm(beat: Heartbeat) -> Notice | None:
    """Return what is wrong with a model, when nothing worse is."""
    if not beat.models.alarms:
        return None
    more = len(beat.models.alarms) - 1
    text = "The model before it serves until it is a week old, then its rows abstain. It is tried again by itself."
    others = f" {more} more on the page of the models." if more else ""
    return Notice(beat.models.alarms[0], f"{text}{others}", None, is_fault=True)

"""What is well and what is not, one check a line, and the verdict over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from web.alarms import Alarm, open_alarms
from web.formats import number
from web.heartbeat import Heartbeat
from web.situation import Situation, is_behind

_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `kind` is hit, warn or fault; the age stands between the two texts."""

    kind: str
    text: str
    age_s: float | None = None
    after: str = ""


def checks_of(beat: Heartbeat, now: Situation, is_alive: bool, troubled: int) -> list[Check]:
    """Return what was looked at; `troubled` symbols are not live."""
    found = [_engine_check(beat, now, is_alive)]
    if beat.pid is None:
        return found
    found.append(_feed_check(beat, now))
    if beat.symbols and troubled:
        found.append(Check("warn", f"{number(troubled)} of {number(len(beat.symbols))} symbols not live"))
    elif beat.symbols:
        found.append(Check("hit", f"All {number(len(beat.symbols))} symbols live"))
    feed = beat.feed
    unrepaired = feed.gaps_found - feed.gaps_repaired
    if unrepaired > 0:
        found.append(Check("warn", f"{number(unrepaired)} of {number(feed.gaps_found)} gaps not repaired"))
    elif feed.gaps_found:
        found.append(Check("hit", f"{number(feed.gaps_found)} gaps since the start, all repaired"))
    else:
        found.append(Check("hit", "No gap since the start"))
    if beat.note:
        found.append(Check("warn", f"{beat.note[0].upper()}{beat.note[1:]}"))
    return found + [_alarm_check(alarm) for alarm in open_alarms(beat, now.mono_s)]


def _alarm_check(alarm: Alarm) -> Check:
    return Check("warn", alarm.text, alarm.age_s, "" if alarm.age_s is None else "long")


def _engine_check(beat: Heartbeat, now: Situation, is_alive: bool) -> Check:
    age_s = beat.age_s(now.mono_s)
    if age_s is None:
        return Check("warn", "Engine starting, no sign of life yet")
    if not is_alive:
        return Check("fault", "Engine offline, last sign of life", age_s, "ago")
    return Check("hit", f"Engine alive, pid {beat.pid}, heartbeat", age_s, "ago")


def _feed_check(beat: Heartbeat, now: Situation) -> Check:
    told_s = beat.feed.last_message_mono_s
    age_s = None if told_s is None else max(0.0, now.mono_s - told_s)
    if now.is_live and is_behind(beat, now.mono_s):
        return Check("warn", f"Feed live, but behind by {beat.feed.lag_s:.1f} s")
    kind = "hit" if now.is_live else "warn"
    if age_s is None:
        return Check(kind, f"Feed {now.feed_state}, no message yet")
    return Check(kind, f"Feed {now.feed_state}, last message", age_s, "ago")


def verdict_of(beat: Heartbeat, now: Situation, is_alive: bool, checks: Sequence[Check]) -> str:
    """Return all of it in one sentence."""
    if not is_alive:
        return "No engine yet." if beat.pid is None else "The engine does not run."
    if not now.is_live:
        return "No live feed."
    remarks = sum(check.kind != "hit" for check in checks)
    if not remarks:
        return "Healthy."
    numeral = _NUMERALS[remarks] if remarks < len(_NUMERALS) else str(remarks)
    return f"Healthy, with {numeral} remark{'s' if remarks > 1 else ''}."

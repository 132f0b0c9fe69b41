"""The alarms that are open: what the engine says needs a person, the worst first."""

from dataclasses import dataclass

from web.formats import span
from web.heartbeat import Heartbeat
from web.skills import Skill


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm in a sentence, the page that says more, and for how long it has been open where that is known."""

    text: str
    page: str
    age_s: float | None = None


def open_alarms(beat: Heartbeat, mono_s: float) -> list[Alarm]:
    """Return what cannot be written, then which models and jobs need a look, as the engine last said."""
    alarms = []
    if beat.fault is not None:
        alarms.append(
            Alarm(f"Writing waits: {beat.fault.text}.", "/system", max(0.0, mono_s - beat.fault.since_mono_s))
        )
    alarms += [Alarm(text, "/models") for text in beat.models.alarms]
    if beat.models.leaks_failure:
        alarms.append(Alarm(f"The leak tests failed: {beat.models.leaks_failure.rstrip('.')}.", "/models"))
    if beat.sealing.failure:
        alarms.append(Alarm(f"Old months were not sealed: {beat.sealing.failure}.", "/system"))
    return alarms + [Alarm(text, "/models") for text in beat.models.drifts]


def score_alarms(horizon: str, week: Skill | None) -> list[Alarm]:
    """Return the alarm of a horizon whose live rows of the last seven days did worse than the baseline, if they did."""
    if week is None or week.verdict != "worse than base":
        return []
    text = f"The live rows of {span(horizon)} scored worse than the baseline in the last seven days."
    return [Alarm(text, f"/models?horizon={horizon}")]

"""Tell the time of a remote clock that may run ahead of ours, and faster."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

_MAX_SAMPLES = 32
_MIN_SPACING_SECONDS = 0.2
_MAX_SPAN_SECONDS = 600.0
_STRANGER_SPACING_SECONDS = 0.1
_SETTLING_SECONDS = 1.0  # a shorter stretch says nothing certain about the speed
_TOLERANCE_SECONDS = 3.0
_EVENT_ERROR_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Sample:
    at_seconds: float  # our monotonic clock
    remote_ms: float
    error_seconds: float
    is_event: bool  # an event was stamped some time before it reached us


class MarketClock:
    """The clock of an exchange, learned from what it says of itself: offset and speed.

    Only our monotonic clock is looked at, so setting the wall clock changes nothing. A time that does not fit
    the others is ignored, until for a second nothing fits any more: then the remote clock was really set.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        """Start without knowledge: the wall clock at speed 1 until the first sample."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._samples: deque[_Sample] = deque(maxlen=_MAX_SAMPLES)
        self._strangers: deque[_Sample] = deque(maxlen=_MAX_SAMPLES)
        self._speed = 1.0
        self._offset_ms = wall() * 1_000 - monotonic() * 1_000
        self._told_ms = 0
        self._stated_ms = 0
        self._next_event_seconds = 0.0

    @property
    def speed(self) -> float:
        """Return how many remote seconds pass in one of ours."""
        return self._speed

    @property
    def stated_ms(self) -> int:
        """Return the newest time the remote side itself has stated (0: none): it is surely not earlier now."""
        return self._stated_ms

    def now_ms(self) -> int:
        """Return the remote time; it stands still rather than running back, unless the remote clock was set."""
        with self._lock:
            now_ms = int(self._at(self._monotonic()))
            is_set_back = self._told_ms - now_ms > _TOLERANCE_SECONDS * 1_000 * self._speed
            self._told_ms = now_ms if is_set_back else max(self._told_ms, now_ms)
            return self._told_ms

    def observe(self, remote_ms: float, sent_seconds: float, received_seconds: float) -> None:
        """Take in an answer to "what time is it?", asked and answered at these monotonic seconds."""
        error_seconds = max((received_seconds - sent_seconds) / 2, 0.000_1)
        self._take(_Sample((sent_seconds + received_seconds) / 2, remote_ms, error_seconds, is_event=False))

    def observe_event(self, remote_ms: float) -> None:
        """Take in the time stamp of a message that arrived just now; cheap enough to call for each."""
        now = self._monotonic()
        if now >= self._next_event_seconds or remote_ms > self._stated_ms:
            self._take(_Sample(now, remote_ms, _EVENT_ERROR_SECONDS, is_event=True))

    def _take(self, sample: _Sample) -> None:
        with self._lock:
            if self._fits(sample):
                self._strangers.clear()
                self._keep(sample)
                return
            if not self._strangers or sample.at_seconds - self._strangers[-1].at_seconds >= _STRANGER_SPACING_SECONDS:
                self._strangers.append(sample)
            if len(self._strangers) > 2 and sample.at_seconds - self._strangers[0].at_seconds >= _SETTLING_SECONDS:
                self._believe_strangers()

    def _fits(self, sample: _Sample) -> bool:
        if not self._samples:
            return True
        first, last = self._samples[0], self._samples[-1]
        if last.at_seconds - first.at_seconds < _SETTLING_SECONDS:
            # The speed is not known yet: whatever comes next, a second later too, may be right.
            return sample.remote_ms >= first.remote_ms - _TOLERANCE_SECONDS * 1_000
        tolerance_ms = (_TOLERANCE_SECONDS + sample.error_seconds) * 1_000 * self._speed
        return abs(sample.remote_ms - self._at(sample.at_seconds)) <= tolerance_ms

    def _keep(self, sample: _Sample) -> None:
        # The first times are believed unseen: one far behind what was stated shows that it was wrong.
        is_unsaid = self._stated_ms - sample.remote_ms > 2 * _TOLERANCE_SECONDS * 1_000 * self._speed
        self._stated_ms = int(sample.remote_ms) if is_unsaid else max(self._stated_ms, int(sample.remote_ms))
        if sample.is_event and self._samples and sample.at_seconds < self._next_event_seconds:
            # The remote clock is at least there; a crowd of such proofs must not push the old samples out.
            self._offset_ms = max(self._offset_ms, self._line_ms(sample))
            return
        self._samples.append(sample)
        span_seconds = min(sample.at_seconds - self._samples[0].at_seconds, _MAX_SPAN_SECONDS)
        self._next_event_seconds = sample.at_seconds + max(_MIN_SPACING_SECONDS, span_seconds / _MAX_SAMPLES)
        self._learn()

    def _believe_strangers(self) -> None:
        self._samples.clear()
        self._samples.extend(self._strangers)
        self._strangers.clear()
        self._told_ms = 0
        self._stated_ms = int(self._samples[-1].remote_ms)
        self._learn()

    def _learn(self) -> None:
        self._speed = _simplest_speed(list(self._samples), self._speed)
        answers = [(sample.error_seconds, self._line_ms(sample)) for sample in self._samples if not sample.is_event]
        proofs = [self._line_ms(sample) for sample in self._samples if sample.is_event]
        # An answer is right to half its round trip; an event proves that it was at least that late.
        self._offset_ms = max([*proofs, min(answers)[1]] if answers else proofs)

    def _line_ms(self, sample: _Sample) -> float:
        return sample.remote_ms - self._speed * sample.at_seconds * 1_000

    def _at(self, at_seconds: float) -> float:
        return self._offset_ms + self._speed * at_seconds * 1_000


def _simplest_speed(samples: list[_Sample], known: float) -> float:
    """Return the roundest speed the samples allow: 1, else a whole number, else what was measured."""
    half = len(samples) // 2
    pairs = [(one, two, two.at_seconds - one.at_seconds) for one, two in zip(samples, samples[-half:], strict=False)]
    slopes = [(two.remote_ms - one.remote_ms) / span / 1_000 for one, two, span in pairs if span > 0]
    if half == 0 or not slopes:
        return known
    measured = median(slopes)
    one, two, span = pairs[len(pairs) // 2]
    doubt = (one.error_seconds + two.error_seconds) / max(span, 1e-9)  # as a share of the speed
    if measured <= 0 or doubt > 0.25:
        return known
    whole = float(round(measured))
    for simple in (1.0, whole):
        if simple >= 1 and abs(measured - simple) <= max(doubt, 0.005) * measured:
            return simple
    return measured

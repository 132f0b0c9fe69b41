"""The market's clock: it runs `speed` times as fast as the wall clock, never back, and survives a restart."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from market.candles import LAST_VALID_MS
from market.errors import ConfigError

FULL_SPEED_PAUSE_SECONDS = 60.0  # the market goes on at full speed for so long while the program is not running


class MarketClock:
    """Market time, in milliseconds UTC, as a straight line over the monotonic clock."""

    def __init__(self, start_ms: int, speed: float, seconds: Callable[[], float] = time.monotonic) -> None:
        """Start at `start_ms` now; `seconds` is the wall's clock and must never run back."""
        self.speed = speed
        self._seconds = seconds
        self._start_ms = start_ms
        self._started_seconds = seconds()

    def now_ms(self) -> int:
        """Return the market time."""
        return self._start_ms + int((self._seconds() - self._started_seconds) * 1_000 * self.speed)

    def seconds_until(self, time_ms: int) -> float:
        """Return how many wall seconds pass until the market reaches `time_ms`; 0 when it has."""
        reached = self._started_seconds + (time_ms - self._start_ms) / (1_000 * self.speed)
        return max(0.0, reached - self._seconds())


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Where the market was at a wall time, and which market it was."""

    market: str
    market_ms: int
    wall_ms: int
    speed: float

    def resumed_ms(self, wall_ms: int, speed: float) -> int:
        """Return where the market is now: it ran on at full speed for a minute, then as slowly as the wall clock."""
        off_seconds = max(0.0, (wall_ms - self.wall_ms) / 1_000)
        fast_seconds = min(off_seconds, FULL_SPEED_PAUSE_SECONDS)
        return self.market_ms + int(1_000 * (speed * fast_seconds + (off_seconds - fast_seconds)))


def write_heartbeat(file: Path, heartbeat: Heartbeat) -> None:
    """Replace the file in one step, so that a reader or a crash never meets half of it."""
    temporary = file.with_name(f"{file.name}.tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(asdict(heartbeat), stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


def read_heartbeat(file: Path) -> Heartbeat | None:
    """Return what was last written; None when there is no file; ConfigError when it cannot be understood."""
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        heartbeat = Heartbeat(
            str(fields["market"]), int(fields["market_ms"]), int(fields["wall_ms"]), float(fields["speed"])
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise ConfigError(f"the state file {str(file)!r} cannot be read ({error}): remove it to start anew") from error
    if not (math.isfinite(heartbeat.speed) and 0 < heartbeat.market_ms < LAST_VALID_MS):
        raise ConfigError(f"the state file {str(file)!r} holds impossible numbers: remove it to start anew")
    return heartbeat

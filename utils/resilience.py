"""Wait longer after each failure, and never in step with anybody else."""

import random
from collections.abc import Callable

_DICE = random.SystemRandom()  # no seed in common, and no state that another thread could be surprised by


class Backoff:
    """Pauses that grow from `first_seconds` towards `cap_seconds`, each drawn at random below its bound.

    No pause is shorter than `floor_seconds`, so that a source is never asked more often than it allows.
    """

    def __init__(
        self,
        first_seconds: float,
        cap_seconds: float,
        floor_seconds: float = 0.0,
        uniform: Callable[[float, float], float] = _DICE.uniform,
    ) -> None:
        """Start without a failure; `uniform(low, high)` draws the pause."""
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self._floor_seconds = floor_seconds
        self._uniform = uniform
        self._failures = 0

    @property
    def failures(self) -> int:
        """Return how many failures there were since the last success."""
        return self._failures

    def next_seconds(self) -> float:
        """Count one more failure and return how long to wait before the next try."""
        # The exponent is bounded so that a source that is away for days does not overflow a float.
        bound = min(self._cap_seconds, self._first_seconds * 2.0 ** min(self._failures, 60))
        self._failures += 1
        return self._uniform(min(self._floor_seconds, bound), bound)

    def reset(self) -> None:
        """Forget the failures: it worked."""
        self._failures = 0

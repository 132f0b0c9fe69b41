"""One way of making a model beside the usual one, both judged on the same rows, later than either had seen."""

from dataclasses import dataclass

import numpy as np

from models.clusters import mean_and_error


@dataclass(frozen=True, slots=True)
class Trial:
    """What the two lost on `n` rows."""

    n: int
    log_loss: float
    usual_log_loss: float
    excess: float  # of the first over the usual one
    error: float | None  # of the excess, between blocks of time; None: too few of them to tell
    is_used: bool = False

    @classmethod
    def of(cls, losses: np.ndarray, usual: np.ndarray, blocks: np.ndarray) -> "Trial":
        """Compare the log-losses (n,) of two ways; `blocks` (n,): the block of time each row lies in."""
        excess, error = mean_and_error(losses - usual, blocks)
        known = error if np.isfinite(error) else None
        return cls(len(losses), float(losses.mean()), float(usual.mean()), excess, known)

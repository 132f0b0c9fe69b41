"""Ask one model about many rows in one call."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np

S_co = TypeVar("S_co", covariant=True)
S = TypeVar("S")
_CALL_BLOCKS = 1_024  # blocks in one call: enough to make the call itself free, few enough to bound the memory


class Model(Protocol[S_co]):
    """Something that scores rows; `block_rows` of them go through it side by side."""

    def predict(self, rows: np.ndarray, block_rows: int) -> S_co:
        """Return a record of arrays, one value per row in each."""
        ...


class BatchPredictor(Generic[S]):
    """Score all symbols of a horizon in one call of its model."""

    def __init__(self, load: Callable[[str], Model[S]], batch_size: int) -> None:
        """Take models from `load` (by name; it caches) and send `batch_size` rows through them side by side."""
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} is not a positive number of rows")
        self._load = load
        self._batch_size = batch_size

    def predict(self, model_id: str, rows: np.ndarray) -> S:
        """Return the scores of rows (n, features), in their order; very many rows go in several calls."""
        model = self._load(model_id)
        limit = self._batch_size * _CALL_BLOCKS
        if len(rows) <= limit:
            return model.predict(rows, self._batch_size)
        parts = [model.predict(rows[at : at + limit], self._batch_size) for at in range(0, len(rows), limit)]
        return _joined(parts)


def _joined(parts: list[S]) -> S:
    """Return records of arrays as one, field by field."""
    first: Any = parts[0]
    names = first.__dataclass_fields__
    return cast("S", type(first)(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}))

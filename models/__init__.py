"""Numbers in, probability out: the trained estimators and the flat form they serve from.

A family of models is one file `models/<name>_model.py` with a class under `@models.add("<name>")` that keeps the
contract `Family`. Its estimators must be deterministic by seed, whatever the number of threads.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from utils.registry import Registry

if TYPE_CHECKING:
    from models.serving_form import ServingForm


class Family(Protocol):
    """One way of learning from rows, and of turning what was learnt into flat arrays."""

    def fit(self, rows: np.ndarray, up: np.ndarray, weights: np.ndarray | None, seed: int, threads: int) -> Any:
        """Return a fitted estimator; `rows` float32 (n, features) and finite, `up` bool (n,) with both values in it."""
        ...

    def flatten(self, estimator: Any) -> "ServingForm":
        """Return the flat form of an estimator; it decides exactly as the estimator does on float32 rows."""
        ...


families: Registry[Family] = Registry("models", "_model")
_Class = TypeVar("_Class", bound=Callable[[], Family])


def add(name: str) -> Callable[[_Class], _Class]:
    """File an instance of the decorated class as the family `name`."""

    def file(family: _Class) -> _Class:
        families.file(name, family())
        return family

    return file

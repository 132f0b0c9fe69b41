"""Random numbers that belong to a name and a day, so that any day can be drawn without the days before it."""

import hashlib
from functools import lru_cache

import numpy as np


def generator(seed: int, name: str, day: int = 0) -> np.random.Generator:
    """Return the numbers of `name` on `day`: always the same ones for the same three arguments."""
    return np.random.Generator(np.random.Philox(key=_key(seed, name), counter=[0, 0, 0, day]))


def fraction(seed: int, name: str) -> float:
    """Return one fixed number in [0, 1) for `name`."""
    return float(generator(seed, name).random())


@lru_cache(maxsize=4096)
def _key(seed: int, name: str) -> np.ndarray:
    # Key: seed and name; for the life of the process; 4,096 names; nobody needs to clear what never changes.
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype=np.uint64)

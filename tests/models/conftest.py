"""Rows with a known answer, for every family."""

import numpy as np
import pytest

FEATURES = 12


@pytest.fixture(scope="session")
def known_rows():
    """Return float32 rows and whether each went up: the first two columns lean, the others are noise."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(6_000, FEATURES)).astype(np.float32)
    up = rows[:, 0] + 0.5 * rows[:, 1] * rows[:, 0] + random.normal(size=len(rows)) > 0.0
    return rows, up

"""How one model and its walk-forward steps have done in the ledger: from sums, never from rows."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, Engine, Table, func, or_, select

from data.ledger_tables import SUMS, calibration_bins, skill_blocks
from data.skill import Scores, compute_skill

_BINNED = ("n", "probability_sum", "ups")


def model_scores(engine: Engine, interval: str, horizon: str, model: str) -> dict[str, Scores]:
    """Return the scores of a model's rows, all symbols together, by origin; walk-forward models count as it."""
    scores = {}
    for origin in ("live", "replayed"):
        with engine.connect() as connection:
            spans = _sums(connection, skill_blocks, "block", SUMS, (interval, horizon, origin, model))
            bins = _sums(connection, calibration_bins, "bin", _BINNED, (interval, horizon, origin, model))
        if len(spans):
            scores[origin] = compute_skill(spans[:, 1:], [(int(row[0]), *row[1:].tolist()) for row in bins])
    return scores


def _sums(
    connection: Connection, table: Table, key: str, names: Sequence[str], of: tuple[str, str, str, str]
) -> np.ndarray:
    """Return (key, sums ...) of each key of a table, in its order."""
    c, (interval, horizon, origin, model) = table.c, of
    is_model = or_(c.model == model, c.model.between(f"{model}-w", f"{model}-x"))  # its steps are `<id>-w0` and so on
    query = select(c[key], *(func.sum(c[name]) for name in names)).where(
        is_model, c.interval == interval, c.horizon == horizon, c.origin == origin
    )
    rows = connection.execute(query.group_by(c[key]).order_by(c[key])).all()
    return np.array([tuple(row) for row in rows], dtype=float).reshape(-1, 1 + len(names))

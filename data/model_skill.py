"""How one model has done in the ledger, and how a horizon has done week by week: from sums, never from rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Engine, Table, func, or_, select

from data.ledger_tables import SUMS, calibration_bins, skill_blocks
from data.skill import Scores, compute_skill
from market.intervals import DAY_MS, duration_ms

_BINNED = ("n", "probability_sum", "ups")
_WEEK_MS = 7 * DAY_MS
_MONDAY_MS = 4 * DAY_MS  # 1970 began on a Thursday


@dataclass(frozen=True, slots=True)
class Week:
    """The scores of the live rows of a horizon that were made in one week of the market, Monday to Sunday, UTC."""

    start_ms: int
    scores: Scores


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


def weekly_scores(engine: Engine, interval: str, horizon: str, weeks: int) -> list[Week]:
    """Return the scores of the newest weeks of a horizon's live record, oldest first."""
    c = skill_blocks.c
    sums = [func.sum(c[name]) for name in SUMS]
    query = select(c.block, *sums).where(c.horizon == horizon, c.interval == interval, c.origin == "live")
    with engine.connect() as connection:
        rows = connection.execute(query.group_by(c.block).order_by(c.block)).all()
    length_ms = duration_ms(horizon)
    groups: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for row in rows:
        groups[(row[0] * length_ms - _MONDAY_MS) // _WEEK_MS].append(tuple(row[1:]))
    newest = sorted(groups)[-weeks:]
    return [Week(week * _WEEK_MS + _MONDAY_MS, compute_skill(np.array(groups[week]), [])) for week in newest]


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

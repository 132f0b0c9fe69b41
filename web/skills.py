"""Scores as a page shows them: live ones where there are enough, else replayed ones, never mixed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from data.skill import MIN_INDEPENDENT, MIN_RESAMPLED, calibration_gap

_KINDS = {"edge": "edge", "worse than base": "worse"}


@dataclass(frozen=True, slots=True)
class Tenth:
    """What became of the predictions whose probability lay in one tenth: shares of 1."""

    low: float
    high: float
    n: int
    share_up: float


@dataclass(frozen=True, slots=True)
class Skill:
    """One score with its sample, its interval and its verdict in words."""

    value: float | None  # Brier skill, share of 1; None: too few horizons to tell, see `is_told`
    low: float | None
    high: float | None
    n: int
    n_independent: int  # horizons that do not overlap
    verdict: str
    origin: str
    coverage_claimed: float | None
    coverage_kept: float | None  # as all below but the tenths, None where horizons are too few to tell
    gap: float | None  # mean distance of said and happened, share of 1
    worst: tuple[float, float] | None  # said, happened, in the bin that is furthest off
    tenths: tuple[Tenth, ...]

    @property
    def is_few(self) -> bool:
        """Return whether so few horizons were scored that only their n is told."""
        return self.n_independent < MIN_RESAMPLED

    @property
    def is_short(self) -> bool:
        """Return whether the interval lies above zero, and the record is too short to call that an edge."""
        return self.low is not None and self.low > 0 and self.n_independent < MIN_INDEPENDENT

    def tenth_of(self, probability: float) -> Tenth | None:
        """Return what became of those that said about the same; None when there were none."""
        return next(
            (one for one in self.tenths if one.low <= probability < one.high or probability == one.high == 1), None
        )

    @property
    def kind(self) -> str:
        """Return edge, worse or plain: how the chip looks."""
        return _KINDS.get(self.verdict, "plain")


def is_few(item: dict[str, Any]) -> bool:
    """Return whether so few horizons of a score do not overlap, below ten, that anything is possible: its n is told."""
    return bool(item["n_independent"] < MIN_RESAMPLED)


def is_told(item: dict[str, Any] | None) -> bool:
    """Return whether the skill of a score is shown."""
    return item is not None and item["brier_skill"] is not None and not is_few(item)


def chosen_origin(items: Iterable[dict[str, Any]]) -> str | None:
    """Return the origin whose pooled score is shown: live as soon as it has enough independent rows."""
    by_origin = {item["origin"]: item for item in items if item["n"]}
    live = by_origin.get("live")
    if live and (live["n_independent"] >= MIN_INDEPENDENT or len(by_origin) == 1):
        return "live"
    return "replayed" if "replayed" in by_origin else None


def skill_of(items: Iterable[dict[str, Any]], origin: str | None) -> Skill | None:
    """Return the score of this origin, or None when there is none."""
    item = next((item for item in items if item["origin"] == origin and item["n"]), None)
    return None if item is None else scored(item)


def skills_by_symbol(items: Iterable[dict[str, Any]], origin: str | None) -> dict[str, Skill]:
    """Return the scores of this origin by symbol."""
    return {item["symbol"]: scored(item) for item in items if item["origin"] == origin and item["n"]}


def scored(item: dict[str, Any]) -> Skill:
    """Return one score as a page shows it."""
    bins = item["calibration"]
    worst = max(
        bins, key=lambda entry: abs(entry["mean_probability"] - entry["share_up"]) * entry["n"] ** 0.5, default=None
    )
    value, low, high = (item[f"brier_skill{part}"] if is_told(item) else None for part in ("", "_low", "_high"))
    return Skill(
        value=value,
        low=low,
        high=high,
        n=item["n"],
        n_independent=item["n_independent"],
        verdict=item["verdict"],
        origin=item["origin"],
        coverage_claimed=item["coverage_claimed"],
        coverage_kept=None if is_few(item) else item["coverage_kept"],
        gap=None if is_few(item) else calibration_gap(bins),
        tenths=tuple(Tenth(one["low"], one["high"], one["n"], one["share_up"]) for one in bins),
        worst=None if worst is None or is_few(item) else (worst["mean_probability"], worst["share_up"]),
    )

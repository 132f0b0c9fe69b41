"""Everything the system page shows: what is well and what is not, the feed, its gaps, the engine and its timings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from utils.times import parse_utc
from web.formats import number
from web.heartbeat import Cache, Heartbeat, SymbolState, Timing
from web.kept_answers import MAX_BYTES, KeptStats
from web.situation import Situation, is_behind, situation
from web.stores import Stores

GAPS = 12
LISTED_SYMBOLS = 20  # not live; the others show in the ages of all
MEMORY_BUDGET_MB = 300  # what an engine of 500 symbols may use
_LAT_LEFT, _LAT_WIDTH = 6, 148
_GIGABYTE = 1e9
_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `kind` is hit, warn or fault; the age stands between the two texts."""

    kind: str
    text: str
    age_s: float | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of something limited is used."""

    name: str
    used: str
    limit: str
    share: float


@dataclass(frozen=True, slots=True)
class GapRow:
    """One gap; times are market time, the repair took seconds of ours."""

    symbol: str
    from_ms: int
    to_ms: int
    found_ms: int
    candles: int
    is_repaired: bool
    repair_s: float
    missed: int
    late: int


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """How fresh one symbol is, and why it is not."""

    symbol: SymbolState
    state: str
    reason: str | None
    age_s: float | None


@dataclass(frozen=True, slots=True)
class TimingRow:
    """One of the engine's functions; the places on the scale are those of its percentiles."""

    name: str
    timing: Timing
    p50_x: float
    p95_x: float
    p99_x: float


@dataclass(frozen=True, slots=True)
class SystemSheet:
    """The system page."""

    beat: Heartbeat
    is_alive: bool
    verdict: str
    heartbeat_age_s: float | None
    message_age_s: float | None
    uptime_s: float | None
    version: int
    checks: list[Check]
    uses: list[Use]
    gaps: list[GapRow]
    symbols: list[SymbolRow]
    troubled: list[SymbolRow]
    most_listed: int
    refused: list[tuple[str, int]]
    timings: list[TimingRow]
    timings_limit_ms: float
    caches: list[tuple[str, Cache]]
    doing: str
    share: float | None  # of the training that goes on


def make_system(stores: Stores, kept: KeptStats) -> SystemSheet:
    """Return the sheet as the house is now; `kept` are the answers this process keeps."""
    beat, mono_s = stores.heartbeat(), stores.mono_s()
    now, is_alive = situation(beat, mono_s), beat.is_alive(mono_s)
    symbols = [_symbol(entry, beat, now) for entry in beat.symbols]
    troubled = [row for row in symbols if row.state != "live"]
    checks = _checks(beat, now, is_alive, len(troubled))
    timings, limit_ms = _timings(beat)
    gaps, _ = stores.gaps(limit=GAPS)
    training = beat.training
    return SystemSheet(
        beat=beat,
        is_alive=is_alive,
        verdict=_verdict(beat, now, is_alive, checks),
        heartbeat_age_s=beat.age_s(mono_s),
        message_age_s=_age_s(mono_s, beat.feed.last_message_mono_s),
        uptime_s=_age_s(mono_s, beat.started_mono_s) if is_alive else None,
        version=stores.version(),
        checks=checks,
        uses=_uses(beat, *stores.disk_bytes()),
        gaps=[_gap(row, beat.speed) for row in gaps],
        symbols=symbols,
        troubled=troubled,
        most_listed=LISTED_SYMBOLS,
        refused=list(beat.feed.rejected_by_reason.items()),
        timings=timings,
        timings_limit_ms=limit_ms,
        caches=[*beat.performance.caches.items(), _kept(kept)],
        doing=_doing(beat, is_alive),
        share=min(training.done / training.total, 1.0) if training and training.done and training.total else None,
    )


def _symbol(entry: SymbolState, beat: Heartbeat, now: Situation) -> SymbolRow:
    state, reason = beat.symbol_state(entry, now.mono_s), entry.reason
    if entry.state == "live" != state:
        reason = "the engine does not run"
    return SymbolRow(entry, state, reason, _age_s(now.mono_s, entry.last_message_mono_s))


def _checks(beat: Heartbeat, now: Situation, is_alive: bool, troubled: int) -> list[Check]:
    found = [_engine_check(beat, now, is_alive)]
    if beat.pid is None:
        return found
    found.append(_feed_check(beat, now))
    if beat.symbols and troubled:
        found.append(Check("warn", f"{number(troubled)} of {number(len(beat.symbols))} symbols not live"))
    elif beat.symbols:
        found.append(Check("hit", f"All {number(len(beat.symbols))} symbols live"))
    feed = beat.feed
    unrepaired = feed.gaps_found - feed.gaps_repaired
    if unrepaired > 0:
        found.append(Check("warn", f"{number(unrepaired)} of {number(feed.gaps_found)} gaps not repaired"))
    elif feed.gaps_found:
        found.append(Check("hit", f"{number(feed.gaps_found)} gaps since the start, all repaired"))
    else:
        found.append(Check("hit", "No gap since the start"))
    if beat.note:
        found.append(Check("warn", f"{beat.note[0].upper()}{beat.note[1:]}"))
    return found


def _engine_check(beat: Heartbeat, now: Situation, is_alive: bool) -> Check:
    age_s = beat.age_s(now.mono_s)
    if age_s is None:
        return Check("warn", "Engine starting, no sign of life yet")
    if not is_alive:
        return Check("fault", "Engine offline, last sign of life", age_s, "ago")
    return Check("hit", f"Engine alive, pid {beat.pid}, heartbeat", age_s, "ago")


def _feed_check(beat: Heartbeat, now: Situation) -> Check:
    age_s = _age_s(now.mono_s, beat.feed.last_message_mono_s)
    if now.is_live and is_behind(beat, now.mono_s):
        return Check("warn", f"Feed live, but behind by {beat.feed.lag_s:.1f} s")
    kind = "hit" if now.is_live else "warn"
    if age_s is None:
        return Check(kind, f"Feed {now.feed_state}, no message yet")
    return Check(kind, f"Feed {now.feed_state}, last message", age_s, "ago")


def _verdict(beat: Heartbeat, now: Situation, is_alive: bool, checks: Sequence[Check]) -> str:
    if not is_alive:
        return "No engine yet." if beat.pid is None else "The engine does not run."
    if not now.is_live:
        return "No live feed."
    remarks = sum(check.kind != "hit" for check in checks)
    if not remarks:
        return "Healthy."
    numeral = _NUMERALS[remarks] if remarks < len(_NUMERALS) else str(remarks)
    return f"Healthy, with {numeral} remark{'s' if remarks > 1 else ''}."


def _uses(beat: Heartbeat, database_bytes: int, free_bytes: int) -> list[Use]:
    feed, share = beat.feed, beat.performance.processor_share
    found = []
    if beat.rss_mb is not None:
        found.append(_use("Engine memory", beat.rss_mb, MEMORY_BUDGET_MB, "MB"))
        found.append(_use("Engine time on one processor", 1_000 * share, 1_000, "ms a second"))
    if feed.weight_used_1m is not None and feed.weight_limit_1m:
        found.append(_use("Request weight, 1 min", feed.weight_used_1m, feed.weight_limit_1m))
    if free_bytes:
        limit_bytes = database_bytes + free_bytes
        found.append(_use("Disk, of what is free", database_bytes / _GIGABYTE, limit_bytes / _GIGABYTE, "GB", 2))
    return found


def _use(name: str, used: float, limit: float, unit: str = "", digits: int = 0) -> Use:
    return Use(name, number(used, digits), f"{number(limit, digits)} {unit}".rstrip(), min(used / limit, 1.0))


def _gap(row: dict[str, Any], speed: float) -> GapRow:
    found_ms = parse_utc(row["found_at"])
    return GapRow(
        symbol=row["symbol"],
        from_ms=parse_utc(row["from"]),
        to_ms=parse_utc(row["to"]),
        found_ms=found_ms,
        candles=row["candles"],
        is_repaired=row["is_repaired"],
        repair_s=(parse_utc(row["ended_at"]) - found_ms) / 1_000 / speed,
        missed=row["missed_predictions"],
        late=row["late_outcomes"],
    )


def _timings(beat: Heartbeat) -> tuple[list[TimingRow], float]:
    """Return the functions, the one that took most of the time first, and the end of their common scale in ms."""
    functions = beat.performance.functions
    slowest_ms = max((timing.p99_ms for timing in functions.values()), default=1.0)
    limit_ms = next(step for step in _scale_steps() if step >= slowest_ms)

    def place(value_ms: float) -> float:
        return round(_LAT_LEFT + _LAT_WIDTH * min(value_ms / limit_ms, 1.0), 1)

    rows = [
        TimingRow(name, timing, place(timing.p50_ms), place(timing.p95_ms), place(timing.p99_ms))
        for name, timing in functions.items()
    ]
    return sorted(rows, key=lambda row: -row.timing.p99_ms), limit_ms


def _scale_steps() -> list[float]:
    return [lead * 10.0**power for power in range(-1, 7) for lead in (1, 2, 5)] + [float("inf")]


def _kept(kept: KeptStats) -> tuple[str, Cache]:
    size, limit = kept.size_bytes // 1_000, MAX_BYTES // 1_000
    return "web answers, kB", Cache(kept.hits, kept.misses, size, limit, kept.evictions)


def _doing(beat: Heartbeat, is_alive: bool) -> str:
    if not is_alive:
        return "nothing: it does not run"
    if beat.training is not None:
        return beat.training.step or "training"
    return beat.note or "following the market"


def _age_s(mono_s: float, then_s: float | None) -> float | None:
    return None if then_s is None else max(0.0, mono_s - then_s)

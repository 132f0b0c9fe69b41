"""Everything the system page shows: health, feed, gaps, engine, jobs, caches, timings, start and settings."""

from dataclasses import dataclass
from typing import Any

from config import Config
from utils.times import parse_utc
from web.formats import number
from web.heartbeat import Heartbeat, SymbolState, Timing
from web.kept_answers import KeptAnswers
from web.latency import Latencies, Latency
from web.own_use import Used
from web.situation import Situation, situation
from web.stores import Stores
from web.system_health import Check, checks_of, verdict_of
from web.system_rows import CacheRow, Job, Row, cache_rows, jobs, preparation, setting_rows

GAPS = 12
LISTED_SYMBOLS = 20  # not live; the others show in the ages of all
LISTED_ENDPOINTS = 15  # the ones asked most; the API tells of all
ENGINE_BUDGET_MB, WEB_BUDGET_MB = 300, 80  # what an engine of 500 symbols may use, and a web server
_LAT_LEFT, _LAT_WIDTH = 6, 148
_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Use:
    """How much of something limited is used."""

    name: str
    used: str
    limit: str
    share: float
    is_over: bool


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
class Endpoint:
    """How long one address, or all kept answers together, took of late."""

    name: str
    latency: Latency


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
    caches: list[CacheRow]
    asked_caches: list[str]  # of the engine, which it has not emptied yet
    endpoints: list[Endpoint]
    most_endpoints: int
    doing: str
    jobs: list[Job]
    prepared_at_ms: int | None
    preparation: list[Row]
    settings: list[Row]


@dataclass(frozen=True, slots=True)
class WebServer:
    """What this process knows of itself: `addresses` has the path of every endpoint."""

    answers: KeptAnswers
    latencies: Latencies
    used: Used
    addresses: dict[str, str]
    config: Config


def make_system(stores: Stores, web: WebServer) -> SystemSheet:
    """Return the sheet as the house is now."""
    beat, mono_s = stores.heartbeat(), stores.mono_s()
    now, is_alive = situation(beat, mono_s), beat.is_alive(mono_s)
    symbols = [_symbol(entry, beat, now) for entry in beat.symbols]
    troubled = [row for row in symbols if row.state != "live"]
    checks = checks_of(beat, now, is_alive, len(troubled))
    timings, limit_ms = _timings(beat)
    gaps, _ = stores.gaps(limit=GAPS)
    prepared_at_ms, steps = preparation(stores.instance_dir)
    return SystemSheet(
        beat=beat,
        is_alive=is_alive,
        verdict=verdict_of(beat, now, is_alive, checks),
        heartbeat_age_s=beat.age_s(mono_s),
        message_age_s=_age_s(mono_s, beat.feed.last_message_mono_s),
        uptime_s=_age_s(mono_s, beat.started_mono_s) if is_alive else None,
        version=stores.version(),
        checks=checks,
        uses=_uses(beat, web, *stores.disk_bytes()),
        gaps=[_gap(row, beat.speed) for row in gaps],
        symbols=symbols,
        troubled=troubled,
        most_listed=LISTED_SYMBOLS,
        refused=list(beat.feed.rejected_by_reason.items()),
        timings=timings,
        timings_limit_ms=limit_ms,
        caches=cache_rows(stores, web.answers),
        asked_caches=[one.get("cache", "") for one in stores.mailbox.waiting() if one.get("order") == "empty"],
        endpoints=[Endpoint(web.addresses.get(one.endpoint, one.endpoint), one) for one in web.latencies.recent()],
        most_endpoints=LISTED_ENDPOINTS,
        doing=_doing(beat, is_alive),
        jobs=jobs(beat, is_alive),
        prepared_at_ms=prepared_at_ms,
        preparation=steps,
        settings=setting_rows(web.config),
    )


def _symbol(entry: SymbolState, beat: Heartbeat, now: Situation) -> SymbolRow:
    state, reason = beat.symbol_state(entry, now.mono_s), entry.reason
    if entry.state == "live" != state:
        reason = "the engine does not run"
    return SymbolRow(entry, state, reason, _age_s(now.mono_s, entry.last_message_mono_s))


def _uses(beat: Heartbeat, web: WebServer, database_bytes: int, free_bytes: int) -> list[Use]:
    feed, share, own = beat.feed, beat.performance.processor_share, web.used
    found = []
    if beat.rss_mb is not None:
        found.append(_use("Engine memory", beat.rss_mb, ENGINE_BUDGET_MB, "MB"))
        found.append(_use("Engine time on one processor", 1_000 * share, 1_000, "ms a second"))
    found.append(_use("Web server memory", own.rss_mb, WEB_BUDGET_MB, "MB"))
    found.append(_use("Web server time on one processor", 1_000 * own.processor_share, 1_000, "ms a second"))
    if web.config.ENABLE_MEMORY_MONITORING:
        limit_mb = own.machine_total_mb * web.config.MAX_MEMORY_USAGE_PERCENT / 100
        found.append(_use("Machine memory, above it caches empty", own.machine_mb / 1_024, limit_mb / 1_024, "GB", 1))
    if feed.weight_used_1m is not None and feed.weight_limit_1m:
        found.append(_use("Request weight, 1 min", feed.weight_used_1m, feed.weight_limit_1m))
    if free_bytes:
        limit_bytes = database_bytes + free_bytes
        found.append(_use("Disk, of what is free", database_bytes / _GIGABYTE, limit_bytes / _GIGABYTE, "GB", 2))
    return found


def _use(name: str, used: float, limit: float, unit: str = "", digits: int = 0) -> Use:
    return Use(
        name, number(used, digits), f"{number(limit, digits)} {unit}".rstrip(), min(used / limit, 1.0), used > limit
    )


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


def _doing(beat: Heartbeat, is_alive: bool) -> str:
    if not is_alive:
        return "nothing: it does not run"
    if beat.training is not None:
        return beat.training.step or "training"
    return beat.note or "following the market"


def _age_s(mono_s: float, then_s: float | None) -> float | None:
    return None if then_s is None else max(0.0, mono_s - then_s)

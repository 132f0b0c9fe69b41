"""Everything the board page shows: the strip of facts, the tape of resolved calls, the table, the first start."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from market.intervals import interval_ms
from web.alarms import Alarm, open_alarms, score_alarms
from web.board_order import SHOWS, Asked
from web.board_table import SPARK_CANDLES, BoardRow, BoardTable, board_table
from web.heartbeat import Heartbeat, Training
from web.situation import Situation, situation
from web.skills import Skill, chosen_origin, skill_of, skills_by_symbol
from web.stores import Stores
from web.worth import Costs

TAPE = 10
BURN_WIDTH = 300
LATE_SECONDS = 10  # wall time a closed candle may take to arrive before it counts as late


@dataclass(frozen=True, slots=True)
class Strip:
    """The numbers of the strip that no other part has."""

    interval_ms: int
    countdown: str
    burn: int
    spark_span: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the first start."""

    name: str
    detail: str
    is_done: bool
    is_now: bool


@dataclass(frozen=True, slots=True)
class Start:
    """How far the first start is."""

    doing: str
    done: float
    total: float
    share: float
    eta_s: float | None
    is_training: bool  # else something that comes before it
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class Board:
    """The board for one horizon."""

    table: BoardTable
    rows: list[BoardRow]
    followed: int
    strip: Strip
    skill: Skill | None  # of the last seven days
    record: Skill | None  # of all time
    coverage: float | None
    tape: list[dict[str, Any]]
    hits: int
    tape_net: float
    tape_origin: str
    start: Start | None
    training: Training | None  # one that goes on beside the predictions
    alarms: list[Alarm]
    asked: Asked
    shows: list[tuple[str, str, int]]
    watched: frozenset[str]
    nothing: str


def make_board(stores: Stores, asked: Asked, watched: Iterable[str], costs: Costs) -> Board:
    """Return the board as it is asked for; `watched` are the symbols this reader has starred."""
    horizon, starred = asked.horizon, frozenset(watched)
    beat = stores.heartbeat()
    now = situation(beat, stores.mono_s())
    pooled = stores.recent_skill(horizon=horizon, by="horizon")
    week = stores.week_skill(horizon) if horizon else []
    origin = chosen_origin(pooled)
    skills = skills_by_symbol(stores.recent_skill(horizon=horizon), origin)
    table = board_table(stores, beat, now, horizon, skills, costs)
    tape = _tape(stores, beat, horizon)
    start = _start(beat, table, has_record=origin is not None)
    chosen = asked.rows_of(table.rows, starred)
    return Board(
        table=table,
        rows=[row for row in chosen[asked.show] if asked.filter.upper() in row.symbol.symbol],
        followed=len(beat.symbols),
        strip=_strip(beat, now, table.newest_close_ms),
        skill=skill_of(week, chosen_origin(week)),
        record=skill_of(pooled, origin),
        coverage=next((row.call["coverage"] for row in table.rows if row.call and row.call["coverage"]), None),
        tape=tape,
        hits=sum(row["net_bps"] > 0 for row in tape),
        tape_net=sum(row["net_bps"] for row in tape) / len(tape) if tape else 0.0,
        tape_origin=str(tape[0]["origin"]) if tape else "",
        start=start,
        training=beat.training if start is None and beat.is_alive(now.mono_s) else None,
        alarms=open_alarms(beat, now.mono_s) + score_alarms(horizon, skill_of(week, "live")),
        asked=asked,
        shows=[(name, label, len(chosen[name])) for name, label in SHOWS.items()],
        watched=starred,
        nothing=_nothing(beat, asked, costs),
    )


def _tape(stores: Stores, beat: Heartbeat, horizon: str) -> list[dict[str, Any]]:
    """Return the calls resolved last, oldest first, with short names of their symbols; live ones when they are ten."""
    bases = {entry.symbol: entry.base for entry in beat.symbols}
    live = stores.last_called(TAPE, "live", horizon)
    rows = live if len(live) == TAPE else stores.last_called(TAPE, "replayed", horizon) or live
    return [{**row, "base": bases.get(row["symbol"]) or row["symbol"]} for row in reversed(rows)]


def _strip(beat: Heartbeat, now: Situation, close_ms: int | None) -> Strip:
    length_ms = interval_ms(beat.interval)
    minutes = SPARK_CANDLES * length_ms // 60_000
    spark_span = f"{minutes} min" if minutes < 60 else f"{minutes / 60:g} h"
    if close_ms is None:
        return Strip(length_ms, "", 0, spark_span)
    left_ms = close_ms + length_ms - now.market_ms
    seconds = abs(left_ms) // 1_000
    word = "next in" if left_ms >= 0 else "late"
    is_closing = -LATE_SECONDS * 1_000 * now.speed < left_ms < 0
    countdown = "closing" if is_closing else f"{word} {seconds // 60}:{seconds % 60:02d}"
    burn = round(BURN_WIDTH * min(max(left_ms / length_ms, 0.0), 1.0)) if now.is_live else 0
    return Strip(length_ms, countdown, burn, spark_span)


def _start(beat: Heartbeat, table: BoardTable, has_record: bool) -> Start | None:
    """Return what is going on while there is no prediction and no record at all."""
    if has_record or any(row.call for row in table.rows):
        return None
    training = beat.training
    work = training or beat.fetching
    doing = (training.step if training else None) or beat.note or ("the engine is starting" if not beat.pid else "")
    done, total = (work.done or 0.0, work.total or 0.0) if work else (0.0, 0.0)
    has_candles = any(entry.last_candle_open_ms for entry in beat.symbols)
    steps = [
        Step(
            "Market",
            f"{len(beat.symbols)} symbols; each market has a record of its own" if beat.symbols else "looking for one",
            bool(beat.symbols),
            not beat.symbols,
        ),
        Step("Candles", "history and live", has_candles and bool(training), bool(beat.symbols) and not training),
        Step(
            "Training", (training.step or "running") if training else "after the candles", False, training is not None
        ),
        Step("Replayed record", "with the training", False, False),
        Step("First live prediction", "at the first close after that", False, False),
    ]
    share, eta_s = min(done / total, 1.0) if total else 0.0, work.eta_s if work else None
    return Start(doing, done, total, share, eta_s, training is not None, steps)


def _nothing(beat: Heartbeat, asked: Asked, costs: Costs) -> str:
    if not beat.symbols:
        return "No symbol yet: the engine is looking at the market."
    if asked.filter:
        return f"No symbol contains {asked.filter}."
    return {
        "signals": f"No signal now: every symbol abstains{' or is below your costs' if costs.is_own else ''}.",
        "trouble": "No trouble: every symbol is fresh.",
        "watched": "Nothing is watched yet: press the star beside a symbol, or choose some in the settings.",
    }.get(asked.show, "")

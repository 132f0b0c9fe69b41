"""The board's table: one row a symbol for one horizon; silent where the data are not fresh."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from data.ledger_rows import Row
from market.intervals import interval_ms
from utils.times import parse_utc
from web.drawings import Spark, Whisker, spark, whisker, whisker_limit
from web.health import GRACE_SECONDS
from web.heartbeat import Heartbeat, SymbolState
from web.situation import Situation
from web.skills import Skill
from web.stores import Stores
from web.worth import Costs, Worth, worth_of

SPARK_CANDLES = 24
CONTROLS = {"WALKUSDT", "EDGEUSDT"}


@dataclass(frozen=True, slots=True)
class BoardRow:
    """What one row shows; `call` is None where there is nothing fresh to say, and `reason` says why."""

    symbol: SymbolState
    is_control: bool
    state: str
    price: float | None
    change: float | None  # share of 1, over 24 h
    age_s: float | None
    spark: Spark | None
    skill: Skill | None
    call: Row | None = None
    reason: str | None = None
    worth: Worth | None = None
    whisker: Whisker | None = None

    @property
    def verdict(self) -> str:
        """Return up, down or abstain."""
        return str(self.call["verdict"]) if self.call else "abstain"

    @property
    def tone(self) -> str:
        """Return the verdict as the row is coloured: abstain also where the reader's costs leave nothing."""
        return self.worth.tone if self.worth else "abstain"


@dataclass(frozen=True, slots=True)
class BoardTable:
    """The rows, the scale of their ranges in bps, and what is not fresh."""

    rows: list[BoardRow]
    limit_bps: float
    fresh: int
    troubles: list[tuple[int, str]]  # how many, what
    newest_close_ms: int | None


def board_table(
    stores: Stores,
    beat: Heartbeat,
    now: Situation,
    horizon: str,
    skills: dict[str, Skill],
    costs: Costs,
) -> BoardTable:
    """Return the board of `horizon` at a reader's costs, in the order of the engine's symbols."""
    sparks = stores.last_closes(SPARK_CANDLES)
    latest = {row["symbol"]: row for row in stores.latest(horizon=horizon)}
    shown = {entry.symbol: _fresh(entry, latest.get(entry.symbol), beat, now) for entry in beat.symbols}
    calls = [call for call, _ in shown.values() if call]
    limit = whisker_limit([(call["low_bps"], call["high_bps"]) for call in calls if call["low_bps"] is not None])
    rows = []
    for entry in beat.symbols:
        call, reason = shown[entry.symbol]
        worth = worth_of(call, costs) if call else None
        row = _row(entry, now, skills.get(entry.symbol), spark(sparks.get(entry.symbol, [])))
        rows.append(replace(row, call=call, reason=reason, worth=worth, whisker=range_of(call, worth, limit)))
    opens = [entry.last_candle_open_ms for entry in beat.symbols if entry.last_candle_open_ms is not None]
    return BoardTable(
        rows,
        limit,
        sum(row.state == "live" for row in rows),
        _troubles(rows),
        max(opens) + interval_ms(beat.interval) if opens else None,
    )


def silence(entry: SymbolState, call: Row | None, beat: Heartbeat, now: Situation) -> str | None:
    """Return why nothing is said of a symbol now, or None when its newest prediction stands."""
    if not now.is_live:
        return "stale"
    if entry.state != "live":
        return entry.state
    if call is None:
        return "no prediction yet"
    oldest_ms = now.market_ms - 2 * interval_ms(beat.interval) - GRACE_SECONDS * 1_000 * now.speed
    if parse_utc(call["made_at"]) < oldest_ms:
        return "stale"
    return str(call["reason"]) if call["probability_up"] is None else None


def _fresh(entry: SymbolState, call: Row | None, beat: Heartbeat, now: Situation) -> tuple[Row | None, str | None]:
    reason = silence(entry, call, beat, now)
    if reason is not None or call is None:
        return None, reason
    return call, call["reason"]


def _row(entry: SymbolState, now: Situation, skill: Skill | None, line: Spark | None) -> BoardRow:
    """Return a row of which nothing is said yet."""
    last_s = entry.last_message_mono_s
    return BoardRow(
        symbol=entry,
        is_control=now.is_simulated and entry.symbol in CONTROLS,
        state=entry.state if now.is_live else "stale",
        price=entry.price,
        change=None if entry.change_24h_percent is None else entry.change_24h_percent / 100,
        age_s=None if last_s is None else max(0.0, now.mono_s - last_s),
        spark=line,
        skill=skill,
    )


def range_of(call: Row | None, worth: Worth | None, limit: float) -> Whisker | None:
    """Return the whisker of a prediction beside the band of its costs; None when it has no range."""
    if call is None or worth is None or call["low_bps"] is None:
        return None
    return whisker(call["low_bps"], call["high_bps"], call["expected_return_bps"], worth.cost_bps, limit)


def _troubles(rows: Sequence[BoardRow]) -> list[tuple[int, str]]:
    words = {"stale": "stale", "gapped": "gapped", "closed": "closed"}
    counted = [(sum(row.state == state for row in rows), word) for state, word in words.items()]
    warming = sum(row.state == "live" and row.call is None for row in rows)
    return [(count, word) for count, word in [*counted, (warming, "without a prediction")] if count]

"""Everything the page of a symbol shows: price, forecast, what it is worth, the other horizons, what came of it."""

from dataclasses import dataclass

from data.ledger_rows import Row
from market.predictions import BPS
from utils.times import parse_utc
from web.board_table import CONTROLS, range_of, silence
from web.chart_sheet import Chart, make_chart
from web.drawings import Whisker, round_up
from web.heartbeat import Heartbeat, SymbolState
from web.reasons import Reasons, reasons_of
from web.situation import Situation, situation
from web.skills import Skill, Tenth, chosen_origin, skill_of
from web.stores import Stores
from web.worth import Costs, Worth, worth_of

SCORED_ROWS = 50
_REASONS_FOLLOW_MS = 10_000  # at most so long after a prediction; the engine writes them in its next pause


@dataclass(frozen=True, slots=True)
class Forecast:
    """A prediction in the words and prices of the page."""

    row: Row
    worth: Worth
    made_ms: int
    due_ms: int
    low_price: float | None
    expected_price: float | None
    high_price: float | None
    costs: list[tuple[str, float]]  # what is taken off the expected move, in bps; adds up to the cost of its worth
    reasons: Reasons | None
    awaits_reasons: bool  # it was made a moment ago


@dataclass(frozen=True, slots=True)
class Rung:
    """One horizon of the ladder."""

    horizon: str
    due_ms: int | None
    call: Row | None
    worth: Worth | None
    whisker: Whisker | None
    reason: str | None
    skill: Skill | None


@dataclass(frozen=True, slots=True)
class SymbolSheet:
    """The page of one symbol for one horizon and one candle length."""

    symbol: SymbolState
    state: str
    is_control: bool
    age_s: float | None
    horizon: str
    forecast: Forecast | None
    reason: str | None
    skill: Skill | None
    tenth: Tenth | None  # what became of earlier predictions of about the same probability
    ladder: list[Rung]
    limit_bps: float
    scored: list[Row]
    hits: int
    calls: int
    counted: str
    chart: Chart


def make_sheet(
    stores: Stores, entry: SymbolState, horizon: str, shown: tuple[str, list[str]], costs: Costs
) -> SymbolSheet:
    """Return the sheet of a symbol.

    `shown`: candle length and chosen indicators of the chart; `costs`: the reader's.
    """
    beat = stores.heartbeat()
    now = situation(beat, stores.mono_s())
    latest = {row["horizon"]: row for row in stores.latest(symbol=entry.symbol)}
    calls = {name: _standing(entry, latest.get(name), beat, now) for name in beat.horizons}
    standing = [call for call, _ in calls.values() if call and call["low_bps"] is not None]
    # The ladder is short enough to show every range whole.
    limit = round_up(max((abs(call[edge]) for call in standing for edge in ("low_bps", "high_bps")), default=100.0))
    skills = _skills(stores, entry.symbol)
    ladder = [_rung((name, *calls[name]), costs, limit, skills.get(name)) for name in beat.horizons]
    call, reason = calls.get(horizon, (None, None))
    told = None if call is None else stores.row(call["id"])
    forecast = None if call is None else _forecast(call, costs, None if told is None else reasons_of(told), now)
    skill = skills.get(horizon)
    scored = stores.last_scored(SCORED_ROWS, entry.symbol, horizon)
    called = [row for row in scored if row["net_bps"] is not None]
    counted = "live" if any(row["origin"] == "live" for row in called) else "replayed"
    called = [row for row in called if row["origin"] == counted]  # the two are never one figure
    interval, indicators = shown
    last_s = entry.last_message_mono_s
    return SymbolSheet(
        symbol=entry,
        state=entry.state if now.is_live else "stale",
        is_control=now.is_simulated and entry.symbol in CONTROLS,
        age_s=None if last_s is None else max(0.0, now.mono_s - last_s),
        horizon=horizon,
        forecast=forecast,
        reason=reason,
        skill=skill,
        tenth=skill.tenth_of(call["probability_up"]) if skill and call else None,
        ladder=ladder,
        limit_bps=limit,
        scored=scored,
        hits=sum(row["net_bps"] > 0 for row in called),
        calls=len(called),
        counted=counted,
        chart=make_chart(stores, (entry.symbol, interval), indicators, _prices(forecast), scored),
    )


def _standing(entry: SymbolState, call: Row | None, beat: Heartbeat, now: Situation) -> tuple[Row | None, str | None]:
    reason = silence(entry, call, beat, now)
    return (None, reason) if reason or call is None else (call, call["reason"])


def _skills(stores: Stores, symbol: str) -> dict[str, Skill]:
    items = stores.recent_skill(symbol=symbol)
    found = {}
    for horizon in {item["horizon"] for item in items}:
        of_horizon = [item for item in items if item["horizon"] == horizon]
        skill = skill_of(of_horizon, chosen_origin(of_horizon))
        if skill:
            found[horizon] = skill
    return found


def _rung(named: tuple[str, Row | None, str | None], costs: Costs, limit: float, skill: Skill | None) -> Rung:
    horizon, call, reason = named
    worth = worth_of(call, costs) if call else None
    due_ms = None if call is None else parse_utc(call["due_at"])
    return Rung(horizon, due_ms, call, worth, range_of(call, worth, limit), reason, skill)


def _forecast(row: Row, costs: Costs, reasons: Reasons | None, now: Situation) -> Forecast:
    worth, fee, slippage = worth_of(row, costs), costs.fee_bps, costs.slippage_bps
    is_as_set = abs(costs.round_trip_bps - worth.cost_bps) < 1e-9
    parts = [(f"Fee, 2 × {fee:g}", 2 * fee), (f"Slippage, 2 × {slippage:g}", 2 * slippage)]
    made_ms = parse_utc(row["made_at"])
    return Forecast(
        row,
        worth,
        made_ms,
        parse_utc(row["due_at"]),
        _price(row, "low_bps"),
        _price(row, "expected_return_bps"),
        _price(row, "high_bps"),
        parts if is_as_set else [("Costs as set when it was made", worth.cost_bps)],
        reasons,
        now.is_live and row["origin"] == "live" and now.market_ms - made_ms < _REASONS_FOLLOW_MS * now.speed,
    )


def _price(row: Row, name: str) -> float | None:
    return None if row[name] is None else float(row["price"] * (1 + row[name] / BPS))


def _prices(forecast: Forecast | None) -> tuple[float, float, float, float] | None:
    if forecast is None or forecast.low_price is None or forecast.expected_price is None or forecast.high_price is None:
        return None
    return float(forecast.row["price"]), forecast.low_price, forecast.expected_price, forecast.high_price

"""Everything the track record shows: how good the rows of one origin and horizon were, and the rows themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from data.foreign_store import PREFIX
from data.ledger_rows import Row
from data.skill import calibration_gap
from web.board_table import CONTROLS
from web.cursors import signed
from web.score_drawings import Reliability, Scale, reliability, score_scale
from web.skills import Skill, chosen_origin, is_few, is_told, skill_of, skills_by_symbol
from web.stores import Stores
from web.tables import horizon_order

ORIGINS = ("live", "replayed", "imported")
STATES = ("scored", "open", "void", "all")
ROWS = 20
MOST_WEEKS = 13
_MOST_SYMBOLS = 12
_ENDS = 6  # the best and the worst of more


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; empty words stand for all there are."""

    origin: str
    horizon: str
    symbol: str
    model: str
    state: str
    cursor: str

    def query(self, **changes: str) -> str:
        """Return the address's query with some words changed; the place in the list is kept only when it is given."""
        words = {name: getattr(self, name) for name in ("origin", "horizon", "symbol", "model", "state")} | changes
        return urlencode({name: value for name, value in words.items() if value})

    def filters(self, *names: str) -> dict[str, str | None]:
        """Return these words as the stores take them."""
        return {name: getattr(self, name) or None for name in names}


@dataclass(frozen=True, slots=True)
class Line:
    """One score on a line of intervals: a name, the score, and where its marks stand in percent; none when untold."""

    name: str
    link: str
    item: dict[str, Any]
    is_told: bool
    low: float
    high: float
    at: float
    kind: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Scores on one scale."""

    scale: Scale
    lines: list[Line]

    @property
    def is_cut(self) -> bool:
        """Return whether some interval goes on beyond an end of the scale."""
        return any(self.scale.is_cut(*_interval(line.item)) for line in self.lines if line.is_told)


@dataclass(frozen=True, slots=True)
class RecordSheet:
    """The page."""

    asked: Asked
    origins: list[tuple[str, int]]
    head: dict[str, Any] | None  # the score of the origin and horizon that are asked for
    finding: str
    gap: float | None
    reliability: Reliability | None
    horizons: Lines
    symbols: Lines
    symbols_left: int
    coverage: list[dict[str, Any]]
    weeks: Lines
    weeks_left: int
    regimes: Lines
    models: Lines
    names: list[str]  # of horizons, the columns of the matrix
    matrix: list[tuple[str, bool, list[Skill | None]]]
    rows: list[Row]
    next_cursor: str | None
    known_symbols: list[str]
    known_models: list[str]
    chain: dict[str, Any]  # the newest link over our rows, `PredictionStore.chain`

    @property
    def is_matrix_long(self) -> bool:
        """Return whether the matrix is so long that it is folded."""
        return len(self.matrix) > _MOST_SYMBOLS


def make_record(stores: Stores, asked: Asked) -> RecordSheet:
    """Return the sheet; `asked.origin` may be empty: then the live rows as soon as there are enough."""
    ours = _by_horizon(stores, asked, None)
    theirs = _by_horizon(stores, asked, "imported")
    counts = {name: sum(item["n"] for item in (*ours, *theirs) if item["origin"] == name) for name in ORIGINS}
    of_horizon = [item for item in ours if item["horizon"] == asked.horizon]
    origin = asked.origin or chosen_origin(of_horizon) or chosen_origin(ours) or "live"
    asked = Asked(origin, asked.horizon, asked.symbol, asked.model, asked.state, asked.cursor)
    heads = [item for item in (*ours, *theirs) if item["origin"] == origin]
    head = next((item for item in heads if item["horizon"] == asked.horizon and item["n"]), None)
    each = stores.settled_skill(**asked.filters("model", "origin"))
    symbols = [item for item in each if item["horizon"] == asked.horizon and is_told(item)]
    shown = _ends(symbols)
    weeks = _parts(stores, asked, "week")[::-1]
    models = _parts(stores, asked, "model")
    rows, cursor = _rows(stores, asked)
    scale = score_scale([_interval(item) for item in (*filter(is_told, heads), *shown)])
    return RecordSheet(
        asked=asked,
        origins=[(name, counts[name]) for name in ORIGINS if name != "imported" or counts[name] or theirs],
        head=head,
        finding=_finding(head),
        gap=calibration_gap(head["calibration"]) if head and not is_few(head) else None,
        reliability=reliability(head["calibration"], head["n_independent"]) if head else None,
        horizons=_lines(heads, "horizon", asked, scale),
        symbols=_lines([] if asked.symbol else shown, "symbol", asked, scale),
        symbols_left=0 if asked.symbol else len(symbols) - len(shown),
        coverage=[item for item in heads if item["coverage_kept"] is not None and not is_few(item)],
        weeks=_lines(weeks[:MOST_WEEKS], "week", asked),
        weeks_left=max(len(weeks) - MOST_WEEKS, 0),
        regimes=_lines(_parts(stores, asked, "regime"), "regime", asked),
        models=_lines(models, "model", asked),
        names=(names := sorted({item["horizon"] for item in each}, key=horizon_order)),
        matrix=_matrix(each, names, origin),
        rows=rows,
        next_cursor=cursor,
        known_symbols=[entry.symbol for entry in stores.symbols()],
        chain=stores.chain(),
        known_models=sorted({item["model"] for item in models} | ({asked.model} if asked.model else set())),
    )


def _by_horizon(stores: Stores, asked: Asked, origin: str | None) -> list[dict[str, Any]]:
    """Return one score a horizon and origin, of all symbols together or of the one that is asked for."""
    wanted = asked.filters("symbol", "model")
    if wanted["model"] and wanted["model"].startswith(PREFIX) != (origin == "imported"):
        return []
    by = None if asked.symbol else "horizon"
    return sorted(
        stores.settled_skill(**wanted, origin=origin, by=by),
        key=lambda item: horizon_order(item["horizon"]),
    )


def _parts(stores: Stores, asked: Asked, by: str) -> list[dict[str, Any]]:
    return stores.settled_skill(**asked.filters("symbol", "horizon", "model", "origin"), by=by)


def _rows(stores: Stores, asked: Asked) -> tuple[list[Row], str | None]:
    wanted = asked.filters("symbol", "horizon", "model", "origin", "cursor")
    rows, cursor = stores.ledger(**wanted, state=None if asked.state == "all" else asked.state, limit=ROWS)
    return rows, signed(cursor, "record")


def _ends(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the scores, best first; of many the best and the worst."""
    ranked = sorted(items, key=lambda item: -item["brier_skill"])
    return ranked if len(ranked) <= _MOST_SYMBOLS else [*ranked[:_ENDS], *ranked[-_ENDS:]]


def _lines(items: Sequence[dict[str, Any]], name: str, asked: Asked, scale: Scale | None = None) -> Lines:
    """Return a line for each item; those whose skill is not told have no marks."""
    scale = scale or score_scale([_interval(item) for item in filter(is_told, items)])
    lines = []
    for item in items:
        is_shown = is_told(item)
        low, high = _interval(item) if is_shown else (0.0, 0.0)
        at = scale.place(item["brier_skill"] if is_shown else 0.0)
        link = {"symbol": f"/s/{item['symbol']}", "horizon": f"?{asked.query(horizon=item['horizon'])}"}.get(name, "")
        if name == "model":
            link = f"?{asked.query(model=item['model'])}"
        kind = {"edge": "edge", "worse than base": "worse"}.get(item["verdict"], "plain")
        lines.append(Line(item[name], link, item, is_shown, scale.place(low), scale.place(high), at, kind))
    return Lines(scale, lines)


def _interval(item: dict[str, Any]) -> tuple[float, float]:
    return item["brier_skill_low"], item["brier_skill_high"]


def _matrix(
    items: Sequence[dict[str, Any]], names: Sequence[str], origin: str
) -> list[tuple[str, bool, list[Skill | None]]]:
    """Return for each symbol, whether it is a control, and its skill at each horizon."""
    by_name = {name: skills_by_symbol((item for item in items if item["horizon"] == name), origin) for name in names}
    symbols = sorted({symbol for skills in by_name.values() for symbol in skills})
    return [
        (
            symbol,
            symbol in CONTROLS and any(item["market"] == "simulated" for item in items[:1]),
            [by_name[name].get(symbol) for name in names],
        )
        for symbol in symbols
    ]


def _finding(head: dict[str, Any] | None) -> str:
    """Return the finding in words."""
    skill = skill_of([head], head["origin"]) if head else None
    if skill is None or skill.value is None:
        return ""
    if skill.kind == "edge":
        size = "a little" if skill.value < 0.02 else "measurably" if skill.value < 0.1 else "clearly"
        return f"{size} better than the best baseline"
    return "worse than the best baseline" if skill.kind == "worse" else "not measurably better than the best baseline"

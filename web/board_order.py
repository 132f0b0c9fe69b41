"""What an address asks of the board: which rows, in which order; and the addresses that ask for something else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from web.board_table import BoardRow

SHOWS = {"all": "All", "watched": "Watched", "signals": "Signals", "trouble": "Trouble"}
DEFAULT_SORT = "edge"

_Key = Callable[[BoardRow], float | None]


def _edge(row: BoardRow) -> float | None:
    return row.worth.edge_bps if row.worth else None


def _up(row: BoardRow) -> float | None:
    return row.call["probability_up"] if row.call else None


def _skill(row: BoardRow) -> float | None:
    return row.skill.value if row.skill else None


def _price(row: BoardRow) -> float | None:
    return row.price


def _change(row: BoardRow) -> float | None:
    return row.change


def _freshness(row: BoardRow) -> float | None:
    return None if row.age_s is None else -row.age_s


# The largest first; `symbol` has no figure: it is the order of those that are alike.
_KEYS: dict[str, _Key] = {
    "symbol": lambda row: 0.0,
    "price": _price,
    "change": _change,
    "up": _up,
    "edge": _edge,
    "skill": _skill,
    "age": _freshness,
}
SORTS = [*_KEYS, *(f"-{name}" for name in _KEYS)]  # with a minus: the other way round


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address of the board asks for."""

    horizon: str
    show: str = "all"
    filter: str = ""
    sort: str = DEFAULT_SORT

    def address(self, **changes: str) -> str:
        """Return the address of the same board but for these changes."""
        other = replace(self, **changes)
        told = {"horizon": other.horizon, "show": other.show, "sort": other.sort, "filter": other.filter}
        defaults = {"show": "all", "sort": DEFAULT_SORT, "filter": ""}
        return f"?{urlencode({name: value for name, value in told.items() if value != defaults.get(name)})}"

    def sorted_by(self, name: str) -> str:
        """Return the address sorted by a column; the other way round when it is sorted by it already."""
        return self.address(sort=f"-{name}" if self.sort == name else name)

    def direction(self, name: str) -> str:
        """Return how a column is sorted, as `aria-sort` says it; empty when it is not."""
        if self.sort.removeprefix("-") != name:
            return ""
        goes_up = (name == "symbol") != self.sort.startswith("-")  # freshest first is the largest freshness first
        return "ascending" if goes_up != (name == "age") else "descending"

    def rows_of(self, rows: Iterable[BoardRow], watched: Iterable[str]) -> dict[str, list[BoardRow]]:
        """Return the rows of every choice of `SHOWS`, in the order that is asked for."""
        in_order, known = self._in_order(list(rows)), set(watched)
        return {name: [row for row in in_order if _is_shown(row, name, known)] for name in SHOWS}

    def _in_order(self, rows: list[BoardRow]) -> list[BoardRow]:
        name, is_turned = self.sort.removeprefix("-"), self.sort.startswith("-")
        key = _KEYS[name]
        by_name = sorted(rows, key=lambda row: row.symbol.symbol, reverse=is_turned and name == "symbol")
        figures = [(key(row), row) for row in by_name]
        known = [(value, row) for value, row in figures if value is not None]
        known.sort(key=lambda pair: pair[0] if is_turned else -pair[0])
        return [row for _, row in known] + [row for value, row in figures if value is None]


def _is_shown(row: BoardRow, show: str, watched: set[str]) -> bool:
    if show == "signals":
        return row.tone != "abstain"
    if show == "watched":
        return row.symbol.symbol in watched
    return row.state != "live" if show == "trouble" else True

"""One ledger row for a person: what was said, on what grounds, what it was worth, and what became of it."""

from dataclasses import dataclass

from data.ledger_rows import Row
from market.predictions import BPS
from utils.times import parse_utc
from web.reasons import Reasons, reasons_of
from web.stores import Stores


@dataclass(frozen=True, slots=True)
class PredictionSheet:
    """The page of one prediction; times are market time."""

    row: Row
    price_digits: int
    made_ms: int
    due_ms: int
    scored_ms: int | None
    left_ms: int  # market time until it is due; negative when that has passed
    outcome_price: float | None
    low_price: float | None
    high_price: float | None
    reasons: Reasons | None  # None: a signal that came from outside
    inputs: list[tuple[str, float | None]]
    links: int
    head: str | None


def make_prediction(stores: Stores, id_: str) -> PredictionSheet | None:
    """Return the sheet of a row, or None when the ledger has no such row."""
    row = stores.row(id_)
    if row is None:
        return None
    symbol = stores.symbol(row["symbol"])
    due_ms = parse_utc(row["due_at"])
    chain = stores.chain()
    return PredictionSheet(
        row=row,
        price_digits=symbol.price_digits if symbol else 8,
        made_ms=parse_utc(row["made_at"]),
        due_ms=due_ms,
        scored_ms=parse_utc(row["scored_at"]) if row["scored_at"] else None,
        left_ms=due_ms - stores.market_ms(),
        outcome_price=_price(row, "outcome_return_bps"),
        low_price=_price(row, "low_bps"),
        high_price=_price(row, "high_bps"),
        reasons=reasons_of(row) if "contributions" in row else None,
        inputs=list(row["inputs"].items()),
        links=chain["links"],
        head=chain["head"],
    )


def _price(row: Row, name: str) -> float | None:
    return None if row[name] is None else float(row["price"] * (1 + row[name] / BPS))

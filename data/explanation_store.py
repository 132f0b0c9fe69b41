"""Why live predictions said what they did, as it was known when they were made: contributions and past cases."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Column, Connection, Engine, Float, LargeBinary, Table, Text, select
from sqlalchemy.dialects.sqlite import insert

from data.database import metadata, transaction
from data.ledger_rows import Row
from utils.times import iso_utc, parse_utc

TOP = 5  # contributions that are kept of a row
CASES = 3
_NOTHING = 0xFFFF  # in place of a feature where a model has fewer than TOP
# One row of the ledger: its largest contributions by place of the feature, how strange it is, its most similar cases.
_OLD_ROW = [("features", "<u2", TOP), ("points", "<f4", TOP), ("strangeness", "<f4"), ("cases", "<u2", CASES)]
_ROW = np.dtype([*_OLD_ROW, ("base_shift", "<f4")])  # rows from before probabilities were adapted have none
_CASE = np.dtype([("symbol", "<u2"), ("open_ms", "<i8"), ("return_bps", "<f8")])

# One row for all symbols of a close and horizon that were published together.
explanations = Table(
    "explanations",
    metadata,
    Column("candle_open_ms", BigInteger, primary_key=True),
    Column("horizon", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("first_symbol", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("symbols", Text, nullable=False),  # in the order of the values, a space between two
    Column("values", LargeBinary, nullable=False),
)
# What the rows above refer to; it stays when the model itself is long gone.
explained_models = Table(
    "explained_models",
    metadata,
    Column("model", Text, primary_key=True),
    Column("newest_open_ms", BigInteger, nullable=False),  # of the candles it was asked about
    Column("base", Float, nullable=False),
    Column("columns", Text, nullable=False),  # JSON: pairs of a feature's name and the same in words
    Column("symbols", Text, nullable=False),
    Column("cases", LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class ModelWords:
    """What a model's explanations refer to."""

    base: float  # the model's own
    columns: list[tuple[str, str]]  # each feature's name, and what it is called on a page
    symbols: Sequence[str]
    cases: np.ndarray  # int64 (k, 2): index of the symbol, open time in ms
    returns: np.ndarray  # float64 (k,): what became of each case, bps


@dataclass(frozen=True, slots=True)
class Explanation:
    """What moved the predictions of one close and horizon, one row a symbol."""

    candle_open_ms: int
    horizon: str
    model: str
    symbols: list[str]
    base_shifts: np.ndarray  # (n,): from the base of the model to the one that contributions start from
    contributions: np.ndarray  # (n, features), of the probability
    strangeness: np.ndarray  # (n,)
    cases: np.ndarray  # (n, CASES): places of the most similar ones


class ExplanationStore:
    """The explanations of one base interval."""

    def __init__(self, engine: Engine, interval: str) -> None:
        """Keep and read those of rows made from `interval` candles."""
        self._engine = engine
        self._interval = interval

    def keep(self, new: Sequence[Explanation], words: Callable[[str], ModelWords]) -> None:
        """Write what explains the rows of a close; `words` is asked once for each model that is new here."""
        with transaction(self._engine) as connection:
            for one in new:
                self._keep(connection, one, words)

    def of(self, row: Row) -> dict[str, Any]:
        """Return what explains a ledger row that has its `inputs`, as the API shows it; nothing was kept: empty lists.

        base_probability + the contributions + other_contributions = probability_up.
        """
        with self._engine.connect() as connection:
            for model, symbols, values in connection.execute(self._parts(row)):
                names = symbols.split(" ")
                if row["symbol"] in names and model == row["model"]:
                    found = _rows(values, len(names))[names.index(row["symbol"])]
                    query = select(explained_models).where(explained_models.c.model == model)
                    known = connection.execute(query).mappings().one_or_none()
                    return _shown(row, found, known) if known else dict(_UNEXPLAINED)
        return dict(_UNEXPLAINED)

    def _parts(self, row: Row) -> Any:
        kept = explanations.c
        return select(kept.model, kept.symbols, kept["values"]).where(
            kept.candle_open_ms == parse_utc(row["candle_open_time"]),
            kept.horizon == row["horizon"],
            kept.interval == self._interval,
        )

    def _keep(self, connection: Connection, one: Explanation, words: Callable[[str], ModelWords]) -> None:
        models = explained_models
        touch = models.update().where(models.c.model == one.model).values(newest_open_ms=one.candle_open_ms)
        if connection.execute(touch).rowcount == 0:
            connection.execute(models.insert().values(**_model_record(one, words(one.model))))
        record = {
            "candle_open_ms": one.candle_open_ms,
            "horizon": one.horizon,
            "interval": self._interval,
            "first_symbol": one.symbols[0],
            "model": one.model,
            "symbols": " ".join(one.symbols),
            "values": _packed(one),
        }
        connection.execute(insert(explanations).values(**record).on_conflict_do_nothing())


_UNEXPLAINED: dict[str, Any] = {
    "base_probability": None,
    "contributions": [],
    "other_contributions": None,
    "strangeness": None,
    "nearest_cases": [],
}
FIELDS = tuple(_UNEXPLAINED)


def _model_record(one: Explanation, words: ModelWords) -> dict[str, Any]:
    cases = np.empty(len(words.cases), _CASE)
    cases["symbol"], cases["open_ms"] = words.cases.T
    cases["return_bps"] = words.returns
    return {
        "model": one.model,
        "newest_open_ms": one.candle_open_ms,
        "base": words.base,
        "columns": json.dumps(words.columns),
        "symbols": " ".join(words.symbols),
        "cases": cases.tobytes(),
    }


def _packed(one: Explanation) -> bytes:
    count, features = one.contributions.shape
    rows = np.zeros(count, _ROW)
    rows["features"] = _NOTHING
    kept = min(TOP, features)
    top = np.argsort(-np.abs(one.contributions), axis=1, kind="stable")[:, :kept]
    rows["features"][:, :kept] = top
    rows["points"][:, :kept] = np.take_along_axis(one.contributions, top, axis=1)
    rows["strangeness"], rows["cases"], rows["base_shift"] = one.strangeness, one.cases, one.base_shifts
    return rows.tobytes()


def _rows(values: bytes, count: int) -> np.ndarray:
    """Return the rows that `_packed` made, or an older version of it."""
    if len(values) == count * _ROW.itemsize:
        return np.frombuffer(values, _ROW)
    rows = np.zeros(count, _ROW)
    old = np.frombuffer(values, _OLD_ROW)
    for name in old.dtype.names or ():
        rows[name] = old[name]
    return rows


def _shown(row: Row, found: Any, known: Any) -> dict[str, Any]:
    columns, symbols = json.loads(known["columns"]), known["symbols"].split(" ")
    cases = np.frombuffer(known["cases"], _CASE)
    told = [
        {
            "feature": columns[place][0],
            "name": columns[place][1],
            "value": row["inputs"].get(columns[place][0]),
            "contribution": points,
        }
        for place, points in zip(found["features"].tolist(), found["points"].tolist(), strict=True)
        if place != _NOTHING and points
    ]
    base = known["base"] + float(found["base_shift"])
    near = [cases[place].item() for place in found["cases"].tolist()]
    return {
        "base_probability": base,
        "contributions": told,
        "other_contributions": row["probability_up"] - base - sum(one["contribution"] for one in told),
        "strangeness": float(found["strangeness"]),
        "nearest_cases": [
            {"symbol": symbols[symbol], "candle_open_time": iso_utc(open_ms), "return_bps": return_bps}
            for symbol, open_ms, return_bps in near
        ],
    }

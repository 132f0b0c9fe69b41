"""The shapes of what the API answers with: they document it and name the columns of its tables."""

from typing import Any

from marshmallow import Schema, fields

from data.ledger_rows import FIELDS
from data.regimes import REGIMES

_TEXTS = (
    "id",
    "symbol",
    "interval",
    "horizon",
    "market",
    "verdict",
    "reason",
    "model",
    "origin",
    "state",
    "void_reason",
)
_TIMES = ("made_at", "candle_open_time", "due_at", "scored_at")
_FLAGS = ("outcome_up", "inside_interval")
_ALWAYS = (
    "id",
    "symbol",
    "interval",
    "horizon",
    "made_at",
    "candle_open_time",
    "due_at",
    "market",
    "price",
    "cost_bps",
)


def _field(name: str) -> fields.Field[Any]:
    kind: type[fields.Field[Any]] = fields.Float
    if name in _TEXTS:
        kind = fields.String
    if name in _TIMES:
        kind = fields.DateTime
    if name in _FLAGS:
        kind = fields.Boolean
    return kind(allow_none=name not in _ALWAYS)


_prediction = {name: _field(name) for name in FIELDS}
_inputs = fields.Dict(fields.String(), fields.Float(allow_none=True), metadata={"description": "what the model saw"})


class ContributionSchema(Schema):
    """How far one feature moved a probability."""

    feature = fields.String()
    name = fields.String(metadata={"description": "the feature in plain words"})
    value = fields.Float(allow_none=True)
    contribution = fields.Float(metadata={"description": "of the probability, signed"})


class CaseSchema(Schema):
    """One past case the model has learnt from, and what became of it."""

    symbol = fields.String()
    candle_open_time = fields.DateTime()
    return_bps = fields.Float(metadata={"description": "over the horizon that followed"})


_explained: dict[str, fields.Field[Any]] = {
    "base_probability": fields.Float(allow_none=True, metadata={"description": "what the contributions start from"}),
    "contributions": fields.List(fields.Nested(ContributionSchema), metadata={"description": "the largest, live rows"}),
    "other_contributions": fields.Float(allow_none=True, metadata={"description": "all other features together"}),
    "strangeness": fields.Float(allow_none=True, metadata={"description": "beyond 1: out of distribution"}),
    "nearest_cases": fields.List(fields.Nested(CaseSchema), metadata={"description": "most similar first"}),
}

PredictionSchema = Schema.from_dict(_prediction, name="PredictionSchema")
LedgerRowSchema = Schema.from_dict({**_prediction, "inputs": _inputs, **_explained}, name="LedgerRowSchema")


class CandleSchema(Schema):
    """One closed candle."""

    open_time = fields.DateTime()
    open = fields.Float()
    high = fields.Float()
    low = fields.Float()
    close = fields.Float()
    volume = fields.Float()
    close_time = fields.DateTime()


class IndicatorSchema(Schema):
    """The lines of the chart at one closed candle; null while a line is not warm."""

    open_time = fields.DateTime()
    sma_20 = fields.Float(allow_none=True)
    sma_50 = fields.Float(allow_none=True)
    ema_26 = fields.Float(allow_none=True)
    bollinger_upper_20 = fields.Float(allow_none=True)
    bollinger_lower_20 = fields.Float(allow_none=True)
    rsi = fields.Float(allow_none=True, metadata={"description": "0 to 100"})


class SymbolSchema(Schema):
    """One symbol: its assets, its order rules, how it is now."""

    symbol = fields.String()
    base = fields.String()
    quote = fields.String()
    status = fields.String(metadata={"description": "the exchange's own word"})
    state = fields.String(metadata={"description": "live, stale, gapped or closed"})
    price_digits = fields.Integer()
    tick_size = fields.Float(allow_none=True)
    step_size = fields.Float(allow_none=True)
    min_notional = fields.Float(allow_none=True)


_gap: dict[str, fields.Field[Any]] = {
    "symbol": fields.String(),
    "from": fields.DateTime(metadata={"description": "open time of the first missing candle"}),
    "to": fields.DateTime(metadata={"description": "open time of the first candle after it"}),
    "candles": fields.Integer(),
    "found_at": fields.DateTime(),
    "ended_at": fields.DateTime(
        metadata={"description": "when REST had brought the last of them, or said it has none"}
    ),
    "is_repaired": fields.Boolean(metadata={"description": "false: the exchange itself has none of some"}),
    "missed_predictions": fields.Integer(metadata={"description": "rows that were not made in time"}),
    "late_outcomes": fields.Integer(metadata={"description": "rows whose outcome is the close of such a candle"}),
}
GapSchema = Schema.from_dict(_gap, name="GapSchema")


class BinSchema(Schema):
    """One tenth of the probabilities: what was said and what happened."""

    low = fields.Float()
    high = fields.Float()
    n = fields.Integer()
    mean_probability = fields.Float()
    share_up = fields.Float()


class SkillSchema(Schema):
    """The scores of one group of predictions."""

    symbol = fields.String(allow_none=True)
    horizon = fields.String()
    origin = fields.String()
    market = fields.String()
    model = fields.String(metadata={"description": "only where the rows were chosen or told apart by it"})
    week = fields.String(metadata={"description": "only by=week: the ISO week, UTC, such as 2025-W47"})
    regime = fields.String(metadata={"description": f"only by=regime: {', '.join(REGIMES)}"})
    n = fields.Integer()
    n_independent = fields.Integer(metadata={"description": "horizons that do not overlap"})
    base_rate = fields.Float(allow_none=True)
    accuracy = fields.Float(allow_none=True)
    accuracy_low = fields.Float(allow_none=True)
    accuracy_high = fields.Float(allow_none=True)
    brier = fields.Float(allow_none=True)
    brier_base = fields.Float(allow_none=True)
    brier_skill = fields.Float(allow_none=True)
    brier_skill_low = fields.Float(allow_none=True)
    brier_skill_high = fields.Float(allow_none=True)
    log_loss = fields.Float(allow_none=True)
    log_loss_base = fields.Float(allow_none=True)
    log_loss_skill = fields.Float(allow_none=True)
    log_loss_skill_low = fields.Float(allow_none=True)
    log_loss_skill_high = fields.Float(allow_none=True)
    coverage_claimed = fields.Float(allow_none=True)
    coverage_kept = fields.Float(allow_none=True)
    n_intervals = fields.Integer(metadata={"description": "rows with an interval"})
    net_bps_per_prediction = fields.Float(allow_none=True)
    n_calls = fields.Integer(metadata={"description": "rows that said up or down"})
    verdict = fields.String()
    calibration = fields.List(fields.Nested(BinSchema))


class ChangeSchema(Schema):
    """What happened to a model, and why."""

    changed_at = fields.DateTime(metadata={"description": "market time"})
    horizon = fields.String(allow_none=True)
    kind = fields.String(metadata={"description": "such as serves, challenges, promoted, rolled back, dropped"})
    model = fields.String(allow_none=True)
    before = fields.String(allow_none=True, metadata={"description": "the champion it replaced"})
    made_by = fields.String(metadata={"description": "the engine or a person"})
    text = fields.String()
    n = fields.Integer(metadata={"description": "rows of the paired comparison it rests on"})
    difference = fields.Float(allow_none=True, metadata={"description": "share by which its Brier score is lower"})
    difference_low = fields.Float(allow_none=True)
    difference_high = fields.Float(allow_none=True)


class ModelSchema(Schema):
    """One model card, or one file that was refused."""

    id = fields.String()
    file = fields.String()
    state = fields.String(metadata={"description": "ok or refused"})
    reason = fields.String(allow_none=True)
    family = fields.String()
    venue = fields.String()
    interval = fields.String()
    horizon = fields.String()
    created = fields.DateTime(metadata={"description": "market time of the cut"})
    calibration = fields.String()
    calibrated_on = fields.Dict(metadata={"description": "first and last moment of it"})
    coverage = fields.Float(metadata={"description": "what its intervals claim to hold"})
    definition = fields.String(metadata={"description": "hash of the feature rules it was made for"})
    horizon_candles = fields.Integer()
    scale_column = fields.String(metadata={"description": "the feature its moves are measured in"})
    history = fields.Dict(metadata={"description": "first and last moment of the candles it was made from"})
    folds = fields.Integer(metadata={"description": "walk-forward steps"})
    libraries = fields.Dict(metadata={"description": "versions it was made with"})
    features = fields.List(fields.String())
    training = fields.Dict()
    metrics = fields.Dict(metadata={"description": "walk-forward figures of each family"})
    cost = fields.Dict(
        allow_none=True, metadata={"description": "walk-forward figures of foretelling whether a move exceeds its cost"}
    )
    choices = fields.Dict(
        metadata={"description": "columns it does not look at, and the trials of cheaper ways on later rows"}
    )
    role = fields.String(metadata={"description": "champion, challenger, predecessor or retired"})
    since = fields.DateTime(allow_none=True, metadata={"description": "market time at which it got its role"})
    expires_at = fields.DateTime(metadata={"description": "from then on its rows abstain"})
    compared = fields.Dict(
        metadata={
            "description": "paired with the champion on the same live rows: share by which its Brier score is lower"
        }
    )
    scores = fields.Dict(metadata={"description": "its rows in the ledger, by origin"})
    drift = fields.Dict(metadata={"description": "stability index of each feature over seven days, and its limit"})
    size_bytes = fields.Integer()
    load_ms = fields.Float(allow_none=True)
    memory_bytes = fields.Integer(allow_none=True)

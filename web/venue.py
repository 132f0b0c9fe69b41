"""The stores of one market's database, opened for reading."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from data.candle_store import CandleStore
from data.database import open_database
from data.explanation_store import ExplanationStore
from data.foreign_store import ForeignStore
from data.gap_store import GapStore
from data.prediction_store import PredictionStore
from data.skill_store import SkillStore


@dataclass(frozen=True, slots=True)
class Venue:
    """What is kept of one market and one base interval."""

    engine: Engine
    candles: CandleStore
    predictions: PredictionStore
    explanations: ExplanationStore
    skills: SkillStore
    gaps: GapStore
    foreign: ForeignStore


def open_venue(path: Path, market: str, interval: str) -> Venue:
    """Return the stores behind the database file at `path`, which need not be there yet."""
    engine = open_database(path, is_read_only=True)
    return Venue(
        engine,
        CandleStore(engine, interval),
        PredictionStore(engine, market, interval),
        ExplanationStore(engine, interval),
        SkillStore(engine, market, interval),
        GapStore(engine, interval),
        ForeignStore(engine, market, interval),
    )

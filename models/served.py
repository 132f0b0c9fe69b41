"""The served model: rows in, calibrated probability, expected return and range out; numbers only, no pickle."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from market.errors import ModelError
from models.array_file import pack
from models.calibration import Calibration, calibration_from
from models.forest import Contributions
from models.moves import Move, move_from
from models.panel import usual_move_bps
from models.reference import Reference, reference_from
from models.scores import LOWEST_RETURN_BPS, Scores
from models.serving_form import ServingForm, form_from


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One trained model of one horizon, ready to be asked about any number of symbols at once."""

    id: str
    kind: str
    interval: str
    horizon: str
    horizon_candles: int
    features: tuple[str, ...]
    scale_column: str
    coverage: float
    form: ServingForm
    calibration: Calibration
    move: Move
    reference: Reference

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together."""
        if len(self.features) != self.form.feature_count or self.scale_column not in self.features:
            raise ModelError(
                f"model {self.id} names {len(self.features)} features, its numbers are for {self.form.feature_count}"
            )
        if len(self.reference.rows) != len(self.features):
            raise ModelError(f"model {self.id} has reference rows of {len(self.reference.rows)} features; train again")

    def predict(self, rows: np.ndarray, block_rows: int = 0) -> Scores:
        """Return the scores of rows (n, features) float64; a row with a hole gets nan, never a guess."""
        return replace(self.forecast(rows, block_rows), strangeness=self.reference.strangeness(rows))

    def forecast(self, rows: np.ndarray, block_rows: int = 0) -> Scores:
        """Return the same without a look at how strange the rows are, which is nan: for rows nobody acts on."""
        probability = self.calibration.probability(self.form.probability(rows, block_rows))
        scale = usual_move_bps(rows[:, self.features.index(self.scale_column)], self.horizon_candles)
        expected = self.move.expected(probability)
        low = np.maximum((expected - self.move.half_width) * scale, LOWEST_RETURN_BPS)
        high = (expected + self.move.half_width) * scale
        return Scores(probability, expected * scale, low, high, np.full(len(rows), np.nan))

    @property
    def base_probability(self) -> float:
        """Return the probability that the contributions of every row start from."""
        return self.contributions(np.empty((0, len(self.features)))).base

    def contributions(self, rows: np.ndarray) -> Contributions:
        """Return what moved the calibrated probability of each row away from that of the usual row.

        The base is the probability of the forest's own base. A feature's share of the way from there to the row's
        probability is its share of the way the score went: calibration bends the scale, it favours no feature.
        """
        told = self.form.contributions(rows)
        scores = told.base + told.values.sum(axis=1)
        ends = self.calibration.probability(self.form.probability_of(np.append(scores, told.base)))
        way = scores - told.base
        with np.errstate(divide="ignore", invalid="ignore"):
            points = np.where(way == 0.0, 0.0, (ends[:-1] - ends[-1]) / way)
        return Contributions(float(ends[-1]), told.values * points[:, None])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every number that makes this model, for a file."""
        return {**self.form.arrays(), **self.calibration.arrays(), **self.move.arrays(), **self.reference.arrays()}

    def facts(self) -> dict[str, object]:
        """Return what the numbers mean, for the manifest beside the file."""
        return {
            "id": self.id,
            "family": self.kind,
            "interval": self.interval,
            "horizon": self.horizon,
            "horizon_candles": self.horizon_candles,
            "features": list(self.features),
            "scale_column": self.scale_column,
            "coverage": self.coverage,
            "calibration": self.calibration.kind,
        }


def served_from(facts: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> ServedModel:
    """Return the model that `facts` and `arrays` of such a model describe; ModelError when they cannot be one."""
    features = facts["features"]
    if not isinstance(features, list):
        raise ModelError(f"model {facts['id']} names no features; train again")
    return ServedModel(
        id=str(facts["id"]),
        kind=str(facts["family"]),
        interval=str(facts["interval"]),
        horizon=str(facts["horizon"]),
        horizon_candles=int(str(facts["horizon_candles"])),
        features=tuple(str(feature) for feature in features),
        scale_column=str(facts["scale_column"]),
        coverage=float(str(facts["coverage"])),
        form=form_from(arrays),
        calibration=calibration_from(str(facts["calibration"]), arrays),
        move=move_from(arrays),
        reference=reference_from(arrays),
    )


def content_id(model: ServedModel, settings: str = "") -> str:
    """Return the name that the content gives a model: the same numbers and meaning have the same id everywhere.

    `settings`: those of its training, on which its record depends.
    """
    meaning = repr(sorted((key, value) for key, value in model.facts().items() if key != "id"))
    digest = hashlib.sha256(pack(model.arrays()) + meaning.encode() + settings.encode()).hexdigest()
    return f"{model.kind}-{model.horizon}-{digest[:12]}"

"""The card beside a model: what it is, what it was trained on, how it did, and what its files must hash to."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.model_seal import check_seal
from market.errors import ModelError
from utils.file_operations import open_plain
from utils.times import iso_utc

if TYPE_CHECKING:
    from models.final_fit import Choices
    from models.training import TrainedHorizon

FORMAT = 2
MAX_BYTES = 1_000_000
PARTS = ("npz", "joblib")
_ID = re.compile(r"[a-z0-9_]{1,60}-[0-9]{1,7}[a-z]-[0-9a-f]{12}")
_LIBRARIES = ("numpy", "numba", "scikit-learn", "joblib")
_TEXTS = ("id", "family", "interval", "horizon", "venue", "definition", "scale_column", "calibration", "created")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def manifest_of(
    trained: "TrainedHorizon",
    venue: str,
    definition: str,
    span: tuple[int, int],
    files: dict[str, dict[str, Any]],
    spread: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the manifest of a trained model, unsigned.

    `span`: first and last moment of the history, ms; `files`: by part; `spread`: how its features were spread.
    """
    return {
        "format": FORMAT,
        **trained.model.facts(),
        "venue": venue,
        "definition": definition,
        "created": iso_utc(trained.cut_ms),
        "cut_ms": trained.cut_ms,
        "history": _span(span),
        "training": {**_span(trained.training_ms), "rows": trained.rows},
        "calibrated_on": _span(trained.calibration_ms),
        "folds": len(trained.folds),
        "cost": asdict(trained.cost_record) if trained.cost_record else None,
        "choices": _choices(trained.choices),
        "metrics": {family: asdict(record) for family, record in trained.records.items()},
        "libraries": {name: version(name) for name in _LIBRARIES},
        "check": {"row": trained.check_row, "probability": trained.check_probability},
        "files": files,
        "spread": spread,
    }


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """Return a manifest in the one spelling in which it is written and read."""
    return f"{json.dumps(manifest, indent=1, allow_nan=False)}\n".encode()


def read_manifest(path: Path, secret: bytes | None) -> dict[str, Any]:
    """Return a manifest that this instance signed, with fields of the right kind; ModelError says what is wrong."""
    try:
        with open_plain(path) as file:
            stat = os.fstat(file.fileno())
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error
    return _read(path, secret, (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


def read_unchecked(path: Path) -> dict[str, Any]:
    """Return what a file says, whoever wrote it; ModelError when it is no object of JSON."""
    return _parsed(path, _text(path))


def is_model_id(name: str) -> bool:
    """Return whether a name can be that of a model."""
    return _ID.fullmatch(name) is not None


def card_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what there is to tell of a sound model; `spread` is for who computes its drift."""
    hidden = ("format", "check", "files", "cut_ms", "signatures")
    shown = {name: value for name, value in manifest.items() if name not in hidden}
    shown["size_bytes"] = sum(entry["size"] for entry in manifest["files"].values())
    return {**shown, "file": f"{manifest['id']}.npz", "state": "ok", "reason": None}


def _choices(choices: "Choices") -> dict[str, Any]:
    """Return how a model was made, as it comes back from JSON: instances that make the same model compare manifests."""
    return {**asdict(choices), "dropped": list(choices.dropped), "sizes": [asdict(size) for size in choices.sizes]}


def _span(moments: Sequence[int]) -> dict[str, str]:
    return {"first": iso_utc(moments[0]), "last": iso_utc(moments[1])}


@lru_cache(maxsize=200)
def _read(path: Path, secret: bytes | None, stamp: tuple[int, ...]) -> dict[str, Any]:
    """Return a manifest that was found sound, kept until `stamp` tells of a change; the 200 last asked stay."""
    text = _text(path)
    manifest = _parsed(path, text)
    try:
        check_seal(manifest, secret)
    except ModelError as error:
        raise ModelError(f"{path.name} {error}") from error
    if manifest_bytes(manifest) != text:
        raise ModelError(f"{path.name} says what was signed in another spelling, it was changed; train again")
    if fault := _fault(manifest, path.stem):
        raise ModelError(f"{path.name} {fault}")
    return manifest


def _text(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise ModelError(f"{path.name} is no manifest: it has more than {MAX_BYTES} bytes")
    return text


def _parsed(path: Path, text: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise ModelError(f"{path.name} is no manifest")
    return manifest


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _fault(manifest: dict[str, Any], name: str) -> str:
    """Return what is wrong, or nothing."""
    if manifest.get("format") != FORMAT:
        return f"has format {manifest.get('format')!r}, this version reads {FORMAT}"
    for field in _TEXTS:
        if not isinstance(manifest.get(field), str):
            return f"has no {field}"
    if manifest["id"] != name or not is_model_id(name):
        return f"calls itself {manifest['id']!r:.80}"
    features, files = manifest.get("features"), manifest.get("files")
    if not isinstance(features, list) or not all(isinstance(feature, str) for feature in features):
        return "names no features"
    if not isinstance(files, dict) or set(files) != set(PARTS) or not all(map(_is_file_entry, files.values())):
        return "does not name its files"
    if not isinstance(manifest.get("spread"), dict | None):
        return "has no spread of its features"
    return "" if _has_numbers(manifest) else "has numbers missing"


def _is_file_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and type(entry.get("size")) is int
        and entry["size"] >= 0
        and isinstance(entry.get("sha256"), str)
        and _SHA256.fullmatch(entry["sha256"]) is not None
    )


def _has_numbers(manifest: dict[str, Any]) -> bool:
    check = manifest.get("check")
    row = check.get("row") if isinstance(check, dict) else None
    return (
        type(manifest.get("horizon_candles")) is int
        and 0 < manifest["horizon_candles"] < 10**7
        and type(manifest.get("cut_ms")) is int
        and isinstance(manifest.get("coverage"), float)
        and isinstance(manifest.get("metrics"), dict)
        and isinstance(check, dict)
        and isinstance(check.get("probability"), float)
        and isinstance(row, list)
        and len(row) == len(manifest["features"])
        and all(type(value) in (int, float) for value in row)
    )

"""Trained models on disk: numbers to serve, an estimator to train on from, a manifest that both must match.

A model is three files: `<id>.npz` is served, `<id>.joblib` is for retraining only and never opened here (opening one
runs code), `<id>.json` is written last and makes the model exist. What does not match its manifest is refused by name.
"""

import hashlib
import io
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.model_manifest import PARTS, card_of, is_model_id, manifest_of, read_manifest
from market.errors import ModelError
from utils.file_operations import sha256_of, sweep_temporaries, write_atomically
from utils.model_cache import model_cache

if TYPE_CHECKING:
    from models.served import ServedModel
    from models.training import TrainedHorizon

logger = logging.getLogger(__name__)

KEPT_MODELS = 5  # of each venue, interval and horizon; the older ones are there to go back to
CHECK_TOLERANCE = 1e-9
# Smaller files are copied: a mapped one changes under the reader when somebody writes into it.
MAPPED_BYTES = 8_000_000
_SUFFIXES = {".json", *(f".{part}" for part in PARTS)}


class ModelStore:
    """The models in one folder."""

    def __init__(self, folder: Path) -> None:
        """Look into `folder`; it is made at the first save."""
        self._folder = folder

    def save(self, trained: "TrainedHorizon", venue: str, span: tuple[int, int], definition: str = "") -> str:
        """Keep a trained model and return its id; a kill leaves it whole or not there.

        `definition`: a hash of the rules behind the features, for features of one name may change their meaning;
        `span`: first and last moment of the history it was trained from. The oldest models beyond KEPT_MODELS go.
        """
        import joblib

        from models.array_file import pack

        self._folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(self._folder)
        estimator = io.BytesIO()
        joblib.dump(trained.estimator, estimator, compress=3)
        contents = {"npz": pack(trained.model.arrays()), "joblib": estimator.getvalue()}
        files = {
            part: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for part, content in contents.items()
        }
        manifest = manifest_of(trained, venue, definition, span, files)
        for part, content in contents.items():
            write_atomically(self._path(trained.model.id, part), content)
        text = json.dumps(manifest, indent=1, allow_nan=False)
        write_atomically(self._path(trained.model.id, "json"), f"{text}\n".encode())
        self._retire(manifest)
        return trained.model.id

    def load(self, model_id: str) -> "ServedModel":
        """Return a model ready to serve; ModelError when a file is missing, damaged, foreign or answers otherwise."""
        from models.array_file import unpack
        from models.served import served_from

        manifest = self._manifest(model_id)
        path = self._path(model_id, "npz")
        content = _content(path)
        # A file is hashed while it is looked over: both take as long as reading it, and a check believes nothing.
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(lambda: hashlib.sha256(content).hexdigest())
            try:
                model = served_from(manifest, unpack(content))
            except ModelError as error:
                _compare(path, manifest["files"]["npz"], len(content), digest.result())
                raise ModelError(f"{path.name} refused: {error}") from error
        _compare(path, manifest["files"]["npz"], len(content), digest.result())
        _check_answer(model, manifest["check"])
        return model

    def cached(self, model_id: str) -> "ServedModel":
        """Return a model from memory, or load it once for all who ask; ModelError also when that takes too long."""
        try:
            return model_cache.get(model_id, lambda: self.load(model_id))
        except TimeoutError as error:
            raise ModelError(str(error)) from error

    def newest(
        self, venue: str, interval: str, horizon: str, features: Sequence[str], definition: str = ""
    ) -> str | None:
        """Return the id of the newest model of a horizon whose files are sound and whose features are these."""
        for manifest in self._of_horizon(venue, interval, horizon):
            if manifest["features"] != list(features) or manifest["definition"] != definition:
                continue
            try:
                self._verify(manifest)
            except ModelError as error:
                logger.warning("model refused reason=%r", str(error))
                continue
            return str(manifest["id"])
        return None

    def cut_ms(self, model_id: str) -> int:
        """Return the moment up to which a model knows the market."""
        return int(self._manifest(model_id)["cut_ms"])

    def coverage(self, model_id: str) -> float:
        """Return what the range of a model claims to hold."""
        return float(self._manifest(model_id)["coverage"])

    def cards(self, venue: str | None = None) -> list[dict[str, Any]]:
        """Return what there is to tell of each model, newest first, then what was refused and why.

        `venue` leaves out sound models of other venues. Files are hashed once per change of theirs.
        """
        sound, refused = [], []
        for path in self._files():
            faults: list[tuple[str, ModelError]] = []
            try:
                if path.suffix == ".json":
                    manifest = read_manifest(path)
                    faults += self._faults(manifest)
                    sound += [] if faults else [manifest]
                else:
                    self._refuse_stray(path)
            except ModelError as error:
                faults.append((path.name, error))
            if path.exists():  # else it was retired while we looked
                refused += [{"file": name, "state": "refused", "reason": str(error)} for name, error in faults]
        sound.sort(key=lambda manifest: (-manifest["cut_ms"], manifest["interval"], manifest["horizon"]))
        return [card_of(manifest) for manifest in sound if venue in (None, manifest["venue"])] + refused

    def _path(self, model_id: str, suffix: str) -> Path:
        return self._folder / f"{model_id}.{suffix}"

    def _files(self) -> list[Path]:
        """Return every file of the folder that is not hidden."""
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))

    def _manifest(self, model_id: str) -> dict[str, Any]:
        if not is_model_id(model_id):
            raise ModelError(f"{model_id!r:.80} is no name of a model")
        return read_manifest(self._path(model_id, "json"))

    def _of_horizon(self, venue: str, interval: str, horizon: str) -> Iterator[dict[str, Any]]:
        """Yield the manifests of one horizon that can be read, newest first."""
        found = []
        for path in self._files():
            if path.suffix != ".json":
                continue
            try:
                manifest = read_manifest(path)
            except ModelError as error:
                logger.warning("model refused reason=%r", str(error))
                continue
            if (manifest["venue"], manifest["interval"], manifest["horizon"]) == (venue, interval, horizon):
                found.append((manifest["cut_ms"], path.stat().st_mtime_ns, path.name, manifest))
        yield from (manifest for *_, manifest in sorted(found, key=lambda entry: entry[:3], reverse=True))

    def _verify(self, manifest: dict[str, Any]) -> None:
        """Refuse a model one of whose files is not what the manifest says."""
        for _, error in self._faults(manifest):
            raise error

    def _faults(self, manifest: dict[str, Any]) -> Iterator[tuple[str, ModelError]]:
        """Yield each file of a model that is not what the manifest says, and why."""
        for part in PARTS:
            try:
                self._verify_part(manifest, part)
            except ModelError as error:
                yield self._path(manifest["id"], part).name, error

    def _verify_part(self, manifest: dict[str, Any], part: str) -> None:
        path = self._path(manifest["id"], part)
        try:
            stat = path.stat()
            if not path.is_file():
                raise ModelError(f"{path.name} is no plain file")
            digest = _digest(path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        except OSError as error:
            raise ModelError(f"{path.name} cannot be read: {error.strerror}; train again") from error
        _compare(path, manifest["files"][part], stat.st_size, digest)

    def _refuse_stray(self, path: Path) -> None:
        """Refuse a file that no manifest speaks for."""
        if path.suffix not in _SUFFIXES:
            raise ModelError(f"{path.name} is no model file; nothing here opens it")
        if not self._path(path.stem, "json").is_file():
            raise ModelError(f"{path.name} has no manifest {path.stem}.json; it is never opened")

    def _retire(self, newest: dict[str, Any]) -> None:
        """Remove the oldest models of a horizon; the manifest goes first, so that none is left half."""
        of_horizon = list(self._of_horizon(newest["venue"], newest["interval"], newest["horizon"]))
        for manifest in of_horizon[KEPT_MODELS:]:
            for suffix in ("json", *PARTS):
                self._path(manifest["id"], suffix).unlink(missing_ok=True)


def _compare(path: Path, expected: dict[str, Any], size: int, digest: str) -> None:
    if size != expected["size"]:
        raise ModelError(f"{path.name} holds {size} bytes, its manifest says {expected['size']}; train again")
    if digest != expected["sha256"]:
        raise ModelError(f"{path.name} does not match its checksum, it was changed or damaged; train again")


def _content(path: Path) -> bytes | mmap:
    """Return the bytes of a file: a copy of a small one, a shared mapping of a large one."""
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path.name} is no plain file")
        with path.open("rb") as file:
            if path.stat().st_size < MAPPED_BYTES:
                return file.read()
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}; train again") from error


def _check_answer(model: "ServedModel", check: dict[str, Any]) -> None:
    """Ask the model the question its trainer noted down, and compare the answers."""
    import numpy as np

    answer = float(model.predict(np.array([check["row"]], np.float64)).probability_up[0])
    if not abs(answer - check["probability"]) <= CHECK_TOLERANCE:
        raise ModelError(f"model {model.id} answers {answer:.6f} where its trainer saw {check['probability']:.6f}")


@lru_cache(maxsize=1_000)
def _digest(path: Path, inode: int, size: int, changed_ns: int, touched_ns: int) -> str:
    """Return the SHA-256 of a file, kept until one of the arguments tells of a change; the 1,000 last asked stay."""
    return sha256_of(path)

"""Trained models on disk: numbers to serve, an estimator to train on from, a manifest that both must match.

A model is three files: `<id>.npz` is served, `<id>.joblib` is for retraining only and never opened here (opening one
runs code), `<id>.json` is written last and makes the model exist. The manifest is signed with the key of this instance:
what is not signed here, or does not match its manifest, is refused by name.
"""

import hashlib
import io
import logging
import os
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.model_files import compare_digest, content_of, verify
from data.model_manifest import PARTS, card_of, is_model_id, manifest_bytes, manifest_of, read_manifest, read_unchecked
from data.model_seal import sealed, without_seal
from market.errors import ModelError
from utils.file_operations import sweep_temporaries, write_atomically
from utils.model_cache import model_cache
from utils.secret_file import load_or_make_secret, load_secret

if TYPE_CHECKING:
    from models.served import ServedModel
    from models.training import TrainedHorizon

logger = logging.getLogger(__name__)

KEPT_MODELS = 5  # of each venue, interval and horizon; the older ones are there to go back to
CHECK_TOLERANCE = 1e-9
MAX_LISTED = 500  # refused files; a folder full of others' files is counted, not shown
_OTHER_RULES = "it was made for features by other rules than today's; a new one is trained"
_SUFFIXES = {".json", *(f".{part}" for part in PARTS)}


@dataclass(frozen=True, slots=True)
class Load:
    """How long a model took to load, and how large it is in memory."""

    load_ms: float
    bytes: int


class ModelStore:
    """The models in one folder, which several instances may share."""

    def __init__(self, folder: Path, key_file: Path) -> None:
        """Look into `folder` for what is signed with the key in `key_file`; both are made at the first save."""
        self._folder = folder
        self._key_file = key_file
        self.loads: dict[str, Load] = {}  # of the models that were loaded here
        self._warned: set[str] = set()

    def save(
        self,
        trained: "TrainedHorizon",
        venue: str,
        span: tuple[int, int],
        definition: str = "",
        kept: Collection[str] = (),
        spread: dict[str, Any] | None = None,
    ) -> str:
        """Keep a trained model and return its id; a kill leaves it whole or not there.

        `definition`: a hash of the rules behind the features, for features of one name may change their meaning;
        `span`: first and last moment of the history it was trained from; `spread`: how its features were spread.
        The oldest models beyond KEPT_MODELS go, but for those in `kept`.
        """
        import joblib

        from models.array_file import pack

        secret = load_or_make_secret(self._key_file)
        self._folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(self._folder)
        estimator = io.BytesIO()
        joblib.dump(trained.estimator, estimator, compress=3)
        contents = {"npz": pack(trained.model.arrays()), "joblib": estimator.getvalue()}
        files = {
            part: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for part, content in contents.items()
        }
        manifest = manifest_of(trained, venue, definition, span, files, spread)
        for part, content in contents.items():
            write_atomically(self._path(trained.model.id, part), content)
        self._write_manifest(sealed(manifest, secret, self._before(trained.model.id)))
        self._retire(manifest, secret, kept)
        return trained.model.id

    def load(self, model_id: str) -> "ServedModel":
        """Return a model ready to serve; ModelError when a file is missing, damaged, foreign or answers otherwise."""
        from models.array_file import unpack
        from models.served import served_from

        started_s = time.perf_counter()
        manifest = self._manifest(model_id)
        path = self._path(model_id, "npz")
        content = content_of(path, manifest["files"]["npz"])
        # A file is hashed while it is looked over: both take as long as reading it, and a check believes nothing.
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(lambda: hashlib.sha256(content).hexdigest())
            try:
                model = served_from(manifest, unpack(content))
            except ModelError as error:
                compare_digest(path, manifest["files"]["npz"], digest.result())
                raise ModelError(f"{path.name} refused: {error}") from error
        compare_digest(path, manifest["files"]["npz"], digest.result())
        _check_answer(model, manifest["check"])
        size_bytes = sum(array.nbytes for array in model.arrays().values())
        self.loads[model_id] = Load(round(1_000 * (time.perf_counter() - started_s), 1), size_bytes)
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
        return next(iter(self.sound(venue, interval, horizon, features, definition)), None)

    def sound(
        self, venue: str, interval: str, horizon: str, features: Sequence[str], definition: str = ""
    ) -> dict[str, int]:
        """Return `cut_ms` of every such model, newest first."""
        found = {}
        for manifest in self._of_horizon(venue, interval, horizon):
            if manifest["features"] != list(features) or manifest["definition"] != definition:
                continue
            try:
                self._verify(manifest)
            except ModelError as error:
                self._warn(str(error))
                continue
            found[str(manifest["id"])] = int(manifest["cut_ms"])
        return found

    def facts(self, model_id: str) -> dict[str, Any]:
        """Return what the manifest of a model says: `cut_ms`, up to when it knows the market, `coverage` and more."""
        return self._manifest(model_id)

    def cards(self, venue: str | None = None, definition: str = "") -> list[dict[str, Any]]:
        """Return what there is to tell of each model, newest first, then what was refused and why.

        `venue` leaves out sound models of other venues; `definition`, where it is known, refuses those made for
        features by other rules. Files are hashed once per change of theirs.
        """
        sound: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        secret = load_secret(self._key_file)
        for path in self._files():
            faults: list[tuple[str, ModelError]] = []
            try:
                if path.suffix == ".json":
                    manifest = read_manifest(path, secret)
                    faults += self._faults(manifest)
                    sound += [] if faults else [manifest]
                else:
                    self._refuse_stray(path)
            except ModelError as error:
                faults.append((path.name, error))
            if os.path.lexists(path):  # else it was retired while we looked
                refused += [_refused(name, str(error)) for name, error in faults]
        sound.sort(key=lambda manifest: (-manifest["cut_ms"], manifest["interval"], manifest["horizon"]))
        if len(refused) > MAX_LISTED:
            more = f"only the first {MAX_LISTED} are listed; keep other files elsewhere"
            refused[MAX_LISTED:] = [_refused(f"{len(refused) - MAX_LISTED} more", more)]
        here = [manifest for manifest in sound if venue in (None, manifest["venue"])]
        usable = [manifest for manifest in here if definition in ("", manifest["definition"])]
        others = [_refused(f"{one['id']}.npz", _OTHER_RULES) for one in here if one not in usable]
        return [card_of(manifest) for manifest in usable] + others + refused

    def _warn(self, reason: str) -> None:
        """Log a refusal once, however often the folder is looked at."""
        if reason not in self._warned and len(self._warned) < MAX_LISTED:
            self._warned.add(reason)
            logger.warning("model refused reason=%r", reason)

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
        return read_manifest(self._path(model_id, "json"), load_secret(self._key_file))

    def _of_horizon(self, venue: str, interval: str, horizon: str) -> Iterator[dict[str, Any]]:
        """Yield the manifests of one horizon that can be read, newest first."""
        found = []
        secret = load_secret(self._key_file)
        for path in self._files():
            if path.suffix != ".json":
                continue
            try:
                manifest, written_ns = read_manifest(path, secret), path.stat().st_mtime_ns
            except (ModelError, OSError) as error:  # the latter when it was retired while we looked
                self._warn(str(error))
                continue
            if (manifest["venue"], manifest["interval"], manifest["horizon"]) == (venue, interval, horizon):
                found.append((manifest["cut_ms"], written_ns, path.name, manifest))
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
        verify(self._path(manifest["id"], part), manifest["files"][part])

    def _refuse_stray(self, path: Path) -> None:
        """Refuse a file that no manifest speaks for."""
        if path.suffix not in _SUFFIXES:
            raise ModelError(f"{path.name} is no model file; nothing here opens it")
        if not self._path(path.stem, "json").is_file():
            raise ModelError(f"{path.name} has no manifest {path.stem}.json; it is never opened")

    def _before(self, model_id: str) -> dict[str, Any] | None:
        """Return the manifest that lies where one is to be written, whoever signed it."""
        try:
            return read_unchecked(self._path(model_id, "json"))
        except ModelError:
            return None

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        write_atomically(self._path(manifest["id"], "json"), manifest_bytes(manifest))

    def _retire(self, newest: dict[str, Any], secret: bytes, kept: Collection[str]) -> None:
        """Remove the oldest models of a horizon; the manifest goes first, so that none is left half.

        One that another instance has signed, too, loses our signature and stays.
        """
        of_horizon = list(self._of_horizon(newest["venue"], newest["interval"], newest["horizon"]))
        for manifest in of_horizon[KEPT_MODELS:]:
            if manifest["id"] in kept:
                continue
            if theirs := without_seal(manifest, secret):
                self._write_manifest(theirs)
                continue
            for suffix in ("json", *PARTS):
                self._path(manifest["id"], suffix).unlink(missing_ok=True)


def _refused(name: str, reason: str) -> dict[str, Any]:
    """Return the entry of a refused file; its name may hold bytes that are no text."""
    shown, why = (text.encode("utf-8", "replace").decode() for text in (name, reason))
    return {"file": shown, "state": "refused", "reason": why}


def _check_answer(model: "ServedModel", check: dict[str, Any]) -> None:
    """Ask the model the question its trainer noted down, and compare the answers."""
    import numpy as np

    answer = float(model.predict(np.array([check["row"]], np.float64)).probability_up[0])
    if not abs(answer - check["probability"]) <= CHECK_TOLERANCE:
        raise ModelError(f"model {model.id} answers {answer:.6f} where its trainer saw {check['probability']:.6f}")

"""Arrays of earlier fits on disk, so that a walk-forward that is repeated costs next to nothing."""

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from market.errors import ModelError
from utils.file_operations import sweep_temporaries, write_atomically

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
_SUFFIX = ".fit"
_DIGEST_BYTES = 32


class FitShelf:
    """A cache on disk.

    Key: a hash of all that decides a fit, so nothing is ever out of date. Until `max_bytes` are full: then what was
    used longest ago goes. Nobody needs to clear it, but the folder may be deleted at any time.
    A file is a packed .npz, never a pickle, and behind it the SHA-256 of its bytes: a damaged one is thrown away.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        """Keep files in `folder`, which is made at the first."""
        self._folder = folder
        self._max_bytes = max_bytes

    def load(self, key: str) -> "Mapping[str, np.ndarray] | None":
        """Return the arrays kept under `key`, or None when there are none that are whole."""
        from models.array_file import unpack

        path = self._path(key)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content[:-_DIGEST_BYTES]).digest() != content[-_DIGEST_BYTES:]:
                raise ModelError(f"{path.name} does not match its checksum")
            arrays = unpack(content[:-_DIGEST_BYTES])
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ModelError) as error:
            logger.warning("earlier fit thrown away reason=%r", str(error))
            self._remove(path)
            return None
        return arrays

    def keep(self, key: str, arrays: "Mapping[str, np.ndarray]") -> None:
        """Keep the arrays; a disk that takes nothing costs time at the next training, not this one."""
        from models.array_file import pack

        content = pack(arrays)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path(key), content + hashlib.sha256(content).digest())
            self._evict()
        except OSError as error:
            logger.warning("fit not kept reason=%s", error.strerror)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _evict(self) -> None:
        """Remove what was used longest ago until the rest fits."""
        sweep_temporaries(self._folder)
        found = [(path.stat(), path) for path in self._folder.glob(f"*{_SUFFIX}")]
        size_bytes = sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda entry: (entry[0].st_mtime_ns, entry[1].name)):
            if size_bytes <= self._max_bytes:
                return
            self._remove(path)
            size_bytes -= stat.st_size

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("earlier fit stays reason=%s", error.strerror)

"""Small orders from one process to another: a folder of files, each read once and gone."""

import json
import logging
import secrets
import time
from pathlib import Path

from utils.file_operations import open_plain, write_atomically

logger = logging.getLogger(__name__)

LETTERS_FOLDER = "letters"  # in INSTANCE_DIR/run: what people ask of the engine
MAX_LETTERS = 20  # that may wait; who reads them is not there, or far behind
FRESH_SECONDS = 60.0  # what waited longer is no longer what somebody wants
_MAX_BYTES = 4_096

Letter = dict[str, str]


class Mailbox:
    """A folder in which one process leaves letters for another."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made with the first letter."""
        self._folder = folder

    def put(self, letter: Letter) -> bool:
        """Leave a letter; False when so many wait already that nobody seems to read them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if len(self._waiting()) >= MAX_LETTERS:
            return False
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
        write_atomically(self._folder / name, json.dumps(letter).encode())
        return True

    def waiting(self) -> list[Letter]:
        """Return the letters that nobody has taken yet, oldest first."""
        return [letter for path in self._waiting() if (letter := _read(path)) is not None]

    def take(self) -> list[Letter]:
        """Return the letters there are, oldest first, and remove them; those that are too old are only removed."""
        taken = []
        for path in self._waiting():
            letter = _read(path)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # what stays would be done again and again
                logger.warning("letter not taken file=%s reason=%s", path.name, error.strerror)
                continue
            if letter is None:
                logger.warning("letter dropped, too old or not readable file=%s", path.name)
            else:
                taken.append(letter)
        return taken

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.json")) if self._folder.is_dir() else []


def _read(path: Path) -> Letter | None:
    try:
        with open_plain(path) as file:
            found = json.loads(file.read(_MAX_BYTES))
        is_fresh = abs(time.time() - path.stat().st_mtime) < FRESH_SECONDS
    except (OSError, ValueError, RecursionError):
        return None
    is_letter = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if is_letter and is_fresh else None

"""A random secret in a file that only its owner reads, made once however many processes ask for it first."""

import fcntl
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.file_operations import open_plain, write_atomically

logger = logging.getLogger(__name__)

SECRET_BYTES = 32
OWNER_ONLY = 0o600


def load_secret(path: Path) -> bytes | None:
    """Return the secret in `path`; None where there is none, or something else."""
    try:
        with open_plain(path) as file:
            text = file.read(2 * SECRET_BYTES + 2)
        found = bytes.fromhex(text.decode("ascii"))
    except (OSError, ValueError):
        return None
    return found if len(found) == SECRET_BYTES else None


def load_or_make_secret(path: Path) -> bytes:
    """Return the secret in `path`, made now where there is none; OSError when it can be neither read nor written.

    What is no secret is set aside under another name. A file that others may read is closed to them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(path.parent):
        found = load_secret(path)
        if found is None:
            found = _make(path)
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            logger.warning("secret was readable by others, now closed file=%s", path.name)
            path.chmod(OWNER_ONLY)
    return found


def _make(path: Path) -> bytes:
    if os.path.lexists(path):
        aside = path.with_name(f"{path.name}.damaged")
        logger.warning("secret damaged, a new one is made file=%s kept_as=%s", path.name, aside.name)
        path.replace(aside)
    made = secrets.token_bytes(SECRET_BYTES)
    write_atomically(path, f"{made.hex()}\n".encode(), OWNER_ONLY)
    return made


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time into the body."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

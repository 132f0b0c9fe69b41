"""Who has logged in: a signed cookie, good until somebody logs out, the password changes, or 30 days are over."""

import hashlib
import hmac
import logging
import secrets
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from utils.secret_file import load_or_make_secret, load_secret

logger = logging.getLogger(__name__)

COOKIE = "session"
KEY_FILE = "session.key"  # in INSTANCE_DIR; without it there is no session
MAX_AGE_SECONDS = 30 * 24 * 3_600
_NAME_BYTES = 12


class Sessions:
    """Signs and checks cookies with a secret that logging out throws away."""

    def __init__(self, instance_dir: Path, password: str) -> None:
        """Keep the secret in `instance_dir`; cookies of another `password` are none of ours."""
        self._path = instance_dir / KEY_FILE
        self._password = password.encode()
        self._unkept: bytes | None = None

    def open(self) -> str:
        """Return the cookie of a new session."""
        try:
            secret = load_or_make_secret(self._path)
        except OSError as error:
            logger.warning("session secret not kept, sessions end with this process reason=%s", error.strerror)
            secret = self._unkept = self._unkept or secrets.token_bytes(32)
        return self._signer(secret).sign(secrets.token_hex(_NAME_BYTES)).decode()

    def is_open(self, cookie: str | None) -> bool:
        """Return whether a cookie is one of ours and its session goes on."""
        secret = load_secret(self._path) or self._unkept if cookie else None
        if not cookie or secret is None:
            return False
        try:
            self._signer(secret).unsign(cookie, max_age=MAX_AGE_SECONDS)
        except BadSignature:
            return False
        return True

    def end_all(self) -> None:
        """End every session of this instance, on every device."""
        self._unkept = None
        self._path.unlink(missing_ok=True)

    def _signer(self, secret: bytes) -> TimestampSigner:
        key = hmac.digest(secret, self._password, hashlib.sha256)
        return TimestampSigner(key, salt="candela session", digest_method=hashlib.sha256)

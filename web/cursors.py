"""Sign the cursors of lists, so that only one that this instance has given for this list leads anywhere."""

import base64
import hashlib
import hmac

from flask import current_app

from web.problems import refuse_argument

_SIGNATURE_LETTERS = 16  # 96 bits
_ALLOWED = "next_cursor of the page before"


def signed(cursor: str | None, table: str) -> str | None:
    """Return the cursor of a list as it goes out; None stays None."""
    return None if cursor is None else f"{cursor}.{_signature(cursor, table)}"


def checked(text: str | None, table: str) -> str | None:
    """Return the cursor that was signed for this list; answer 400 for any other text."""
    if text is None:
        return None
    cursor, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(cursor, table).encode()):
        refuse_argument("cursor", text, _ALLOWED)
    return cursor


def _signature(cursor: str, table: str) -> str:
    secret: bytes = current_app.extensions["form_secret"]()
    digest = hmac.digest(secret, f"cursor {table} {cursor}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest)[:_SIGNATURE_LETTERS].decode()

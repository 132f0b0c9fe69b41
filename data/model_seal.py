"""Sign manifests with the key of this instance, and tell who signed one: only what is signed here is ever opened."""

import hashlib
import hmac
import json
from typing import Any

from market.errors import ModelError

KEY_FILE = "model.key"  # in INSTANCE_DIR; who has it can make models that this instance serves
MAX_SIGNATURES = 16
_FIELD = "signatures"

Manifest = dict[str, Any]


def sealed(manifest: Manifest, secret: bytes, before: object = None) -> Manifest:
    """Return the manifest with the signature of this instance.

    `before`: a manifest of the same name that lies there. Where it says the same, the signatures of the other
    instances of a shared folder stay valid and are kept.
    """
    body = _body(manifest)
    kept = {}
    if isinstance(before, dict) and _says_the_same(before, body):
        kept = {name: text for name, text in _signatures(before).items() if name != key_id(secret)}
    newest = list(kept.items())[-(MAX_SIGNATURES - 1) :]
    return {**body, _FIELD: {**dict(newest), key_id(secret): _digest(body, secret)}}


def without_seal(manifest: Manifest, secret: bytes) -> Manifest | None:
    """Return the manifest without the signature of this instance; None when nobody else has signed it."""
    others = {name: text for name, text in _signatures(manifest).items() if name != key_id(secret)}
    return {**manifest, _FIELD: others} if others else None


def check_seal(manifest: Manifest, secret: bytes | None) -> None:
    """Refuse a manifest that is not, to the last digit, what this instance signed; ModelError tells what is wrong."""
    found = _signatures(manifest)
    if not found:
        raise ModelError("is not signed, so its files are never opened; a model of this instance takes its place")
    ours = None if secret is None else found.get(key_id(secret))
    if secret is None or ours is None:
        raise ModelError("is signed by another instance, so its files are never opened here")
    try:
        expected = _digest(_body(manifest), secret)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"cannot be signed as it is: {error}") from error
    if not hmac.compare_digest(expected.encode(), ours.encode("utf-8", "replace")):
        raise ModelError("does not match its signature, it was changed after it was signed; train again")


def key_id(secret: bytes) -> str:
    """Return the name of a key, which tells nothing of it."""
    return hmac.digest(secret, b"candela key", hashlib.sha256).hex()[:16]


def _body(manifest: Manifest) -> Manifest:
    return {name: value for name, value in manifest.items() if name != _FIELD}


def _says_the_same(before: Manifest, body: Manifest) -> bool:
    try:
        return _spelled(_body(before)) == _spelled(body)
    except (ValueError, RecursionError):  # whoever wrote it
        return False


def _signatures(manifest: Manifest) -> dict[str, str]:
    found = manifest.get(_FIELD)
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        return {}
    return found


def _digest(body: Manifest, secret: bytes) -> str:
    """Return the HMAC-SHA256 (RFC 2104) of the body."""
    return hmac.digest(secret, _spelled(body), hashlib.sha256).hex()


def _spelled(body: Manifest) -> bytes:
    """Return the body in its one spelling: sorted keys, no spaces, shortest floats."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

"""Let only our own pages ask for a change: every request that is no mere reading needs a token of this site.

The token is bound to a cookie of the visitor, and signed with a secret of this instance, so that no other site, and no
other program on this machine, can make one up (double submit, signed).
"""

import hashlib
import hmac
import logging
import secrets
from functools import cache
from pathlib import Path

from flask import Flask, Response, current_app, g, request

from utils.secret_file import load_or_make_secret
from web.hosts import parts_of
from web.problems import ProblemError

logger = logging.getLogger(__name__)

COOKIE = "candela-form"
FIELD = "token"
KEY_FILE = "web.key"  # in INSTANCE_DIR
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_QUESTIONS = frozenset({"batch.batch"})  # asked by POST because they are long; nothing is changed by them
_COOKIE_BYTES = 16
_OLD_PAGE = "this page is from before; load it again and repeat what you did"


def register(site: Flask, instance_dir: Path) -> None:
    """Refuse what could change something and carries no token of this site; offer `form_token()` to templates."""
    site.extensions["form_secret"] = cache(lambda: _secret(instance_dir / KEY_FILE))
    site.before_request(_check)
    site.after_request(_remember)
    site.jinja_env.globals["form_token"] = form_token


def form_token() -> str:
    """Return the token for a form of the page that is being rendered; that page is nobody else's."""
    g.is_personal = True
    visitor = request.cookies.get(COOKIE, "")
    if not _is_ours(visitor):
        visitor = g.setdefault("form_visitor", secrets.token_hex(_COOKIE_BYTES))
    return _token(visitor)


def _check() -> None:
    if request.method in _READING or request.routing_exception is not None:
        return  # nothing is done then, either
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and parts_of(origin).netloc != request.host
    if is_foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise ProblemError(403, "foreign_request", "another site asked for this; open the page here and do it there")
    if request.endpoint in _QUESTIONS:
        return
    visitor, given = request.cookies.get(COOKIE, ""), request.form.get(FIELD, "")
    if not _is_ours(visitor) or not hmac.compare_digest(_token(visitor).encode(), given.encode("utf-8", "replace")):
        raise ProblemError(403, "no_token", _OLD_PAGE)


def _remember(answer: Response) -> Response:
    if "form_visitor" in g:
        answer.set_cookie(COOKIE, g.form_visitor, httponly=True, samesite="Strict", secure=request.is_secure)
    return answer


def _is_ours(visitor: str) -> bool:
    return len(visitor) == 2 * _COOKIE_BYTES and all(letter in "0123456789abcdef" for letter in visitor)


def _token(visitor: str) -> str:
    secret: bytes = current_app.extensions["form_secret"]()
    return hmac.digest(secret, f"form {visitor}".encode(), hashlib.sha256).hex()


def _secret(path: Path) -> bytes:
    try:
        return load_or_make_secret(path)
    except OSError as error:
        logger.warning("form secret not kept, pages that are open lose their forms at a restart reason=%s", error)
        return secrets.token_bytes(32)

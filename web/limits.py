"""Bound what a request may bring: its address, its arguments, its body."""

import io

from flask import Flask, request

from web.problems import ProblemError

MAX_BODY_BYTES = 64 * 1024  # the largest thing sent here is a form
MAX_ADDRESS_LETTERS = 4_096
MAX_ARGUMENTS = 50


def register(site: Flask) -> None:
    """Let the site refuse what is too large before anything else looks at it."""
    site.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    site.before_request(_check_address)
    site.before_request(_take_body)


def _check_address() -> None:
    query = request.query_string
    if len(request.path) + len(query) > MAX_ADDRESS_LETTERS:
        raise ProblemError(414, "address_too_long", f"an address has at most {MAX_ADDRESS_LETTERS} letters here")
    if query.count(b"&") >= MAX_ARGUMENTS:
        raise ProblemError(400, "too_many_arguments", f"an address takes at most {MAX_ARGUMENTS} arguments here")


def _take_body() -> None:
    """Read the body whole, whatever its sender says of its length, and hand it on from memory.

    Werkzeug would cut a chunked body at its limit and hand on the beginning as if it were everything.
    """
    if request.mimetype.startswith("multipart/"):
        raise ProblemError(415, "no_parts", "nothing here takes a body of several parts; send a plain form")
    length = request.content_length
    is_chunked = "Transfer-Encoding" in request.headers
    if not length and not is_chunked:
        return
    if not is_chunked and length is not None and length > MAX_BODY_BYTES:
        raise _too_large()
    try:
        body: bytes = request.environ["wsgi.input"].read(MAX_BODY_BYTES + 1 if is_chunked else length)
    except Exception as error:  # what a server raises over a broken body has no common kind
        raise ProblemError(400, "broken_body", "the body of this request cannot be read; send it again") from error
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    if not is_chunked and length is not None and len(body) < length:
        raise ProblemError(400, "broken_body", "the body of this request ended before its length; send it again")
    request.environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})


def _too_large() -> ProblemError:
    return ProblemError(413, "too_large", f"a body has at most {MAX_BODY_BYTES:,} bytes here")

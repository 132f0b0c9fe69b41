"""Errors as people and programs can use them: a helpful page, or RFC 9457 problem+json under /api."""

import logging
import secrets
from collections.abc import Sequence
from typing import Any, NoReturn

from flask import Flask, Response, current_app, g, has_request_context, render_template, request
from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import HTTPException

from market.errors import MarketError, SourceUnavailable
from web.answers import json_bytes

logger = logging.getLogger(__name__)

_MEDIA_TYPE = "application/problem+json"
_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    500: "internal_error",
    503: "unavailable",
}
_BROKEN = "The reason is in the log under this id. No prediction is lost by it; the other pages go on."
_BARE_TITLES = {
    401: "This board asks for its password",
    429: "Too many wrong passwords",
    500: "Something went wrong here",
}


class ProblemSchema(Schema):
    """How the API says that something is wrong."""

    type = fields.String(metadata={"description": "always about:blank; `code` tells the kind"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "one sentence for a person"})
    code = fields.String(required=True, metadata={"description": "one word for a program"})
    field = fields.String(metadata={"description": "the argument that is wrong"})
    allowed = fields.Raw(metadata={"description": "what that argument takes: a list of values, or a range in words"})
    id = fields.String(metadata={"description": "the same id is in the log"})


class ProblemError(MarketError):
    """Stop this request and say why; the fields are those of `ProblemSchema`."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        """Answer with `status`; `more` may name `field` and `allowed`, or links for a page."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.more = more


def refuse_argument(field: str, value: str, allowed: Sequence[str] | str) -> NoReturn:
    """Answer 400: `value` is nothing `field` takes."""
    choices = allowed if isinstance(allowed, str) else ", ".join(allowed)
    raise ProblemError(
        400,
        "bad_argument",
        f"{field}={value[:80]!r} is refused; allowed: {choices or 'nothing yet'}",
        field=field,
        allowed=allowed if isinstance(allowed, str) else list(allowed),
    )


def register(site: Flask) -> None:
    """Let the site answer every error in the form its reader wants."""
    site.register_error_handler(ProblemError, answer_problem)
    site.register_error_handler(HTTPException, answer_http)
    site.register_error_handler(SourceUnavailable, _answer_unavailable)


def answer_problem(problem: ProblemError) -> Response:
    """Answer with what the code that raised it knows."""
    return _answer(problem.status, problem.code, problem.detail, problem.headers, problem.more)


def answer_http(error: HTTPException) -> Response:
    """Answer what Flask, the argument parser or an unexpected exception raised."""
    status = error.code or 500
    exception = getattr(error, "exc", None)
    if isinstance(exception, ValidationError):
        return answer_problem(_argument_problem(exception, error))
    headers = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    if status == 500:
        detail = "something went wrong here; the id leads to the reason in the log"
    else:
        detail = (error.description or error.name).split(". ")[0]
    return _answer(status, _CODES.get(status, error.name.lower().replace(" ", "_")), detail, headers, {})


def error_id() -> str:
    """Return the id of this request's error, the same in the log and in the answer."""
    if not has_request_context():
        return secrets.token_hex(4)
    if "error_id" not in g:
        g.error_id = secrets.token_hex(4)
    return str(g.error_id)


def _answer_unavailable(error: SourceUnavailable) -> Response:
    logger.warning("request not answered id=%s reason=%s", error_id(), error)
    return _answer(503, "unavailable", str(error), {"Retry-After": "2"}, {})


def _argument_problem(error: ValidationError, raised: HTTPException) -> ProblemError:
    """Return the first complaint of the argument parser as a problem that names the field and what it takes."""
    schema: Schema = raised.data["schema"]  # type: ignore[attr-defined]
    taken = {field.data_key or name: field for name, field in schema.fields.items()}
    ((source, complaints),) = error.messages.items()  # type: ignore[union-attr]
    name, messages = next(iter(complaints.items()))
    if name == "_schema":
        return ProblemError(400, "bad_body", "the body is refused: it is no object", allowed="a JSON object")
    if name not in taken:
        known = sorted(taken)
        detail = f"{name[:80]!r} is no argument here; it takes {', '.join(known) or 'none'}"
        return ProblemError(400, "unknown_argument", detail, field=name[:80], allowed=known)
    allowed = taken[name].metadata["x-allowed"]
    told = allowed if isinstance(allowed, str) else ", ".join(allowed)
    shown = f"{name}={request.args.get(name, '')[:80]!r}" if source == "query" else name
    if isinstance(messages, dict):  # of a list: what is wrong with one of its entries
        place, messages = next(iter(messages.items()))
        shown = f"{name}[{place}]"
    complaint = str(messages[0]).rstrip(".")
    return ProblemError(400, "bad_argument", f"{shown}: {complaint}; allowed: {told}", field=name, allowed=allowed)


def _answer(status: int, code: str, detail: str, headers: dict[str, str], more: dict[str, Any]) -> Response:
    logger.info("request refused id=%s status=%d code=%s path=%s", error_id(), status, code, request.path[:200])
    if request.path.startswith("/api/") or request.path in ("/healthz", "/readyz"):
        return problem_json(status, code, detail, headers, {**more, "id": error_id()})
    # Without the frame where that may be what broke, and for strangers: it tells of the market.
    if status == 500 or not g.get("is_known"):
        text = _BROKEN if status == 500 else f"{detail[:1].upper()}{detail[1:].rstrip('.')}."
        title = _BARE_TITLES.get(status, "That was refused")
        bare = current_app.jinja_env.get_template("broken.html")
        page = bare.render(status=status, id=error_id(), title=title, text=text)
    else:
        page = render_template("error.html", status=status, code=code, detail=detail, more={**more, "id": error_id()})
    return Response(page, status, headers, mimetype="text/html")


def problem_json(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, more: dict[str, Any] | None = None
) -> Response:
    """Return a problem+json response."""
    title = code.replace("_", " ")
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    named = {name: value for name, value in (more or {}).items() if name in ProblemSchema._declared_fields}
    return Response(json_bytes({**body, **named}), status, headers, mimetype=_MEDIA_TYPE)

"""What an answer is made of: strict JSON, CSV that a spreadsheet cannot run, version tags."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from flask import Response, request
from flask.json.provider import JSONProvider

# Writes null for what is not finite; the hook turns numpy's numbers into Python's.
_encoder = msgspec.json.Encoder(enc_hook=lambda value: value.item())
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class StrictJson(JSONProvider):
    """JSON without NaN and Infinity for all of Flask."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """Return JSON text."""
        return _encoder.encode(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Return what JSON text stands for."""
        return msgspec.json.decode(s)


def json_bytes(value: Any) -> bytes:
    """Return JSON; what is not finite becomes null."""
    return _encoder.encode(value)


def json_answer(value: Any, tag: str | None = None) -> Response:
    """Answer with JSON, tagged by its version or else by its content; 304 when the asker has it."""
    body = json_bytes(value)
    return tagged(Response(body, mimetype="application/json"), tag or digest(body))


def csv_answer(rows: Iterable[dict[str, Any]], columns: Sequence[str], name: str, tag: str | None = None) -> Response:
    """Answer with CSV of these columns, in full precision, as a file called `name`.csv."""
    body = csv_bytes([columns, *([row.get(column) for column in columns] for row in rows)])
    return tagged(as_file(Response(body, mimetype="text/csv"), f"{name}.csv"), tag or digest(body))


def csv_bytes(lines: Iterable[Sequence[Any]]) -> bytes:
    """Return lines of values as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue().encode()


def csv_stream(pages: Iterable[Sequence[dict[str, Any]]], columns: Sequence[str], name: str) -> Response:
    """Answer with CSV that is made while it is sent, a page of rows at a time, as a file called `name`.csv."""

    def parts() -> Iterator[bytes]:
        yield csv_bytes([columns])
        for rows in pages:
            yield csv_bytes([row.get(column) for column in columns] for row in rows)

    return as_file(Response(parts(), mimetype="text/csv"), f"{name}.csv")


def json_stream(pages: Iterable[Sequence[dict[str, Any]]], columns: Sequence[str], name: str) -> Response:
    """Answer with a list in JSON that is made while it is sent, as a file called `name`.json."""

    def parts() -> Iterator[bytes]:
        start = b'{"items":['
        for rows in pages:
            for row in rows:
                yield start + json_bytes({column: row.get(column) for column in columns})
                start = b",\n"
        yield (start if start.startswith(b"{") else b"") + b'],"next_cursor":null}'

    return as_file(Response(parts(), mimetype="application/json"), f"{name}.json")


def as_file(answer: Response, name: str) -> Response:
    """Return the answer, to be kept by a browser as a file of this name."""
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def tagged(answer: Response, tag: str) -> Response:
    """Return the answer with its tag; without a body when the asker already has it."""
    answer.set_etag(tag, weak=True)
    answer.cache_control.no_cache = True
    answer.make_conditional(request)
    answer.headers.remove("Date")  # of this second: the server adds its own, also to an answer that was kept
    return answer


def is_known(tag: str) -> bool:
    """Return whether the asker already has the version `tag`, so that nothing needs to be read."""
    return request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag)


def not_modified(tag: str) -> Response:
    """Answer 304."""
    answer = Response(status=304)
    answer.set_etag(tag, weak=True)
    answer.cache_control.no_cache = True
    return answer


def digest(body: bytes) -> str:
    """Return a tag made of the content."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def _cell(value: Any) -> str:
    """Return one CSV cell; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value) if value == value and abs(value) != float("inf") else ""
    text = value if isinstance(value, str) else json_bytes(value).decode()
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text

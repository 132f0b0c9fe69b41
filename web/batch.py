"""Ask this very site several questions for one asker, each as if it had been asked alone."""

from contextvars import Context
from typing import TYPE_CHECKING, Any

import msgspec
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

MAX_PATHS = 20
MAX_BATCH_BYTES = 4_000_000
_HEADERS = ("Content-Type", "ETag", "Link", "Retry-After")
_PASSED_ON = ("Cookie", "Authorization")


def ask_all(site: "WSGIApplication", asker: Request, paths: list[str]) -> list[dict[str, Any]]:
    """Return path, status, headers that matter and body of each answer, in order.

    A body of JSON is its value, any other a text. Answers that would go beyond `MAX_BATCH_BYTES` in all have status 413
    and no body; what was read of them counts, and once nothing is left none is asked for.
    """
    items, left_bytes = [], MAX_BATCH_BYTES
    for path in paths:
        if left_bytes <= 0:
            items.append(_too_large(path))
            continue
        environ = _environ(asker, path)
        # In a context of its own: what the site remembers of one question must not leak into the next.
        item, size_bytes = Context().run(_ask, site, environ, path, left_bytes)
        items.append(item)
        left_bytes -= size_bytes
    return items


def _environ(asker: Request, path: str) -> "WSGIEnvironment":
    headers = [(name, asker.headers[name]) for name in _PASSED_ON if name in asker.headers]
    builder = EnvironBuilder(path, asker.host_url, headers=headers, environ_base={"REMOTE_ADDR": asker.remote_addr})
    return builder.get_environ()


def _ask(site: "WSGIApplication", environ: "WSGIEnvironment", path: str, most_bytes: int) -> tuple[dict[str, Any], int]:
    answer = Response.from_app(site, environ)
    parts, size_bytes = [], 0
    try:
        for part in answer.iter_encoded():
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > most_bytes:
                return _too_large(path), size_bytes
    finally:
        answer.close()
    body = b"".join(parts)
    told = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
    is_json = (answer.mimetype or "").endswith("json")
    shown = msgspec.Raw(body) if is_json and body else body.decode("utf-8", "replace")
    return {"path": path, "status": answer.status_code, "headers": told, "body": shown}, size_bytes


def _too_large(path: str) -> dict[str, Any]:
    return {"path": path, "status": 413, "headers": {}, "body": None}

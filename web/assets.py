"""Serve the files of static/: compressed once, cached for ever under an address that holds the content's hash."""

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from flask import Blueprint, Response, abort, current_app, g, request

from utils.file_operations import sha256_of
from web.answers import tagged

_YEAR_SECONDS = 31_536_000
_LARGE_BYTES = 100_000  # above this the strongest compression takes too long for a first request
_TEXTS = ("text/", "application/javascript", "image/svg+xml", "application/json", "application/manifest+json")
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}

assets = Blueprint("assets", __name__)


@assets.get("/static/v-<version>/<path:name>", endpoint="versioned")
def versioned(version: str, name: str) -> Response:
    """Serve a file under the hash of all of them, to be kept for ever."""
    folder = _folder()
    answer = _file(folder, name)
    if version == version_of(folder):
        answer.cache_control.no_cache = None
        answer.cache_control.public = True
        answer.cache_control.max_age = _YEAR_SECONDS
        answer.cache_control.immutable = True
    return answer


@assets.get("/static/<path:name>", endpoint="plain")
def plain(name: str) -> Response:
    """Serve a file under its own name, asked for anew each time."""
    return _file(_folder(), name)


@assets.get("/favicon.ico")
def favicon() -> Response:
    """Serve the icon to browsers that ask without reading the page."""
    return _file(_folder(), "icons/candela.svg")


def asset_url(name: str) -> str:
    """Return the address of a static file, for a template; the version is looked up once a request."""
    if "static_version" not in g:
        g.static_version = version_of(_folder())
    return f"/static/v-{g.static_version}/{name}"


def has_asset(name: str) -> bool:
    """Return whether a static file is there: vendor files may not be."""
    return (_folder() / name).is_file()


def version_of(folder: Path) -> str:
    """Return a hash of all static files; computed anew when one of them changes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stamps = tuple((str(path.relative_to(folder)), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return _hash(folder, stamps)


@lru_cache(maxsize=4)
def _hash(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, _, _ in stamps:
        digest.update(f"{name} {sha256_of(folder / name)}\n".encode())
    return digest.hexdigest()[:12]


def _folder() -> Path:
    return Path(current_app.root_path) / "static"


def _file(folder: Path, name: str) -> Response:
    path = _path(folder, name)
    if path is None:
        abort(404, description=f"there is no static file {name[:80]!r}")
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    found = path.stat()
    encoding = request.accept_encodings.best_match(("br", "gzip")) if kind.startswith(_TEXTS) else None
    body = _body(path, found.st_mtime_ns, encoding)
    answer = Response(body, mimetype=kind)
    answer.vary.add("Accept-Encoding")
    if encoding:
        answer.headers["Content-Encoding"] = encoding
    return tagged(answer, f"{found.st_mtime_ns:x}-{found.st_size:x}")


def _path(folder: Path, name: str) -> Path | None:
    """Return the file of this name inside the folder; None when there is none, or it is hidden."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", "..") or part.startswith(".") for part in parts):
        return None
    path = folder.joinpath(*parts)
    try:
        return path if path.is_file() else None
    except OSError:  # a name longer than any file's
        return None


@lru_cache(maxsize=64)
def _body(path: Path, _changed_ns: int, encoding: str | None) -> bytes:
    """Return a file's bytes in this encoding.

    Kept by path, time of change and encoding, for the life of the process, 64 at most; a changed file is read anew.
    """
    data = path.read_bytes()
    if encoding == "br":
        return bytes(brotli.compress(data, quality=9 if len(data) > _LARGE_BYTES else 11))
    return gzip.compress(data, 9) if encoding == "gzip" else data

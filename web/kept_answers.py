"""Keep finished answers as the bytes that go out, compressed, until something they show has changed."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flask import g, request
from werkzeug.http import parse_etags, remove_entity_headers

from market.errors import SourceUnavailable
from utils.sizes import Emptied
from web.freshness import Freshness, Watch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BYTES = 4_000_000
MAX_ANSWER_BYTES = 1_000_000
MOMENT_SECONDS = 0.5  # the engine's heartbeat: a page is as old as that at most
VERSION_SECONDS = 10.0  # however quiet the ledger is
_MARK = "candela.keep"
_OVERHEAD_BYTES = 2_000  # headers and key of one answer, about
_FORM_COOKIE = "candela-form"  # decides nothing but the tokens of forms, and pages with forms are not kept

Key = tuple[str, ...]
Headers = list[tuple[str, str]]
_IsFresh = Callable[[Freshness, Freshness], bool]


def keep_for_version() -> None:
    """Have this answer kept while the ledger is the same."""
    request.environ[_MARK] = _same_ledger


def keep_for_moment() -> None:
    """Have this answer kept until the next heartbeat or commit, unless the page has a form of its visitor."""
    if not g.get("is_personal"):
        request.environ[_MARK] = _same_moment


def _same_ledger(now: Freshness, then: Freshness) -> bool:
    return now.has_ledger_of(then, VERSION_SECONDS)


def _same_moment(now: Freshness, then: Freshness) -> bool:
    return now.is_moment_of(then, MOMENT_SECONDS)


@dataclass(frozen=True, slots=True)
class ReadyAnswer:
    """What goes out for an answer but for the lines a server adds: status line, header lines, body."""

    status: str
    headers: Headers
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer, and what it was made from."""

    whole: ReadyAnswer
    bare: ReadyAnswer  # the 304
    tag: str
    made: Freshness
    is_fresh: _IsFresh

    @property
    def size_bytes(self) -> int:
        return len(self.whole.body) + _OVERHEAD_BYTES

    def ready_for(self, environ: "WSGIEnvironment") -> ReadyAnswer:
        """Return the answer, or that the visitor has it already."""
        asked = environ.get("HTTP_IF_NONE_MATCH")
        is_known = asked is not None and (asked == self.tag or parse_etags(asked).contains_raw(self.tag))
        return self.bare if is_known else self.whole


@dataclass(frozen=True, slots=True)
class KeptStats:
    """What the cache has done since the start, and what it holds."""

    hits: int
    misses: int
    evictions: int
    answers: int
    size_bytes: int
    emptied: Emptied | None


class KeptAnswers:
    """The site behind a cache of whole answers: a hit costs no routing, no rendering, no compression.

    Key: path, query, accepted encodings, host, scheme, cookies and password; so nobody gets what another may see.
    How long: lists of the ledger until its version grows, `VERSION_SECONDS` at most; pages, and whatever else shows
    ages and prices, until the next heartbeat or commit, `MOMENT_SECONDS` at most.
    How many: `MAX_BYTES` in all, `MAX_ANSWER_BYTES` each; the one made longest ago goes first.
    Who clears it: a newer answer takes an older one's place; `clear()` (the system page).
    No lock is held while an answer is made; who asks for one that is being made anew waits for that one.
    """

    def __init__(
        self,
        site: "WSGIApplication",
        watch: Watch,
        may_have: Callable[["WSGIEnvironment"], bool] = lambda environ: True,
    ) -> None:
        """Stand in front of `site`; `watch` tells when answers are old, `may_have` who has been logged out since."""
        self._site = site
        self._watch = watch
        self._may_have = may_have
        self._lock = threading.Lock()
        self._answers: dict[Key, _Answer] = {}
        self._being_made: dict[Key, threading.Event] = {}
        self._size_bytes = 0
        self._hits = self._misses = self._evictions = 0
        self._emptied: Emptied | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        now = self._look() if environ["REQUEST_METHOD"] == "GET" else None
        if now is None:
            return self._site(environ, start_response)
        key = _key(environ)
        while True:
            answer = self._answers.get(key)
            if answer is not None and answer.is_fresh(now, answer.made):
                if not self._may_have(environ):
                    return self._site(environ, start_response)
                return self._hit(answer, environ, start_response)
            mine = self._take_turn(key, answer)
            if mine is not None:
                return self._renew(environ, start_response, key, now, mine)
            if key not in self._answers:  # what another has just been given is not to be kept
                return self._ask(environ, start_response, key, now)

    def key_of(self, environ: "WSGIEnvironment") -> Key | None:
        """Return what the answer to such a GET is kept under, fresh or not; None when none is."""
        key = _key(environ)
        return key if key in self._answers else None

    def at_once(self, key: Key, environ: "WSGIEnvironment") -> ReadyAnswer | None:
        """Return the answer that is kept for a GET, if that takes no waiting and no work; else None.

        Of `environ` only the headers that say what the visitor has and who he is are looked at.
        """
        now, answer = self._watch.glance(), self._answers.get(key)
        if now is None or answer is None or not answer.is_fresh(now, answer.made) or not self._may_have(environ):
            return None
        self._hits += 1
        return answer.ready_for(environ)

    def stats(self) -> KeptStats:
        """Return counts since the start, answers and bytes now."""
        answers, size_bytes = len(self._answers), self._size_bytes
        return KeptStats(self._hits, self._misses, self._evictions, answers, size_bytes, self._emptied)

    def clear(self) -> Emptied:
        """Forget every answer and tell what went; what is being made now is kept."""
        with self._lock:
            self._emptied = emptied = Emptied(len(self._answers), self._size_bytes)
            self._answers.clear()
            self._size_bytes = 0
        return emptied

    def _look(self) -> Freshness | None:
        try:
            return self._watch.look()
        except SourceUnavailable:
            return None

    def _hit(self, answer: _Answer, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self._hits += 1
        ready = answer.ready_for(environ)
        start_response(ready.status, list(ready.headers))
        return [ready.body] if ready.body else []

    def _take_turn(self, key: Key, old: _Answer | None) -> threading.Event | None:
        """Return an event to set when the old answer has been made anew; None after another has done that."""
        with self._lock:
            being_made = self._being_made.get(key)
            if being_made is None and self._answers.get(key) is old:
                mine = self._being_made[key] = threading.Event()
                return mine
        if being_made is not None:
            being_made.wait()
        return None

    def _renew(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        key: Key,
        now: Freshness,
        mine: threading.Event,
    ) -> Iterable[bytes]:
        """Make an old answer anew while others wait for it."""
        try:
            return self._ask(environ, start_response, key, now)
        finally:
            with self._lock:
                del self._being_made[key]
            mine.set()

    def _ask(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", key: Key, now: Freshness
    ) -> Iterable[bytes]:
        """Let the site answer, and keep what it marks to be kept."""
        told: list[Any] = []

        def note(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            told[:] = (status, headers)
            return start_response(status, headers, exc_info)

        parts = self._site(environ, note)
        is_fresh: _IsFresh | None = environ.get(_MARK)
        status, headers = told or ("", [])
        names = {name.lower() for name, _ in headers}
        if is_fresh is not None and status.startswith("304"):
            self._misses += 1
            self._still_true(key, headers, now)
            return parts
        if is_fresh is None or not status.startswith("200") or "etag" not in names or "set-cookie" in names:
            with self._lock:
                self._drop(key)  # what was kept before is no answer any more
            return parts
        self._misses += 1
        body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        length = [] if "content-length" in names else [("Content-Length", str(len(body)))]
        self._keep(key, [*headers, *length], body, now, is_fresh)
        return [body]

    def _keep(self, key: Key, headers: Headers, body: bytes, now: Freshness, is_fresh: _IsFresh) -> None:
        if len(body) > MAX_ANSWER_BYTES:
            return
        bare = list(headers)
        remove_entity_headers(bare)
        tag = next(value for name, value in headers if name.lower() == "etag")
        answer = _Answer(_ready("200 OK", headers, body), _ready("304 NOT MODIFIED", bare, b""), tag, now, is_fresh)
        with self._lock:
            self._drop(key)
            self._answers[key] = answer
            self._size_bytes += answer.size_bytes
            while self._size_bytes > MAX_BYTES:
                self._drop(next(iter(self._answers)))
                self._evictions += 1

    def _still_true(self, key: Key, headers: Headers, now: Freshness) -> None:
        """Let an old answer go on when the site has found that it would say the same again."""
        tag = next((value for name, value in headers if name.lower() == "etag"), None)
        with self._lock:
            answer = self._answers.get(key)
            if answer is not None and answer.tag == tag:
                self._answers[key] = replace(answer, made=now)

    def _drop(self, key: Key) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._size_bytes -= answer.size_bytes


def _ready(status: str, headers: Headers, body: bytes) -> ReadyAnswer:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return ReadyAnswer(status, headers, f"{head}\r\n".encode("latin-1"), body)


def _key(environ: "WSGIEnvironment") -> Key:
    cookies = environ.get("HTTP_COOKIE", "")
    return (
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        environ.get("HTTP_ACCEPT_ENCODING", ""),
        environ.get("HTTP_HOST", ""),
        environ.get("wsgi.url_scheme", ""),
        environ.get("HTTP_AUTHORIZATION", ""),
        _without_form_cookie(cookies) if _FORM_COOKIE in cookies else cookies,
    )


def _without_form_cookie(cookies: str) -> str:
    return "; ".join(part for part in cookies.split("; ") if not part.startswith(f"{_FORM_COOKIE}="))

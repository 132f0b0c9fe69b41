"""Know requests by their bytes, so that a kept answer can go out without a thread, a parser or the site."""

import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # gunicorn's parent process loads this file, and needs nothing of the site
    from _typeshed.wsgi import WSGIEnvironment

    from web.kept_answers import KeptAnswers, Key, ReadyAnswer

MAX_REQUESTS = 2_000
MAX_REQUEST_BYTES = 4_096  # each; a browser's are about 700
_END = b"\r\n\r\n"
_LOOKED_AT = ("HTTP_IF_NONE_MATCH", "HTTP_COOKIE", "HTTP_AUTHORIZATION")
_MORE_THAN_A_HEAD = ("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE")


class Asked(NamedTuple):
    """All that a visitor has sent; only a proxy on this machine is believed what it says of others, so who counts."""

    address: str
    sent: bytes


class _Known(NamedTuple):
    """What some bytes ask for."""

    key: "Key"
    environ: "WSGIEnvironment"


class QuickAnswers:
    """Remembers what requests ask for, never what they are answered.

    Key: the visitor's address and the bytes.
    How long: for good; equal bytes from one address always ask for the same.
    How many: `MAX_REQUESTS` of `MAX_REQUEST_BYTES` each; the one noted longest ago goes first.
    Who clears it: nobody needs to; whether an answer is there, fresh and allowed is looked at each time.
    """

    def __init__(self, kept: "KeptAnswers") -> None:
        """Answer with what `kept` has."""
        self._kept = kept
        self._lock = threading.Lock()
        self._known: dict[Asked, _Known] = {}

    def note(self, asked: Asked, environ: "WSGIEnvironment") -> None:
        """Remember a request that became this `environ`, if an answer to it is kept.

        Only a request that is whole, has no body and leaves the connection open is remembered.
        """
        key = self._kept.key_of(environ) if _is_one_head(asked.sent) and _is_plain(environ) else None
        if key is None:
            return
        known = _Known(key, {name: environ[name] for name in _LOOKED_AT if name in environ})
        with self._lock:
            self._known[asked] = known
            if len(self._known) > MAX_REQUESTS:
                del self._known[next(iter(self._known))]

    def knows(self, asked: Asked) -> bool:
        """Return whether such a request has been noted."""
        return asked in self._known

    def answer(self, asked: Asked) -> "ReadyAnswer | None":
        """Return the answer to such a request, if it takes no waiting and no work; else None."""
        known = self._known.get(asked)
        return None if known is None else self._kept.at_once(known.key, known.environ)


def _is_one_head(sent: bytes) -> bool:
    return len(sent) <= MAX_REQUEST_BYTES and sent.startswith(b"GET ") and sent.find(_END) == len(sent) - len(_END)


def _is_plain(environ: "WSGIEnvironment") -> bool:
    is_left_open = environ.get("HTTP_CONNECTION", "keep-alive").lower() == "keep-alive"
    is_bare = not any(name in environ for name in _MORE_THAN_A_HEAD)
    return environ["SERVER_PROTOCOL"] == "HTTP/1.1" and is_left_open and is_bare

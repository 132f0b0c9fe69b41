"""Compare passwords slowly and one at a time, and let nobody guess often."""

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum

from werkzeug.security import check_password_hash, generate_password_hash

from utils.setting_values import address_of

MAX_FAILURES = 5
WINDOW_SECONDS = 15 * 60.0
MAX_CLIENTS = 4_096  # remembered at once; the one that failed longest ago is forgotten first


class Guess(Enum):
    """What became of one password that was given."""

    RIGHT = "right"
    WRONG = "wrong"
    REFUSED = "refused"


class Guesses:
    """Knows the scrypt hash of the password, and who has failed how often.

    One hash is computed at a time: it takes 16 MB and a few dozen milliseconds on purpose.
    """

    def __init__(self, password: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Guard `password`; its hash is made at the first guess."""
        self._password = password
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._hash: str | None = None
        self._fast_key = secrets.token_bytes(32)
        self._fast_digest: bytes | None = None

    def judge(self, given: str, client: str) -> Guess:
        """Return what a password given by `client` is; after `MAX_FAILURES` in the window none is looked at.

        A program sends its password with each request, so one that was found right is known by a keyed digest.
        """
        name = _network(client)
        if self._wait_seconds(name) > 0:
            return Guess.REFUSED
        digest = hmac.digest(self._fast_key, given.encode("utf-8", "replace"), hashlib.sha256)
        if self._fast_digest is not None and hmac.compare_digest(digest, self._fast_digest):
            return Guess.RIGHT
        with self._lock:
            if self._wait_seconds(name) > 0:
                return Guess.REFUSED
            if self._hash is None:
                self._hash = generate_password_hash(self._password, "scrypt")
            if not check_password_hash(self._hash, given):
                self._note(name)
                return Guess.WRONG
            self._fast_digest = digest
            self._failures.pop(name, None)
            return Guess.RIGHT

    def wait_seconds(self, client: str) -> int:
        """Return after how many seconds `client` may guess again, 0 for now."""
        return int(self._wait_seconds(_network(client)) + 0.999)

    def _wait_seconds(self, name: str) -> float:
        failures = self._failures.get(name)
        if failures is None or len(failures) < MAX_FAILURES:
            return 0.0
        return max(0.0, failures[0] + WINDOW_SECONDS - self._monotonic())

    def _note(self, name: str) -> None:
        failures = self._failures.setdefault(name, deque(maxlen=MAX_FAILURES))
        failures.append(self._monotonic())
        self._failures.move_to_end(name)
        while len(self._failures) > MAX_CLIENTS:
            self._failures.popitem(last=False)


def _network(client: str) -> str:
    """Return who is counted together: an address, or the /64 that one owner of IPv6 addresses has."""
    address = address_of(client)
    if address is None:
        return client[:64]
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)

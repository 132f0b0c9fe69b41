"""The weight every address has used in this minute, and what happens when it is too much."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulator import refusals

LIMIT = 6_000  # a wall-clock minute
WINDOW_SECONDS = 60
PATIENCE = 20  # requests refused in one minute before the address is banned
FIRST_BAN_SECONDS = 120
LONGEST_BAN_SECONDS = 3 * 86_400


@dataclass(slots=True)
class _Account:
    window: int = 0
    used: int = 0
    refused: int = 0
    banned_until_seconds: float = 0.0
    next_ban_seconds: int = FIRST_BAN_SECONDS


class WeightLimit:
    """6,000 a minute for each address: then 429, and 418 for who goes on; bans grow from 2 minutes to 3 days."""

    def __init__(self, seconds: Callable[[], float] = time.time) -> None:
        """Count by this wall clock."""
        self._seconds = seconds
        self._accounts: dict[str, _Account] = {}

    def charge(self, address: str, weight: int) -> None:
        """Add the weight of a request; RequestError when the address must wait."""
        account, now = self._account(address)
        if now < account.banned_until_seconds:
            raise self._ban(account, now)
        if account.used + weight <= LIMIT:
            account.used += weight
            return
        account.refused += 1
        if account.refused > PATIENCE:
            account.banned_until_seconds = now + account.next_ban_seconds
            account.next_ban_seconds = min(2 * account.next_ban_seconds, LONGEST_BAN_SECONDS)
            account.refused = 0
            raise self._ban(account, now)
        wait_seconds = math.ceil((account.window + 1) * WINDOW_SECONDS - now)
        raise refusals.too_many_requests(LIMIT, max(1, wait_seconds))

    def used(self, address: str) -> int:
        """Return the weight the address has used in this minute."""
        return self._account(address)[0].used

    def _ban(self, account: _Account, now: float) -> refusals.RequestError:
        until = account.banned_until_seconds
        return refusals.banned(round(until * 1_000), max(1, math.ceil(until - now)))

    def _account(self, address: str) -> tuple[_Account, float]:
        now = self._seconds()
        account = self._accounts.setdefault(address, _Account())
        window = int(now // WINDOW_SECONDS)
        if window != account.window:
            account.window, account.used, account.refused = window, 0, 0
        return account, now

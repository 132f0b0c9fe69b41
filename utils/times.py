"""UTC milliseconds and their one spelling: ISO-8601 with Z."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4_096)  # rows of one close share their times; the least used go
def iso_utc(time_ms: int) -> str:
    """Return milliseconds since 1970 as ISO-8601 UTC with milliseconds and Z."""
    moment = datetime.fromtimestamp(time_ms // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1_000:03d}Z"


def parse_utc(text: str) -> int:
    """Return the milliseconds of an ISO-8601 time or of an integer in milliseconds; ValueError when it is neither.

    A time without a zone is taken as UTC.
    """
    stripped = text.strip()
    if stripped.isascii() and stripped.lstrip("-").isdigit() and len(stripped) <= 16:
        return int(stripped)
    moment = datetime.fromisoformat(stripped)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000)

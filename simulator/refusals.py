"""What the exchange refuses, with Binance's codes and words."""

from dataclasses import dataclass, field

from market.errors import MarketError

SYMBOL_PATTERN = r"^[\w\-._&&[^a-z]]{1,50}$"
NUMBER_PATTERN = r"^[0-9]{1,20}$"


@dataclass
class RequestError(MarketError):
    """An answer that is an error: status, code and message, and the headers that go with it."""

    code: int
    message: str
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)


def illegal_characters(name: str, pattern: str) -> RequestError:
    """Return the refusal of a parameter with characters it must not have."""
    return RequestError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def duplicate(name: str) -> RequestError:
    """Return the refusal of a parameter sent twice."""
    return RequestError(-1101, f"Duplicate values for parameter '{name}' detected.")


def missing(name: str) -> RequestError:
    """Return the refusal of a request without a parameter it needs."""
    return RequestError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def unread(read: int, sent: int) -> RequestError:
    """Return the refusal of a request with parameters nobody asked for."""
    return RequestError(-1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")


def bad_combination() -> RequestError:
    """Return the refusal of optional parameters that exclude each other."""
    return RequestError(-1128, "Combination of optional parameters invalid.")


def invalid_value(name: str) -> RequestError:
    """Return the refusal of a value out of range."""
    return RequestError(-1130, f"Data sent for parameter '{name}' is not valid.")


def invalid_interval() -> RequestError:
    """Return the refusal of an interval Binance does not have."""
    return RequestError(-1120, "Invalid interval.")


def invalid_symbol() -> RequestError:
    """Return the refusal of a symbol that is not listed."""
    return RequestError(-1121, "Invalid symbol.")


def too_many_requests(limit: int, retry_after_seconds: int) -> RequestError:
    """Return the refusal of a request over the weight limit."""
    message = (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return RequestError(-1003, message, 429, {"Retry-After": str(retry_after_seconds)})


def banned(until_ms: int, retry_after_seconds: int) -> RequestError:
    """Return the refusal of a client that went on after it was told to stop."""
    message = (
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return RequestError(-1003, message, 418, {"Retry-After": str(retry_after_seconds)})
